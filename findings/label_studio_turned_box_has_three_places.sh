#!/usr/bin/env bash
# The converter of label-studio-sdk (what "Export" of Label Studio runs) writes a rectangle that was
# turned on the screen to three places: COCO gets the upright box around it, but turned in percent of
# the picture, which distorts it where the picture is not square; VOC and YOLO get the box as if it
# had not been turned; only YOLO_OBB has its corners.
#
# What one expects: the upright box around the turned one in all of them, or an error.
# Who meets it: everyone who exports labels in which a person has turned a box, by intent or by the
# handle above it: boxes beside their objects, with nothing said.
#
# Seen on 2026-12-01 with Python 3.11, label-studio-sdk 2.1.2; a box of 40 x 20 pixels at (100, 20),
# turned by 90 degrees around that corner, x1, y1, x2, y2 of what contains it; right: 80, 20, 100, 60
#   picture of 200 x 100: COCO (60, 20, 100, 40)
#   picture of 200 x 100: VOC (100, 20, 140, 40)
#   picture of 200 x 100: YOLO (100, 20, 140, 40)
#   picture of 200 x 100: YOLO_OBB (80, 20, 100, 60)
#   picture of 200 x 200: COCO (80, 20, 100, 60)
#   picture of 200 x 200: VOC (100, 20, 140, 40)
#   picture of 200 x 200: YOLO (100, 20, 140, 40)
#   picture of 200 x 200: YOLO_OBB (80, 20, 100, 60)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check label-studio-sdk==2.1.2
cat > "$folder/case.py" <<'PYTHON'
import json
import logging
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

from label_studio_sdk.converter import Converter

INTERFACE = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="cat"/></RectangleLabels></View>'
)
X, Y, WIDTH, HEIGHT = 100, 20, 40, 20


def task(size):
    value = dict(
        x=100 * X / size[0],
        y=100 * Y / size[1],
        width=100 * WIDTH / size[0],
        height=100 * HEIGHT / size[1],
        rotation=90,
        rectanglelabels=['cat'],
    )
    result = dict(
        id='a',
        type='rectanglelabels',
        from_name='label',
        to_name='image',
        original_width=size[0],
        original_height=size[1],
        image_rotation=0,
        value=value,
    )
    annotation = dict(id=1, completed_by=1, result=[result])
    return dict(id=1, data=dict(image='a.jpg'), annotations=[annotation])


def corners(folder, kind, size):
    if kind == 'COCO':
        x, y, w, h = json.loads((folder / 'result.json').read_text())['annotations'][0]['bbox']
        return x, y, x + w, y + h
    if kind == 'VOC':
        box = ET.parse(next(folder.glob('Annotations/*.xml'))).find('object/bndbox')
        return tuple(float(box.find(side).text) for side in ('xmin', 'ymin', 'xmax', 'ymax'))
    numbers = [float(cell) for cell in next(folder.glob('labels/*.txt')).read_text().split()[1:]]
    if kind == 'YOLO':
        x, y, w, h = numbers
        parts = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    else:
        parts = [f(numbers[i::2]) for f in (min, max) for i in (0, 1)]
    return tuple(part * size[i % 2] for i, part in enumerate(parts))


print('Python', sys.version.split()[0], 'label-studio-sdk', version('label-studio-sdk'))
logging.disable()
folder, found = Path(sys.argv[1]), {}
for size in ((200, 100), (200, 200)):
    source = folder / f'{size[1]}.json'
    source.write_text(json.dumps([task(size)]))
    for kind in ('COCO', 'VOC', 'YOLO', 'YOLO_OBB'):
        out = folder / f'{kind}{size[1]}'
        converter = Converter(INTERFACE, str(folder), download_resources=False)
        converter.convert(str(source), str(out), kind, is_dir=False)
        found[kind, size[1]] = tuple(round(value) for value in corners(out, kind, size))
        print('picture of {} x {}: {}'.format(*size, kind), found[kind, size[1]])
right, upright = (80, 20, 100, 60), (100, 20, 140, 40)
assert found['COCO', 100] == (60, 20, 100, 40) and found['COCO', 200] == right, 'it has changed'
for height in (100, 200):
    assert found['YOLO_OBB', height] == right, 'it has changed'
    assert found['VOC', height] == found['YOLO', height] == upright, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py" "$folder"
