"""Label Studio's tasks: boxes go out as predictions, and come back as annotations.

A result is ``x y width height`` in percent of its image.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree

from wsl_plugins.files.formats.coco_rows import LARGEST
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.tool_boxes import ToolBox, ToolBoxes, ToolImage, classes_in
from wsl_plugins.files.text import file_errors, read_json, short
from wsl_plugins.files.writing import write_json

URL = '/data/local-files/?d='
"""Where Label Studio serves files of its own machine from."""
SIDES = ('x', 'y', 'width', 'height')
UNSEEN = 'tasks without an annotation: their predictions'
CANCELLED = 'annotations that were cancelled'
SEVERAL = 'annotations of tasks with several: the last one is taken'


def write_label_studio(
    folder: Path, pseudo: PseudoBoxFile, url: str, doubts: Mapping[str, float]
) -> None:
    """Write ``tasks.json`` and ``labels.xml``, the labelling interface, into a new folder.

    Boxes of corrected images are annotations, those of others predictions.

    Args:
        folder: It.
        pseudo: Images, in the order in which they should be looked at.
        url: What stands before the path of an image.
        doubts: Of images, shown beside them; may be empty.
    """
    tasks = []
    for image_id, size in pseudo.sizes.items():
        rows = zip(
            *(part[image_id].tolist() for part in (pseudo.boxes, pseudo.labels, pseudo.scores)),
            strict=True,
        )
        results = [
            _result(number, pseudo.classes[label], box, score, size)
            for number, (box, label, score) in enumerate(rows)
        ]
        data = dict(image=url + quote(image_id), file_name=image_id, width=size[0], height=size[1])
        if image_id in doubts:
            data['doubt'] = doubts[image_id]
        if image_id in pseudo.corrected:
            tasks.append(dict(data=data, annotations=[dict(result=results)]))
        else:
            tasks.append(dict(data=data, predictions=[_prediction(results)]))
    write_json(folder / 'tasks.json', tasks, indent=None)
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', dict(name='image', value='$image', zoom='true'))
    labels = ElementTree.SubElement(view, 'RectangleLabels', dict(name='label', toName='image'))
    for _, name in sorted(pseudo.classes.items()):
        ElementTree.SubElement(labels, 'Label', dict(value=name))
    ElementTree.indent(view)
    (folder / 'labels.xml').write_text(ElementTree.tostring(view, 'unicode') + '\n', 'utf-8')


def _prediction(results: list[dict]) -> dict:
    prediction = dict(model_version='wsl_plugins', result=results)
    scores = [result['score'] for result in results if 'score' in result]
    return prediction | dict(score=min(scores)) if scores else prediction


def _result(
    number: int, name: str, box: list[float], score: float, size: tuple[int, int]
) -> dict[str, Any]:
    (x1, y1, x2, y2), (width, height) = box, size
    sides = (x1 / width, y1 / height, (x2 - x1) / width, (y2 - y1) / height)
    value = dict(zip(SIDES, (100 * side for side in sides), strict=True))
    result = dict(
        id=f'box{number}',
        type='rectanglelabels',
        from_name='label',
        to_name='image',
        original_width=width,
        original_height=height,
        image_rotation=0,
        value=value | dict(rotation=0, rectanglelabels=[name]),
    )
    return result if math.isnan(score) else result | dict(score=score)


def read_label_studio(path: str | os.PathLike) -> ToolBoxes:
    """Tasks of an export as JSON, or those that :func:`write_label_studio` wrote.

    The last annotation of a task that was not cancelled counts: its image is corrected. A task
    without gives the boxes of its last prediction. The image is ``file_name`` of the task's
    data, else the path in ``image``, or in the only text that is there. Results that are no boxes
    are counted and left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, or a box is rotated.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not tasks:
        raise ValueError(f'{path}: needs a list of tasks, got {short(tasks)}')
    left_out: Counter[str] = Counter()
    with file_errors(path, 'tasks of Label Studio'):
        images = [_image(task, f'task {n}', left_out) for n, task in enumerate(tasks, 1)]
    return ToolBoxes(images, classes_in(images), left_out, looked_at=True, scaled=True)


def _image(task: Any, where: str, left_out: Counter[str]) -> ToolImage:
    if not isinstance(task, dict) or not isinstance(task.get('data'), dict):
        raise ValueError(
            f'{where} has no data: export as "JSON", not as "JSON-MIN" (COCO results need --ann)'
        )
    data = task['data']
    annotations, predictions = (task.get(key) or [] for key in ('annotations', 'predictions'))
    done = [item for item in annotations if not item.get('was_cancelled')]
    left_out.update({CANCELLED: len(annotations) - len(done), SEVERAL: max(len(done) - 1, 0)})
    left_out.update({UNSEEN: not done})
    name = _name(data, where)
    chosen = (done or predictions or [{}])[-1]
    results = chosen.get('result') or []
    size = _size([data.get(key) for key in ('width', 'height')], where)
    boxes: list = []
    for result in results:
        kind = result['type']
        if kind not in ('rectanglelabels', 'rectangle'):
            left_out[f'results of type {short(kind)}, no boxes'] += 1
            continue
        which = f'{where} ({short(name)}), box {len(boxes) + 1}'
        own = _size([result.get(f'original_{key}') for key in ('width', 'height')], which)
        if own is None or size not in (None, own):
            raise ValueError(
                f'{which}: original_width and original_height must be those of the image '
                f'({size or "whole numbers"}), got {own}'
            )
        size = own
        boxes.append(_box(result, which, own))
    return ToolImage(name, size, boxes, bool(done))


def _box(result: dict, which: str, size: tuple[int, int]) -> ToolBox:
    value = result['value']
    if value.get('rotation') or result.get('image_rotation'):
        raise ValueError(f'{which} is rotated: upright boxes only')
    names = value.get('rectanglelabels')
    if not (isinstance(names, list) and len(names) == 1 and isinstance(names[0], str)):
        raise ValueError(f'{which} needs one label, got {short(names)}')
    x, y, w, h = (_number(value[side], f'{which}: {side}') / 100 for side in SIDES)
    score = result.get('score')
    return ToolBox(
        which,
        names[0].strip(),
        (x * size[0], y * size[1], (x + w) * size[0], (y + h) * size[1]),
        math.nan if score is None else _number(score, f'{which}: score'),
    )


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not abs(value) < LARGEST:
        raise ValueError(f'{what} must be a number, got {short(value)}')
    return float(value)


def _size(sides: list, where: str) -> tuple[int, int] | None:
    """(width, height); None if one is missing."""
    if None in sides:
        return None
    for side in sides:
        if type(side) is not int or not 0 < side < LARGEST:
            raise ValueError(f'{where}: width and height must be whole numbers, got {short(sides)}')
    return sides[0], sides[1]


def _name(data: dict, where: str) -> str:
    """Path of a task's image."""
    texts = [value for value in data.values() if isinstance(value, str)]
    text = data.get('file_name', data.get('image', texts[0] if len(texts) == 1 else None))
    if not isinstance(text, str):
        raise ValueError(f'{where}: data.image must be a text, got {short(text)}')
    if 'file_name' in data:
        return text
    parts = urlsplit(text)
    path = parse_qs(parts.query).get('d', [unquote(parts.path)])[0].lstrip('/')
    return re.sub('^data/upload/(?:[^/]+/)*[0-9a-f]{8}-', '', path)  # its own names of uploads
