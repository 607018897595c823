#!/usr/bin/env bash
# The COCO export of label-studio-sdk's converter (what "Export" of Label Studio runs) has one image
# for each annotation of a task: a picture that two persons labelled stands there twice, under two
# ids. VOC and YOLO write one file, whose second writing replaces the first: they keep the boxes of
# one person. A picture without a box has the width null in COCO, an empty file in YOLO and no file
# in VOC.
#
# What one expects: each picture once, and the same boxes in all exports.
# Who meets it: projects with an overlap of annotators. Split by image ids, as everyone does, COCO
# puts the same picture into training and validation; objects of it count twice, once for each
# person; and numbers of a COCO and a YOLO training of "the same" export are of different boxes.
#
# Seen on 2026-12-01 with Python 3.11, label-studio-sdk 2.1.2; a.jpg: two persons, with one box and
# with two other ones; b.jpg: one person, no box
#   COCO: 3 images of 2 files: a.jpg 200 x 100, a.jpg 200 x 100, b.jpg None x None; 3 boxes
#   VOC: a.xml 2 boxes
#   YOLO: a.txt 2 boxes, b.txt 0 boxes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check label-studio-sdk==2.1.2
cat > "$folder/case.py" <<'PYTHON'
import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path

from label_studio_sdk.converter import Converter

INTERFACE = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="cat"/></RectangleLabels></View>'
)


def box(x):
    value = dict(x=x, y=20, width=10, height=10, rotation=0, rectanglelabels=['cat'])
    return dict(
        id=str(x),
        type='rectanglelabels',
        from_name='label',
        to_name='image',
        original_width=200,
        original_height=100,
        image_rotation=0,
        value=value,
    )


def name(text):
    """Without the folder and the number that the converter puts before it."""
    return text.split('/')[-1].split('__')[-1]


print('Python', sys.version.split()[0], 'label-studio-sdk', version('label-studio-sdk'))
logging.disable()
first = dict(id=1, completed_by=1, result=[box(10)])
second = dict(id=2, completed_by=2, result=[box(50), box(80)])
empty = dict(id=3, completed_by=1, result=[])
tasks = [
    dict(id=1, data=dict(image='a.jpg'), annotations=[first, second]),
    dict(id=2, data=dict(image='b.jpg'), annotations=[empty]),
]
folder = Path(sys.argv[1])
(folder / 'tasks.json').write_text(json.dumps(tasks))
for kind in ('COCO', 'VOC', 'YOLO'):
    converter = Converter(INTERFACE, str(folder), download_resources=False)
    converter.convert(str(folder / 'tasks.json'), str(folder / kind), kind, is_dir=False)

coco = json.loads((folder / 'COCO' / 'result.json').read_text())
images = [f'{name(row["file_name"])} {row["width"]} x {row["height"]}' for row in coco['images']]
files = {row['file_name'] for row in coco['images']}
boxes = len(coco['annotations'])
print(f'COCO: {len(images)} images of {len(files)} files: {", ".join(images)}; {boxes} boxes')
voc = {
    name(path.name): path.read_text().count('<object>')
    for path in (folder / 'VOC' / 'Annotations').glob('*.xml')
}
yolo = {
    name(path.name): len(path.read_text().splitlines())
    for path in (folder / 'YOLO' / 'labels').glob('*.txt')
}
for kind, found in (('VOC', voc), ('YOLO', yolo)):
    print(f'{kind}:', ', '.join(f'{key} {value} boxes' for key, value in sorted(found.items())))
whole = ['a.jpg 200 x 100', 'a.jpg 200 x 100', 'b.jpg None x None']
assert sorted(images) == whole and len(files) == 2 and boxes == 3, 'it has changed'
assert voc == {'a.xml': 2} and yolo == {'a.txt': 2, 'b.txt': 0}, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py" "$folder"
