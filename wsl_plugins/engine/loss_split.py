"""Images split by how well a detector agrees with their boxes."""

import math
from collections.abc import Iterator
from copy import deepcopy

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd


def labelled_dataset(cfg: Config) -> ConfigDict:
    """The training data set of a config with all its images, each in one view, with its boxes.

    The view is that of the test pipeline, with ``LoadAnnotations`` right behind the image, so that
    boxes are resized as it is (mmdet's test pipelines load them last, for the metrics).

    Raises:
        ValueError: The data set reads no COCO annotations, or several data sets are joined.
    """
    settings = deepcopy(cfg.train_dataloader.dataset)
    while 'dataset' in settings:  # repeated, or of several images
        settings = settings.dataset
    kind = str(settings.get('type')).rpartition('.')[2]
    if kind not in ('CocoDataset', 'PseudoBoxCocoDataset'):
        raise ValueError(
            f'the training data must be a CocoDataset or PseudoBoxCocoDataset, got {kind}'
        )
    tested = cfg.test_dataloader.dataset.pipeline
    load, *rest = [step for step in tested if step['type'] != 'LoadAnnotations']
    annotations = dict(type='LoadAnnotations', with_bbox=True)
    packed = dict(type='PackDetInputs')
    settings.pipeline = [load, annotations, *rest[:-1], packed]
    settings.filter_cfg = dict(filter_empty_gt=False)
    settings.test_mode = False
    return settings


@torch.no_grad()
def losses_of_images(model: BaseModel, settings: ConfigDict, seed: int = 0) -> Iterator[tuple]:
    """The loss of each image: the sum of all terms that the detector is trained with.

    As in training, but for BatchNorm and dropout, which are those of tests. What is drawn at random
    (anchors and RoIs of a loss) is the same in every run.

    Args:
        model: A detector of mmdet, trained on these boxes.
        settings: See :func:`labelled_dataset`.
        seed: Of the draws in each image. Default 0.

    Yields:
        tuple[int, float]: Id of the image in the annotations, and its loss; infinite for an image
            without boxes.

    Raises:
        ValueError: A loss is not finite.
    """
    dataset = DATASETS.build(settings)
    model.train()
    for module in model.modules():
        if isinstance(module, (_BatchNorm, _DropoutNd)):
            module.eval()
    for number in range(len(dataset)):
        info = dataset.get_data_info(number)
        if not any(not item['ignore_flag'] for item in info['instances']):
            yield info['img_id'], math.inf
            continue
        torch.manual_seed(seed)
        batch = model.data_preprocessor(pseudo_collate([dataset[number]]), True)
        total = float(model.parse_losses(model(**batch, mode='loss'))[0])
        if not math.isfinite(total):
            raise ValueError(f'{info["img_path"]}: the loss is {total}')
        yield info['img_id'], total


def smallest(losses: dict[int, float], share: float) -> list[int]:
    """Ids of the images of smallest loss, in their own order.

    Sui et al., "Salvage of Supervision in Weakly Supervised Object Detection" (SoS-WSOD, CVPR
    2022): a detector learns what the boxes agree on before it learns their errors by heart, so the
    boxes of images of small loss are taken to be right. The loss is the plain sum over RPN and RoI
    head, as in the published code: mmdet's terms are means over anchors and RoIs already.

    Args:
        losses: Loss of each image; infinite ones are never taken.
        share: Of all images, in (0, 1), rounded; at least one. Published for VOC 2007: 2,000 of
            5,011.

    Raises:
        ValueError: ``share`` is out of range, or there are fewer finite losses.

    Example:
        >>> smallest({7: 0.3, 8: 0.1, 9: 0.2, 10: 0.4}, share=0.5)
        [8, 9]
    """
    if not 0 < share < 1:
        raise ValueError(f'share must be in (0, 1), got {share}')
    count = max(1, round(share * len(losses)))
    finite = sum(math.isfinite(loss) for loss in losses.values())
    if not losses or count > finite or count == len(losses):
        raise ValueError(
            f'share {share} of {len(losses)} images are {count}, but {finite} have boxes and some '
            'must be left'
        )
    chosen = set(sorted(losses, key=lambda image: (losses[image], image))[:count])
    return [image for image in losses if image in chosen]
