#!/usr/bin/env bash
# A metric that is a whole number (a count: Python's int) is printed by a test of mmengine's Runner
# and is `null` in WORK_DIR/TIMESTAMP/TIMESTAMP.json, the file of the test's metrics. The history of
# values keeps it as numpy.int64; LoggerHook takes int and float for numbers, which numpy.float64 is
# and numpy.int64 is not, and writes null for all that it does not know.
#
# What one expects: the number. A validation of the same metric writes it into scalars.json.
# Who meets it: anyone who counts something in a metric (images, objects, failures) and reads the
# file; nothing says that the value is missing, and a table has an empty column.
#
# Seen on 2026-12-01 with Python 3.11.7, torch 2.11.0, numpy 2.2.6:
#   onedl-mmengine 0.10.12, printed: images: 5 images_as_float: 5.0000
#   onedl-mmengine 0.10.12, JSON of a test: {'images': None, 'images_as_float': 5.0}
#   onedl-mmengine 0.10.12, scalars.json of a validation: {'images': 5, 'images_as_float': 5.0}
#   mmengine 0.10.7: the same three lines
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return {'images': len(results), 'images_as_float': float(len(results))}


class Nothing(BaseModel):
    def forward(self, inputs, mode='tensor'):
        return [{'image': int(number)} for number in inputs]


folder, package = Path(sys.argv[1]), sys.argv[2]
name = f'{package} {version(package)}'
print('Python', sys.version.split()[0], 'torch', torch.__version__, 'numpy', numpy.__version__)
numbers = [{'inputs': number} for number in range(5)]
loader = dict(batch_size=1, dataset=numbers, sampler=dict(type='DefaultSampler', shuffle=False))


def run(mode):
    kwargs = {f'{mode}_dataloader': loader, f'{mode}_cfg': dict(), f'{mode}_evaluator': [Count()]}
    runner = Runner(Nothing(), str(folder / mode), experiment_name=mode, **kwargs)
    getattr(runner, mode)()
    return Path(runner.log_dir)


log_dir = run('test')
(printed,) = [line for line in (log_dir / f'{log_dir.name}.log').read_text().splitlines()
              if 'Epoch(test)' in line]
print(f'{name}, printed:', *printed.split('Epoch(test) [5/5]')[1].split()[:4])
tested = json.loads((log_dir / f'{log_dir.name}.json').read_text())
print(f'{name}, JSON of a test:', {key: tested[key] for key in tested if 'image' in key})
validated = json.loads((run('val') / 'vis_data' / 'scalars.json').read_text())
print(f'{name}, scalars.json of a validation:',
      {key: validated[key] for key in validated if 'image' in key})
if tested['images'] is not None:
    sys.exit('mmengine has changed')
PYTHON
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }
pip install torch==2.11.0 numpy==2.2.6
for package in onedl-mmengine==0.10.12 mmengine==0.10.7; do
    pip install "$package"
    pip uninstall --yes opencv-python
    pip install --force-reinstall --no-deps opencv-python-headless==4.12.0.88
    mkdir "$folder/$package"
    OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/case.py" "$folder/$package" "${package%==*}" 2>"$folder/errors" |
        grep -E "^(Python|$package|${package%==*})" || { cat "$folder/errors"; exit 1; }
    pip uninstall --yes "${package%==*}"
done
