"""Detectors on one's own images."""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from wsl_plugins.apis.images import list_images, read_image
from wsl_plugins.apis.models import build_model, keep_steps, read_config, step_name
from wsl_plugins.apis.proposals import Given, check_inside, given_proposals, recipe_of
from wsl_plugins.evaluation.functional.det_loc import boxes_in_original
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.models.detectors import SDCN
from wsl_plugins.proposals.origin import other_origin
from wsl_plugins.proposals.recipe import Proposer, Recipe, propose

from mmdet.apis import DetInferencer
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample

PROPOSAL_STEPS = ('LoadProposals', 'LoadWSODProposals')


class WSODInferencer(DetInferencer):
    """mmdet's ``DetInferencer`` for detectors that take proposals, or do without.

    Images are files, folders, arrays (H, W, 3) uint8 BGR, or a list of these. Calling it gives
    ``predictions``, per image ``labels``, ``scores`` and ``bboxes`` (xyxy pixels of the original
    image), and ``visualization``, RGB pictures if ``return_vis=True``, else an empty list. Other
    arguments of a call (``batch_size``, ``pred_score_thr``, ``out_dir``, ...) are those of
    ``DetInferencer``; and ``proposals``, see :func:`.proposals.given_proposals`.

    The test pipeline of the config is used without its annotations. If it loads proposals and none
    are given, they are computed: as those of the config's test set were, by what its proposal file
    notes, else as ``tools/make_proposals.py`` does by default.

    Args:
        model: Config, or its file.
        weights: Checkpoint, read without running anything in it.
        device: Where the model runs. Default: the accelerator, if there is one.
        recipe: How proposals are computed. Default: see above.
        palette: Colours of the boxes, see ``DetInferencer``. Default 'none': those of the data set.
        show_progress: Progress bar. Default True.

    Raises:
        FileNotFoundError: Config, checkpoint, an image or the proposal file is missing.
        ValueError: Config and checkpoint do not fit; an image cannot be read; proposals are given
            to a model that takes none, are wrong, or lie outside their image.

    Example:
        >>> weights = 'work_dirs/oicr_demo/epoch_12.pth'
        >>> detect = WSODInferencer('configs/oicr/oicr_demo.py', weights)  # doctest: +SKIP
        >>> result = detect('data/demo/VOC2007/JPEGImages/000201.jpg')  # doctest: +SKIP
        >>> result['predictions'][0]['bboxes']  # doctest: +SKIP
        [[12.0, 30.0, 91.0, 102.0], ...]
    """

    preprocess_kwargs = {'proposals'}

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike,
        device: str | None = None,
        recipe: Recipe | None = None,
        palette: str = 'none',
        show_progress: bool = True,
    ) -> None:
        cfg = read_config(model)
        steps = keep_steps(cfg.test_dataloader.dataset.pipeline, ('LoadAnnotations',))
        cfg.test_dataloader.dataset.pipeline = steps
        self.needs_proposals = any(step_name(step) in PROPOSAL_STEPS for step in steps)
        cfg.visualizer = cfg.get('visualizer') or dict(type='DetLocalVisualizer')
        cfg.visualizer.pop('vis_backends', None)  # they log training runs
        self._recipe = recipe
        self._proposer: Proposer | None = None
        self._origin_told = False
        super().__init__(cfg, weights, device, palette=palette, show_progress=show_progress)

    def _init_model(self, cfg: Config, weights: str | os.PathLike, device: str) -> torch.nn.Module:
        model = build_model(cfg, weights, device)
        meta = cast(dict, model.dataset_meta)
        if 'classes' not in meta:
            dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, lazy_init=True))
            meta.update({k: v for k, v in dataset.metainfo.items() if k in ('classes', 'palette')})
        if self.palette != 'none':
            meta['palette'] = self.palette
        meta.setdefault('palette', 'random')
        return model

    def _inputs_to_list(self, inputs) -> list[str | np.ndarray]:
        return list_images(inputs)

    def preprocess(
        self, inputs: list[str | np.ndarray], batch_size: int = 1, proposals: Given | None = None
    ) -> Iterator[tuple[list, dict]]:
        """Batches: the images as given, and what the model takes."""
        given = None
        if proposals is not None:
            if not self.needs_proposals:
                raise ValueError('proposals are given to a model that takes none')
            if isinstance(proposals, (str, os.PathLike)):
                proposals = ProposalFile.load(proposals)
            if isinstance(proposals, ProposalFile):
                self._say_origin(proposals.meta)
            given = given_proposals(proposals, inputs)
        for start in range(0, len(inputs), batch_size):
            chunk = inputs[start : start + batch_size]
            batch = []
            for number, item in enumerate(chunk, start):
                image = read_image(item)
                results: dict = dict(img=image)
                if given:
                    check_inside(given[number]['bboxes'], item, image.shape[1::-1])
                if self.needs_proposals:
                    results['proposals'] = given[number] if given else self.propose(image)
                batch.append(self.pipeline(results))
            yield chunk, self.collate_fn(batch)

    def propose(self, image: np.ndarray) -> dict:
        """Proposals of an image (H, W, 3) uint8 BGR: ``bboxes`` (R, 4) float32 xyxy pixels, and
        ``scores`` (R,) if the method gives some."""
        if self._recipe is None:
            self._recipe = recipe_of(self.cfg.test_dataloader.dataset)
            self._say_origin()
        recipe = self._recipe
        proposer = self._proposer = self._proposer or recipe.proposer()
        boxes, scores = propose(image, proposer, recipe.min_side, recipe.max_side_input)
        found = dict(bboxes=boxes.astype(np.float32))
        return found if scores is None else {**found, 'scores': scores}

    def _say_origin(self, meta: dict | None = None) -> None:
        """Once, if proposals are made otherwise than those of the data of the config."""
        told = None if self._origin_told else other_origin(self.cfg.test_dataloader.dataset, meta)
        if told:
            self._origin_told = True
            print_log(told, 'current', logging.WARNING)

    def forward(self, inputs: dict, **kwargs) -> list[DetDataSample]:
        """Predictions, boxes in pixels of the original image even behind a crop."""
        samples = super().forward(inputs, **kwargs)
        for sample in samples:
            offset = sample.get('crop_offset')
            if offset is not None:
                found = sample.pred_instances
                boxes = boxes_in_original(
                    found.bboxes.cpu().numpy(), sample.ori_shape, sample.scale_factor, offset
                )
                found.bboxes = torch.from_numpy(boxes).to(found.bboxes)
        return samples

    def visualize(self, inputs: list, preds: list, **kwargs) -> list[np.ndarray] | None:
        """Pictures; mmdet would draw arrays as if they were RGB."""
        inputs = [x[..., ::-1] if isinstance(x, np.ndarray) else x for x in inputs]
        return super().visualize(inputs, preds, **kwargs)

    def image_labels(self, labels: Sequence[str]) -> torch.Tensor:
        """Names of classes as (1, C) int64, for :meth:`pseudo_boxes`.

        Raises:
            ValueError: The model has no branch to teach, or no such class.
        """
        if not getattr(getattr(self.model, 'roi_head', None), 'refine_heads', None):
            raise ValueError('pseudo boxes need a detector with refinement branches (WSODRoIHead)')
        classes = list(self.model.dataset_meta['classes'])
        if not labels or not set(labels) <= set(classes):
            raise ValueError(f'labels must be among the classes {classes}, got {list(labels)}')
        device = next(self.model.parameters()).device
        return torch.tensor([[int(name in labels) for name in classes]], device=device)

    @torch.no_grad()
    def pseudo_boxes(
        self, image: str | np.ndarray, labels: Sequence[str], proposals: Given | None = None
    ) -> list[InstanceData]:
        """What each refinement branch would be taught about an image with these labels.

        Args:
            image: File or array.
            labels: Names of the classes in the image.
            proposals: As in a call. Default: computed.

        Returns:
            Per branch, ``bboxes`` (P, 4) xyxy pixels of the original image, ``labels`` (P,) and
            ``scores`` (P,) of the teacher.

        Raises:
            ValueError: The model has no such branch or no such class; or as in a call.
        """
        present = self.image_labels(labels)
        ((_, data),) = self.preprocess(list_images(image), proposals=proposals)
        data = self.model.data_preprocessor(data, False)
        (sample,) = data['data_samples']
        feats = self.model.extract_feat(data['inputs'])
        prior = []
        if isinstance(self.model, SDCN):  # its segmentation instructs the first branch
            prior = [self.model.prior_of(data['inputs'], [sample])]
        scale = sample.proposals.bboxes.new_tensor(sample.scale_factor).repeat(2)
        return [
            InstanceData(
                bboxes=sample.proposals.bboxes[targets.picked] / scale,
                labels=targets.picked_labels,
                scores=targets.weights[targets.picked],
            ).cpu()
            for (targets,) in self.model.roi_head.pseudo_labels(
                feats, [sample.proposals], present, *prior
            )
        ]
