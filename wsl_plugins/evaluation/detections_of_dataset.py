"""Objects of a data set beside detections in its images: for error modes and reports."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from wsl_plugins.config_names import find_config
from wsl_plugins.config_options import merge_options
from wsl_plugins.files.formats.detection_files import DetectedImage
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.names import image_id_of
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.proposals.statistics import corloc_of_guesses, recall


class ImageObjects(NamedTuple):
    """Objects of an image.

    Attributes:
        path (str): The image file.
        boxes (np.ndarray): (M, 4) float64 xyxy pixels of the image file, exclusive ends.
        labels (np.ndarray): (M,) int64 class of each object.
    """

    path: str
    boxes: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, path: str, rows: list[tuple]) -> 'ImageObjects':
        """From pairs of a box and its class."""
        boxes = np.array([box for box, _ in rows], np.float64).reshape(-1, 4)
        return cls(path, boxes, np.array([label for _, label in rows], np.int64))


def objects_of_config(
    config: str | os.PathLike,
    data_root: str | None = None,
    use_difficult: bool = False,
    cfg_options: dict[str, Any] | None = None,
) -> tuple[dict[str, ImageObjects], list[str]]:
    """Objects of every image of a config's test data set, and the names of the classes.

    Args:
        config (str | PathLike): The config.
        data_root (str, optional): Folder of the images; an image's id is its path below it.
            Defaults to None: the file name.
        use_difficult (bool): Whether objects marked difficult (VOC) or crowd (COCO) count. Defaults
            to False: they are absent.
        cfg_options (dict, optional): Changes of the config, as in ``tools/test.py``.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: Two images have one id, the data set has no boxes, or an option does not fit.

    Example:
        >>> objects, classes = objects_of_config('configs/oicr/oicr_demo.py')
    """
    cfg = Config.fromfile(find_config(config))
    merge_options(cfg, cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    settings = cfg.test_dataloader.dataset
    settings.pipeline = []
    settings.pop('proposal_file', None)
    dataset = DATASETS.build(settings)
    objects: dict[str, ImageObjects] = {}
    for number in range(len(dataset)):
        info = dataset.get_data_info(number)
        if 'instances' not in info:
            raise ValueError(f'{config}: the test data set has no boxes of objects')
        image_id = image_id_of(info['img_path'], data_root)
        if image_id in objects:
            raise ValueError(f'{config}: two images are {image_id!r} (give --data-root)')
        rows = [
            (item['bbox'], item['bbox_label'])
            for item in info['instances']
            if use_difficult or not item.get('ignore_flag', 0)
        ]
        objects[image_id] = ImageObjects.of(info['img_path'], rows)
    return objects, list(dataset.metainfo['classes'])


def guesses_of_config(config: str | os.PathLike) -> dict[str, float] | None:
    """What the proposals of a config's test data set are worth, without any detector.

    Args:
        config (str | PathLike): The config, whose test data set has boxes of objects.

    Returns:
        dict[str, float] | None: In [0, 1] ``recall@0.5`` and ``recall@0.7`` of the proposals, and
            CorLoc of a ``random`` and of the ``largest`` one
            (:func:`wsl_plugins.proposals.statistics.corloc_of_guesses`); None if the data set has
            no proposals, or no objects.

    Example:
        >>> list(guesses_of_config('configs/oicr/oicr_demo.py'))
        ['recall@0.5', 'recall@0.7', 'random', 'largest']
    """
    cfg = Config.fromfile(find_config(config))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    settings = cfg.test_dataloader.dataset
    settings.pipeline = []
    if not settings.get('proposal_file'):
        return None
    dataset = DATASETS.build(settings)
    names = dataset.metainfo['classes']
    boxes, objects = {}, {}
    for number in range(len(dataset)):
        info = dataset.get_data_info(number)
        items = [item for item in info['instances'] if not item.get('ignore_flag', 0)]
        if items and 'proposals' in info:
            own = np.array([item['bbox'] for item in items], np.float32).reshape(-1, 4)
            boxes[str(number)] = info['proposals']['bboxes']
            objects[str(number)] = Objects(own, [names[item['bbox_label']] for item in items])
    if not objects:
        return None
    proposals = ProposalFile.from_images(boxes)
    found = recall(proposals, {image_id: image.boxes for image_id, image in objects.items()})
    shares = {f'recall@{threshold}': share for threshold, share in found.items()}
    return shares | corloc_of_guesses(proposals, objects)


def check_detections(
    found: Mapping[str, DetectedImage],
    objects: Mapping[str, ImageObjects],
    num_classes: int,
    results: str | os.PathLike,
    source: str | os.PathLike,
) -> None:
    """Raise unless detections and objects are of the same images and classes.

    Args:
        found (Mapping): Detections of each image.
        objects (Mapping): Objects of each image.
        num_classes (int): Classes of the objects.
        results (str | PathLike): File of the detections, for the message.
        source (str | PathLike): File that names the objects, for the message.

    Raises:
        ValueError: An image is missing on a side; a detection is not finite, or of a class that
            does not exist.
    """
    for lacking, file, other in (
        (objects.keys() - found.keys(), results, source),
        (found.keys() - objects.keys(), source, results),
    ):
        if lacking:
            raise ValueError(
                f'{file} lacks {len(lacking)} images of {other}, such as {min(lacking)!r}'
            )
    for image_id, image in found.items():
        if not (np.isfinite(image.boxes).all() and np.isfinite(image.scores).all()):
            raise ValueError(f'{results}: image {image_id!r}: a detection is not finite')
        unknown = image.classes[(image.classes < 0) | (image.classes >= num_classes)]
        if len(unknown):
            raise ValueError(
                f'{results}: image {image_id!r} has a box of class {unknown[0]}, but there are '
                f'{num_classes} classes'
            )
