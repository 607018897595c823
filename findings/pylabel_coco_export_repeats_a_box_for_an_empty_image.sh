#!/usr/bin/env bash
# pylabel keeps a row for an image without objects, and its ExportToCoco writes the annotation of the
# row before once more for it: an image gets its last box twice, under the same id. Ids begin at 0,
# which is another trap (pycocotools_annotation_id_zero.sh).
#
# What one expects: as many annotations as before.
# Who meets it: data sets with empty images (and nearly all have some) that pass through pylabel: true
# boxes stand there twice, so that no detector can find more than one of each two, and recall falls.
#
# Seen on 2026-12-01 with Python 3.11, pylabel 0.1.55, pandas 2.3.3; a.jpg has two boxes, b.jpg none,
# c.jpg one
#   read: 3 annotations, of images [1, 1, 3]
#   exported: 4 annotations, of images [1, 1, 1, 3], ids [0, 1, 1, 3]
#   exported without b.jpg: 3 annotations, of images [1, 1, 3], ids [0, 1, 2]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pylabel==0.1.55 \
    pandas==2.3.3 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd

warnings.simplefilter('ignore')
from pylabel import importer  # noqa: E402

folder = Path(sys.argv[1])


def image(number, name):
    return dict(id=number, file_name=name, width=100, height=80)


def annotation(number, image_id, x):
    return dict(
        id=number, image_id=image_id, category_id=1, bbox=[x, 10, 20, 30], area=600, iscrowd=0
    )


def export(content):
    (folder / 'in.json').write_text(json.dumps(content))
    data = importer.ImportCoco(str(folder / 'in.json'), path_to_images='', name='data')
    data.export.ExportToCoco(output_path=str(folder / 'out.json'))
    return json.loads((folder / 'out.json').read_text())['annotations']


def images(annotations):
    return [row['image_id'] for row in annotations]


print('Python', sys.version.split()[0], 'pylabel', version('pylabel'), 'pandas', pd.__version__)
content = dict(
    images=[image(1, 'a.jpg'), image(2, 'b.jpg'), image(3, 'c.jpg')],
    categories=[dict(id=1, name='ant')],
    annotations=[annotation(1, 1, 10), annotation(2, 1, 50), annotation(3, 3, 30)],
)
given = content['annotations']
print(f'read: {len(given)} annotations, of images {images(given)}')
found = {}
for label, left_out in (('exported', None), ('exported without b.jpg', 2)):
    part = content | dict(images=[row for row in content['images'] if row['id'] != left_out])
    rows = found[label] = export(part)
    ids = [row['id'] for row in rows]
    print(f'{label}: {len(rows)} annotations, of images {images(rows)}, ids {ids}')
assert images(found['exported']) == [1, 1, 1, 3], 'it has changed'
assert [row['id'] for row in found['exported']] == [0, 1, 1, 3], 'it has changed'
assert found['exported'][1] == found['exported'][2], 'it has changed'
assert images(found['exported without b.jpg']) == [1, 1, 3], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py" "$folder" 2> "$folder/progress" || {
    cat "$folder/progress" >&2
    exit 1
}
