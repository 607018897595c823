"""The configuration in the README trains a step inside one of mmdet's own configs."""

import re
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdet.registry import MODELS

ROOT = Path(__file__).parents[1]
FAST_RCNN = 'mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'


def test_mixing_into_fast_rcnn(tmp_path, make_batch):
    (block,) = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    path = tmp_path / 'config.py'
    path.write_text(block.replace('my_fast_rcnn.py', FAST_RCNN))
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    init_default_scope('mmengine')
    labels = torch.zeros(2, 20, dtype=torch.long)
    labels[:, 3] = 1
    batch = make_batch([(64, 96), (96, 64)], [6, 9], labels.tolist())
    data = model.train().data_preprocessor(batch, training=True)
    loss, values = model.parse_losses(model.loss(data['inputs'], data['data_samples']))
    loss.backward()
    assert set(values) == {'loss', 'loss_mil', 's0.loss_cls', 's1.loss_cls', 's2.loss_cls'}
    assert model.backbone.layer4[0].conv1.weight.grad.abs().sum() > 0


def test_files_that_documents_name_exist():
    for document in [*ROOT.glob('**/*.md'), *ROOT.glob('tools/*.py')]:
        if '.venv' in document.parts or document.is_relative_to(ROOT / 'data'):
            continue
        text = document.read_text()
        links = re.findall(r'\]\((?!https?:|#)([^)#\s]+)', text)
        links = links if document.suffix == '.md' else []
        commands = re.findall(
            r'(?:python|bash) ((?:tools|configs|projects|benchmarks)/[\w/.-]+)', text
        )
        configs = re.findall(r'(?<![\w/])(configs/[\w/.-]+\.py)', text)
        for target in [document.parent / link for link in links] + [
            ROOT / name for name in commands + configs
        ]:
            assert target.exists(), f'{document}: {target}'
