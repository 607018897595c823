"""``type='wsl_plugins.X'`` from the default scopes of the hosts, with no ``custom_imports``.

Each case is a fresh process that imports one host and not this package.
"""

import os
import subprocess
import sys
import zipfile

import pytest
from mmengine.registry import MODELS

import wsl_plugins

WHEEL = os.environ.get('WSL_PLUGINS_MMCV_WHEEL')
HEAD = "dict(type='wsl_plugins.WSDDNHead', in_channels=8, num_classes=3)"
BUILD = """
import sys
{imports}
from {host}.registry import MODELS
assert 'wsl_plugins' not in sys.modules
head = MODELS.build({head})
print(type(head).__module__, head.fc_cls)
"""
SCOPED = """
import sys
import {host}
from mmengine.registry import MODELS, init_default_scope
init_default_scope({host!r})
assert 'wsl_plugins' not in sys.modules
head = MODELS.build({head})
print(type(head).__module__, head.fc_cls)
"""
EXPECTED = (
    'wsl_plugins.models.mil_heads.wsddn_head Linear(in_features=8, out_features=3, bias=True)'
)


def _run(code: str, site: str | None = None) -> str:
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    if site is not None:
        env['PYTHONPATH'] = site
    done = subprocess.run(
        [sys.executable, '-c', code], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> str | None:
    """Folder to put before site-packages, with compiled mmcv; None if the installed one will do.

    mmdet's own models do not import beside an mmcv without compiled operators.
    """
    if not wsl_plugins.ops.is_stand_in():
        return None
    if WHEEL is None:
        pytest.skip('mmdet alone needs compiled mmcv: WSL_PLUGINS_MMCV_WHEEL is not set')
    folder = tmp_path_factory.mktemp('site')
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(folder)
    return str(folder)


@pytest.mark.parametrize('code', [BUILD, SCOPED], ids=['registry', 'default_scope'])
def test_model_from_mmdet(code, site):
    code = code.format(imports='import mmdet', host='mmdet', head=HEAD)
    assert _run(code, site) == EXPECTED


@pytest.mark.parametrize('code', [BUILD, SCOPED], ids=['registry', 'default_scope'])
def test_model_from_mmpretrain(code):
    code = code.format(imports='import mmpretrain', host='mmpretrain', head=HEAD)
    assert _run(code) == EXPECTED


@pytest.mark.parametrize('host', ['mmdet', 'mmpretrain'])
def test_other_kinds(host):
    """These registries of mmdet need no operators: they work beside any mmcv."""
    code = (
        f'import sys\nfrom {host} import registry\n'
        "assert 'wsl_plugins' not in sys.modules\n"
        "print(registry.DATASETS.get('wsl_plugins.WSODVOCDataset').__name__,"
        "registry.TRANSFORMS.get('wsl_plugins.PackWSODInputs').__name__,"
        "registry.METRICS.get('wsl_plugins.CorLocMetric').__name__)"
    )
    assert _run(code) == 'WSODVOCDataset PackWSODInputs CorLocMetric'


def test_mmdet_models_after_this_package():
    """Without compiled operators: import this package, then everything of mmdet works by name."""
    code = 'import wsl_plugins\n' + BUILD.format(imports='', host='mmdet', head=HEAD).replace(
        "assert 'wsl_plugins' not in sys.modules", "assert MODELS.get('FasterRCNN') is not None"
    )
    assert _run(code) == EXPECTED


def test_unknown_name_is_reported():
    with pytest.raises(KeyError, match='wsl_plugins.NoSuchHead is not in'):
        MODELS.build(dict(type='wsl_plugins.NoSuchHead'))
