"""Stages of a retraining side by side: their numbers, and what each finds in the same images."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from wsl_plugins.files import read_json
from wsl_plugins.visualization.panels import titled

from .detections import Comparison, Scored, compare, draw
from .logs import read_folders

# column: (name of a metric in the logs, factor)
COLUMNS = {
    'mAP': ('pascal_voc/mAP', 100),
    'COCO mAP': ('coco/bbox_mAP', 100),
    'COCO AP50': ('coco/bbox_mAP_50', 100),
    'CorLoc': ('corloc/mean', 1),
}
ACCURACY = ('boxes', 'precision', 'recall')
"""Of pseudo boxes, as ``tools/make_pseudo_boxes.py --accuracy`` writes them."""


def stage_table(folders: Mapping[str, Path]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: a stage each, with the numbers that it has, in percent.

    Of a training the last validation counts, of mmdet's semi-supervised ones the teacher's.

    Args:
        folders: Name of each stage to its folder: of ``tools/train.py``, ``tools/test.py`` or
            ``tools/make_pseudo_boxes.py --accuracy FOLDER/accuracy.json``.

    Example:
        >>> head, rows = stage_table({'teacher': Path('work_dirs/stages/teacher')})
    """
    found = {name: _numbers(folder) for name, folder in folders.items()}
    columns = [c for c in (*COLUMNS, *ACCURACY) if any(c in own for own in found.values())]
    rows = [[name, *(own.get(column, '') for column in columns)] for name, own in found.items()]
    return ['stage', *columns], rows


def _numbers(folder: Path) -> dict[str, str]:
    """Columns of a stage, as texts."""
    accuracy = folder / 'accuracy.json'
    if accuracy.is_file():
        found = read_json(accuracy)
        shares = {key: f'{100 * found[key]:.1f}' for key in ('precision', 'recall')}
        return dict(boxes=str(found['boxes']), **shares)
    try:
        own = next(own for own in read_folders(folder, []) if own.name == folder.resolve().name)
    except (ValueError, OSError, StopIteration):  # a stage without a run of mmengine's
        return {}
    last = dict(own.val[-1] if own.val else {}) | own.test
    numbers = {}
    for column, (key, factor) in COLUMNS.items():
        value = last.get(key, last.get(f'teacher/{key}'))
        if value is not None:
            numbers[column] = f'{factor * value:.1f}'
    return numbers


def compare_stages(folders: Mapping[str, Path], out: Path, num: int = 12) -> int:
    """Pictures of the images in which the first and the last stage differ most, either way.

    Each shows the objects and, stage by stage, the best box of each class that the image has.

    Args:
        folders: Name of each stage to its folder of ``tools/test.py`` with ``predictions.pkl``, all
            of the same images.
        out: Folder of the pictures, IMAGE.jpg.
        num: Pictures at most. Default 12.

    Returns:
        int: Their number.

    Raises:
        ValueError: The stages are not of the same images and classes.

    Example:
        >>> folders = dict(teacher=Path('work_dirs/a'), semi=Path('work_dirs/b'))  # doctest: +SKIP
        >>> compare_stages(folders, Path('work_dirs/compared'))  # doctest: +SKIP
        12
    """
    stages = {name: _comparison(folder) for name, folder in folders.items()}
    images = {name: {one.path: one for one in own.images} for name, own in stages.items()}
    first, last = (images[name] for name in (next(iter(images)), [*images][-1]))
    for name, own in images.items():
        if own.keys() != first.keys() or stages[name].classes != [*stages.values()][0].classes:
            raise ValueError(f'{folders[name]}: other images or classes than those of other stages')
    gains = {path: last[path].iou - one.iou for path, one in first.items()}
    ranked = sorted(gains, key=lambda path: (-gains[path], path))
    chosen = dict.fromkeys([*ranked[: (num + 1) // 2], *ranked[len(ranked) - num // 2 :]][:num])
    out.mkdir(parents=True, exist_ok=True)
    for path in chosen:
        panels = _panels(path, images, [*stages.values()][0].classes)
        Image.fromarray(panels).save(out / f'{Path(path).stem}.jpg', quality=90)
    return len(chosen)


def _comparison(folder: Path) -> Comparison:
    """Predictions of a test stage beside the objects of the config that it was run with."""
    configs = sorted(folder.glob('*/vis_data/config.py'))
    if not configs:
        raise ValueError(f'{folder}: no run of tools/test.py (*/vis_data/config.py) in it')
    return compare(os.fspath(folder / 'predictions.pkl'), os.fspath(configs[-1]))


def _panels(
    path: str, images: Mapping[str, Mapping[str, Scored]], classes: list[str]
) -> np.ndarray:
    """(H, W, 3) uint8: the objects, then each stage's boxes."""
    panels: list[np.ndarray] = []
    for name, own in images.items():
        pair = draw(own[path], classes)
        truth, top = np.split(pair, 2, axis=1)
        if not panels:
            panels.append(titled('ground truth', truth))
        panels.append(titled(f'{name}: IoU {own[path].iou:.2f}', top))
    return np.concatenate(panels, axis=1)
