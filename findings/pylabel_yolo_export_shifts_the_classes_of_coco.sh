#!/usr/bin/env bash
# pylabel's ExportToYoloV5 writes the category ids of the data set into the label files and a plain
# list of names into dataset.yaml, whose first name belongs to 0. Ids of COCO begin at 1, so every
# object gets the name of the next class, and those of the last one a number that no name has. With
# cat_id_index=0, which is not the default, numbers and names agree.
#
# What one expects: numbers that count the names.
# Who meets it: everyone who takes COCO annotations through pylabel to YOLO: ants are bees. Where
# labels of the last class are missing from a part of the data, nothing is out of range in it.
#
# Seen on 2026-12-01 with Python 3.11, pylabel 0.1.55, pandas 2.3.3; a.jpg: an ant, b.jpg: a bee
#   as it is: names ['ant', 'bee'], a.txt 1 (bee), b.txt 2 (no name)
#   cat_id_index=0: names ['ant', 'bee'], a.txt 0 (ant), b.txt 1 (bee)
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
import yaml

warnings.simplefilter('ignore')
from pylabel import importer  # noqa: E402

folder = Path(sys.argv[1])
NAMES = 'ant', 'bee'


def export(cat_id_index):
    """Names of the classes, and the number of the class of each image."""
    data = importer.ImportCoco(str(folder / 'in.json'), path_to_images='', name='data')
    out = folder / f'yolo_{cat_id_index}' / 'labels'
    data.export.ExportToYoloV5(output_path=str(out), cat_id_index=cat_id_index)
    names = yaml.safe_load((out.parent / 'dataset.yaml').read_text())['names']
    return names, {path.name: int(path.read_text().split()[0]) for path in sorted(out.glob('*.txt'))}


print('Python', sys.version.split()[0], 'pylabel', version('pylabel'), 'pandas', pd.__version__)
content = dict(
    images=[dict(id=i, file_name=f'{name}.jpg', width=100, height=80) for i, name in enumerate('ab', 1)],
    categories=[dict(id=i, name=name) for i, name in enumerate(NAMES, 1)],
    annotations=[
        dict(id=i, image_id=i, category_id=i, bbox=[10, 10, 20, 30], area=600, iscrowd=0)
        for i in (1, 2)
    ],
)
(folder / 'in.json').write_text(json.dumps(content))
found = {}
for label, cat_id_index in (('as it is', None), ('cat_id_index=0', 0)):
    names, numbers = found[label] = export(cat_id_index)
    said = [
        f'{file} {number} ({names[number] if number < len(names) else "no name"})'
        for file, number in numbers.items()
    ]
    print(f'{label}: names {names},', ', '.join(said))
assert all(names == list(NAMES) for names, _ in found.values()), 'it has changed'
assert found['as it is'][1] == {'a.txt': 1, 'b.txt': 2}, 'it has changed'
assert found['cat_id_index=0'][1] == {'a.txt': 0, 'b.txt': 1}, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py" "$folder" 2> "$folder/progress" || {
    cat "$folder/progress" >&2
    exit 1
}
