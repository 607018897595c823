"""Boxes of the masks of Segment Anything."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from wsl_plugins.files.masks import boxes_of_masks
from wsl_plugins.files.problems import summary
from wsl_plugins.proposals.networks import device_of, sha256_of

_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')


class Sam:
    """Boxes of the masks that SAM (Kirillov et al., ICCV 2023) finds everywhere in an image, by the
    mask generation of transformers: a grid of 32 x 32 points, masks whose predicted IoU and
    stability are high, NMS of their boxes at 0.7. The score is the predicted IoU.

    Nothing is downloaded.

    Args:
        checkpoint: Folder as ``save_pretrained`` of transformers writes it (``config.json`` and
            ``model.safetensors``), or the file of weights in such a folder.
        device: 'cpu', 'cuda:1', ... Default: the first GPU, if there is one.
        min_iou: Least predicted IoU, in [0, 1). Default: 0.88, as SAM's.
        min_stability: Least IoU of the masks at a higher and a lower threshold, in [0, 1). Default:
            0.95, as SAM's.

    Raises:
        FileNotFoundError: No such folder or file, or it has no config or weights.
        ValueError: It is no SAM, or weights are missing.
        ImportError: transformers is not installed.

    Example:
        >>> sam = Sam('sam-vit-base')  # doctest: +SKIP
        >>> boxes, scores = sam(cv2.imread('photos/d0/a.jpg'))  # doctest: +SKIP
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        device: str | None = None,
        min_iou: float = 0.88,
        min_stability: float = 0.95,
    ) -> None:
        self.device = device_of(device)
        for name, value in (('min_iou', min_iou), ('min_stability', min_stability)):
            if not 0 <= value < 1:
                raise ValueError(f'{name} must be in [0, 1), got {value}')
        self._weights = _weights(Path(checkpoint))
        self._model = _load(self._weights)
        self._thresholds = dict(pred_iou_thresh=min_iou, stability_score_thresh=min_stability)
        self._generate: Any = None
        self.parameters = {
            'min_iou': min_iou,
            'min_stability': min_stability,
            'model_sha256': sha256_of(self._weights),
            'device': self.device.type,
            'torch': torch.__version__,
            'transformers': version('transformers'),
        }

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of an image.

        Args:
            image: (H, W, 3) uint8, BGR.

        Returns:
            (R, 4) int64 xyxy pixels (x2, y2 exclusive) and (R,) float32 scores; none if a side of
            the image has less than 4 pixels, or will when SAM makes the longer one 1024.
        """
        self._generate = self._generate or _generator(
            self._model, self._weights.parent, self.device
        )
        shorter, longer = sorted(image.shape[:2])
        reduced = shorter * self._model.config.vision_config.image_size / longer
        if min(shorter, reduced) < 4:  # transformers would take 1 or 3 rows for channels
            return np.zeros((0, 4), np.int64), np.zeros(0, np.float32)
        rgb = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        found = self._generate(rgb, **self._thresholds)
        boxes = boxes_of_masks(found['masks'])
        return boxes, found['scores'].float().cpu().numpy().reshape(-1)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ImportError("SAM needs transformers: pip install 'wsl_plugins[sam]'") from error
    return transformers


def _weights(path: Path) -> Path:
    """The file of weights of a folder, or the one given."""
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such folder or file of SAM (nothing is downloaded)')
    found = [path] if path.is_file() else [path / name for name in _WEIGHTS]
    found = [file for file in found if file.name in _WEIGHTS and file.is_file()]
    if not found or not (found[0].parent / 'config.json').is_file():
        raise FileNotFoundError(
            f'{path}: needs config.json and {" or ".join(_WEIGHTS)} in one folder, as '
            'save_pretrained of transformers writes them'
        )
    return found[0]


def _load(weights: Path) -> Any:
    """The model of a file of weights and the config beside it."""
    transformers, folder = _transformers(), weights.parent
    from safetensors import SafetensorError  # comes with transformers

    options = dict(local_files_only=True)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **options)
        if config.model_type != 'sam':
            raise ValueError(f'its config is of {config.model_type!r}, not of sam')
        model, info = transformers.SamModel.from_pretrained(
            folder,
            config=config,
            use_safetensors=weights.suffix == '.safetensors',
            output_loading_info=True,
            **options,
        )
    except (ValueError, RuntimeError, OSError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f'{weights}: no weights of SAM: {str(error).splitlines()[0]}') from error
    if lacking := sorted(info['missing_keys']):
        raise ValueError(f'{weights}: lacks {summary(lacking, "weight")}')
    if bad := [key for key, weight in model.named_parameters() if not weight.isfinite().all()]:
        raise ValueError(f'{weights}: not finite: {summary(bad, "weight")}')
    return model.eval()


def _generator(model: Any, folder: Path, device: torch.device) -> Any:
    """Image to masks and scores."""
    transformers = _transformers()
    if (folder / 'preprocessor_config.json').is_file():
        processor = transformers.SamImageProcessor.from_pretrained(folder, local_files_only=True)
    else:
        side = model.config.vision_config.image_size
        processor = transformers.SamImageProcessor(
            size=dict(longest_edge=side), pad_size=dict(height=side, width=side)
        )
    return transformers.MaskGenerationPipeline(
        model=model, image_processor=processor, device=device
    )
