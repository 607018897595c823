"""Localizers on one's own images."""

import os
from collections.abc import Sequence
from typing import cast

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from rich.progress import track

from wsl_plugins.apis.images import Image, list_images, read_image
from wsl_plugins.apis.localization import draw_localization, localization
from wsl_plugins.apis.models import build_model, keep_steps, read_config

from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample

LOADING = ('LoadImageFromFile', 'LoadLocalizationMask')


class WSOLInferencer(ImageClassificationInferencer):
    """mmpretrain's ``ImageClassificationInferencer`` for models that also localize.

    Any classifier of an mmpretrain config works: with a score map (CAM and its kin, few-shot maps),
    with a box regression (PSOL), or with neither. The map is that of the predicted class.

    Args:
        model: Config, or its file.
        weights: Checkpoint, read without running anything in it.
        device: Where the model runs. Default: the accelerator, if there is one.
        show_progress: Progress bar. Default True.

    Raises:
        FileNotFoundError: Config, checkpoint or an image is missing.
        ValueError: Config and checkpoint do not fit, or an image cannot be read.

    Example:
        >>> config = 'configs/wsol/cam/cam_demo.py'
        >>> weights = 'work_dirs/cam_demo/epoch_20.pth'
        >>> locate = WSOLInferencer(config, weights)  # doctest: +SKIP
        >>> result = locate('data/wsol_demo/images/test/0.png', threshold=0.3)  # doctest: +SKIP
        >>> result['predictions'][0]['bbox']  # doctest: +SKIP
        [34.0, 12.0, 80.0, 61.0]
    """

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike,
        device: str | None = None,
        show_progress: bool = True,
    ) -> None:
        cfg = read_config(model)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            network = build_model(cfg, weights, device or get_device())
            network._config = cfg
            meta = cast(dict, network.dataset_meta)
            super().__init__(network, classes=meta.get('classes'))
        for module in (network, getattr(network, 'head', None)):
            if module is not None and hasattr(module, 'map_label'):
                module.map_label = 'pred'
        self.show_progress = show_progress

    def _init_pipeline(self, cfg: Config) -> Compose:
        steps = keep_steps(cfg.test_dataloader.dataset.pipeline, LOADING)
        return Compose([TRANSFORMS.build(step) for step in steps])

    def __call__(
        self,
        inputs: Image | Sequence[Image],
        batch_size: int = 1,
        threshold: float | None = None,
        return_vis: bool = False,
        return_datasamples: bool = False,
    ) -> dict:
        """Predict.

        Args:
            inputs: Files, folders, arrays (H, W, 3) uint8 BGR, or a list of these.
            batch_size: Images that go through the network together. Default 1.
            threshold: Of the heat map, for the box; in [0, 1). Default None: the mean of the map;
                where boxes are known, a test run reports a better one, ``MaxBoxAcc_threshold``.
            return_vis: Whether to draw. Default False.
            return_datasamples: Whether ``predictions`` are mmpretrain's data samples. Default
                False: the plain numbers of :func:`.localization.localization`.

        Returns:
            ``predictions``, one per image, and ``visualization``, RGB pictures if asked for, else
            an empty list.

        Raises:
            FileNotFoundError: There is no such image.
            ValueError: ``threshold`` is out of range or without effect (regressed boxes, no heat
                map), or an image cannot be read.
        """
        images = list_images(inputs)
        chunks = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        predictions, pictures = [], []
        for chunk in track(chunks, 'Inference', disable=not self.show_progress):
            arrays = [read_image(item) for item in chunk]
            samples = self.forward(self._batch(arrays))
            for image, sample in zip(arrays, samples, strict=True):
                found = localization(sample, image.shape[1::-1], threshold, self.classes)
                predictions.append(sample if return_datasamples else found)
                if return_vis:
                    pictures.append(draw_localization(image[..., ::-1], found))
        return dict(predictions=predictions, visualization=pictures)

    def _batch(self, arrays: list[np.ndarray]) -> dict[str, list[DataSample]]:
        """What the model takes."""
        shapes = [image.shape[:2] for image in arrays]
        items = [
            self.pipeline(dict(img=image, img_shape=shape, ori_shape=shape))
            for image, shape in zip(arrays, shapes, strict=True)
        ]
        return default_collate(items)
