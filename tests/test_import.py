"""``import wsl_plugins`` beside stacks that lack something: one message with one command.

The stacks are folders with distribution metadata and empty modules, the only things on the path
of a subprocess that runs without the real site-packages.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import packaging
import pytest

from wsl_plugins.stack import OPENMMLAB, TORCH

ROOT = Path(__file__).parents[1]
ONEDL = {
    'torch': '2.11.0+cpu',
    'torchvision': '0.26.0+cpu',
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
    'onedl-mmdetection': '3.5.1',
    'onedl-mmpretrain': '1.3.6',
}
ORIGINAL = {
    'torch': '2.1.0',
    'torchvision': '0.16.0',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmdet': '3.3.0',
}


NEEDS_TORCH = {'0.26.0+cpu': '==2.11.0', '0.16.0': '==2.1.0', '0.29.2': '>=2.14'}


def _check(
    site: Path, distributions: dict[str, str], modules_too: tuple[str, ...] = ('pkg_resources',)
) -> subprocess.CompletedProcess:
    """Fills ``site`` with the distributions and calls the check beside nothing else."""
    modules = {name: need.module for need in TORCH + OPENMMLAB for name in need.distributions}
    for name, version in distributions.items():
        info = site / f'{name.replace("-", "_")}-{version}.dist-info'
        info.mkdir(parents=True)
        lines = ['Metadata-Version: 2.1', f'Name: {name}', f'Version: {version}']
        if name == 'torchvision':
            lines += ['Requires-Dist: numpy', 'Requires-Dist: torch==1.0; extra == "other"']
            lines += [f'Requires-Dist: torch{NEEDS_TORCH.get(version, "")}']
        (info / 'METADATA').write_text('\n'.join([*lines, '']))
        modules_too += (modules.get(name, name),)
    for name in modules_too:
        (site / f'{name}.py').write_text('raise RuntimeError("the check imports nothing")')
    (site / 'packaging').symlink_to(Path(packaging.__file__).parent)
    code = (
        f'import sys; sys.path[:0] = [{str(site)!r}, {str(ROOT)!r}]\n'
        'from importlib import util\n'
        f'spec = util.spec_from_file_location("stack", {str(ROOT / "wsl_plugins/stack.py")!r})\n'
        'stack = util.module_from_spec(spec); sys.modules["stack"] = stack\n'
        'spec.loader.exec_module(stack); stack.check()'
    )
    # -S: without site-packages, -I: without PYTHONPATH
    command = [sys.executable, '-I', '-S', '-c', code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def _command(done: subprocess.CompletedProcess) -> str:
    assert done.returncode != 0
    assert done.stderr.count('ImportError: wsl_plugins cannot run in this environment:') == 1
    return done.stderr.split('This mends it:\n')[1].strip()


@pytest.mark.parametrize('stack', [ONEDL, ORIGINAL], ids=['onedl', 'original'])
def test_both_sets_of_distributions_count(tmp_path, stack):
    done = _check(tmp_path, stack)
    assert done.returncode == 0, done.stderr


def test_mmpretrain_may_be_absent(tmp_path):
    done = _check(tmp_path, {k: v for k, v in ONEDL.items() if k != 'onedl-mmpretrain'})
    assert done.returncode == 0, done.stderr


def test_module_without_metadata_counts(tmp_path):
    (tmp_path / 'mmdet.py').touch()
    done = _check(tmp_path, {k: v for k, v in ONEDL.items() if k != 'onedl-mmdetection'})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('missing', [k for k in ONEDL if k != 'onedl-mmpretrain'])
def test_missing_distribution(tmp_path, missing):
    done = _check(tmp_path, {k: v for k, v in ONEDL.items() if k != missing})
    command = _command(done)
    module = missing.removeprefix('onedl-').replace('mmdetection', 'mmdet')
    assert f'- {module} is missing (needs {missing}' in done.stderr
    pin = f'{missing}=={ONEDL[missing].split("+")[0]}'
    assert pin in shlex.split(command)
    assert command.startswith(f'{shlex.quote(sys.executable)} -m pip install ')
    assert 'uninstall' not in command


def test_empty_environment_names_all_in_one_message(tmp_path):
    done = _check(tmp_path, {})
    assert re.findall(r'- (\w+) is missing', done.stderr) == [
        'torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet',
    ]  # fmt: skip
    assert _command(done).split(' install ')[1] == (
        'torch==2.11.0 torchvision==0.26.0 '
        'onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 onedl-mmdetection==3.5.1'
    )


def test_torchvision_of_another_torch(tmp_path):
    done = _check(tmp_path, {**ONEDL, 'torch': '2.12.0'})
    assert (
        'torchvision 0.26.0+cpu does not fit torch 2.12.0 (it needs torch ==2.11.0)' in done.stderr
    )
    assert _command(done).endswith('-m pip install torch==2.11.0 torchvision==0.26.0')


@pytest.mark.parametrize(
    ('torch', 'torchvision', 'fits'),
    [
        ('2.11.1', '0.26.0+cpu', True),  # binaries of patch releases fit each other
        ('2.15.0', '0.29.2', True),  # from 0.29.1 on torchvision takes newer ones, too
        ('2.14.0.dev20260801+cpu', '0.29.2', False),
        ('2.16.0.dev20260801+cpu', '0.29.2', True),
        ('2.13.0', '0.29.2', False),
        ('2.12.0', '0.27.0', True),  # as conda writes it: any
    ],
)
def test_torchvision_tells_what_it_fits(tmp_path, torch, torchvision, fits):
    done = _check(tmp_path, {**ONEDL, 'torch': torch, 'torchvision': torchvision})
    assert (done.returncode == 0) is fits, done.stderr
    assert ('does not fit torch' in done.stderr) is not fits


def test_newer_than_tested_is_a_warning(tmp_path):
    newest = {**ONEDL, 'torch': '3.0.0', 'torchvision': '1.0.0', 'onedl-mmengine': '1.0.1'}
    done = _check(tmp_path, newest)
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if 'UserWarning' in line]
    assert 'not tested with torch 3.0.0 (' in line and ', onedl-mmengine 1.0.1 (0.10.' in line
    assert 'mmcv' not in line
    done = _check(tmp_path / 'tested', ONEDL)
    assert not done.stderr


def test_original_mmengine_without_pkg_resources(tmp_path):
    done = _check(tmp_path, ORIGINAL, modules_too=())
    assert '- mmengine 0.10.7 needs pkg_resources, which setuptools<81 brings' in done.stderr
    assert _command(done).endswith(" -m pip install 'setuptools<81'")
    done = _check(tmp_path / 'onedl', ONEDL, modules_too=())
    assert done.returncode == 0
    done = _check(tmp_path / 'torch', {**ORIGINAL, 'torch': '2.0.1'}, modules_too=())
    assert _command(done).endswith("torch==2.11.0 torchvision==0.26.0 'setuptools<81'")
    done = _check(tmp_path / 'replaced', {**ORIGINAL, 'mmcv': '1.7.1'}, modules_too=())
    assert 'pkg_resources' in done.stderr and 'setuptools' not in _command(done)


@pytest.mark.parametrize(
    ('stack', 'mmpretrain', 'transformers', 'cure'),
    [
        (ONEDL, {}, '5.24.0', '4.57.6'),
        (ONEDL, {}, '4.57.6', None),
        (ONEDL, {'onedl-mmpretrain': '1.4.0'}, '5.24.0', None),  # never tested
        (ORIGINAL, {'mmpretrain': '1.2.0'}, '4.52.4', '4.51.3'),
        (ORIGINAL, {'mmpretrain': '1.2.0'}, '4.51.3', None),
        (ORIGINAL, {}, '5.24.0', None),  # without mmpretrain
        ({**ORIGINAL, 'mmcv': '1.7.1'}, {'mmpretrain': '1.2.0'}, '5.24.0', '4.57.6'),
    ],
)
def test_transformers_that_keep_mmpretrain_from_being_imported(
    tmp_path, stack, mmpretrain, transformers, cure
):
    stack = {**stack, **mmpretrain, 'transformers': transformers}
    done = _check(tmp_path, {**stack, 'pycocotools': '2.0.11'})
    if cure is None:
        assert done.returncode == 0, done.stderr
        return
    assert f'cannot be imported beside transformers {transformers} (needs' in done.stderr
    assert shlex.split(_command(done))[-1] == f'transformers=={cure}'
    done = _check(tmp_path / 'without', stack)  # pycocotools: mmpretrain does not ask
    assert 'transformers' not in done.stderr


@pytest.mark.parametrize(
    ('name', 'version'),
    [('torch', '2.0.1'), ('onedl-mmengine', '0.9.1'), ('onedl-mmpretrain', '1.1.1')],
)
def test_incompatible_version(tmp_path, name, version):
    done = _check(tmp_path, {**ONEDL, name: version})
    assert f'- {name} {version} is incompatible (needs {name} ' in done.stderr
    assert f'{name}=={ONEDL[name].split("+")[0]}' in _command(done)


def test_old_original_set_is_replaced_as_a_whole(tmp_path):
    done = _check(tmp_path, {**ORIGINAL, 'mmcv': '1.7.1'})
    assert '- mmcv 1.7.1 is incompatible' in done.stderr
    remove, install = _command(done).split(' && ')
    assert remove.endswith(' uninstall -y mmengine mmcv mmdet')
    assert install.endswith(
        ' install onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 onedl-mmdetection==3.5.1'
    )


def test_two_sets_in_one_folder(tmp_path):
    done = _check(tmp_path, {**ONEDL, 'mmcv': '2.2.0'})
    assert "onedl-mmcv 2.3.6 and mmcv 2.2.0 are both installed, in one folder 'mmcv'" in done.stderr
    remove = _command(done).split(' && ')[0]
    assert remove.endswith(
        ' uninstall -y onedl-mmengine onedl-mmcv mmcv onedl-mmdetection onedl-mmpretrain'
    )


def test_mmdet_3_3_with_new_mmcv(tmp_path):
    done = _check(tmp_path, {**ORIGINAL, 'mmcv': '2.2.0'})
    assert '- mmdet 3.3.0 needs mmcv <2.2, mmcv 2.2.0 is installed' in done.stderr
    _command(done)


def test_package_import_runs_the_check(tmp_path):
    """The package itself, beside an empty environment: the message, before any other failure."""
    code = f'import sys; sys.path.insert(0, {str(ROOT)!r}); import wsl_plugins'
    command = [sys.executable, '-I', '-S', '-c', code]
    _command(subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60))


def test_detectors_work_without_mmpretrain():
    """Every registry is filled; only what localizers need is not there."""
    code = """
import sys
sys.modules['mmpretrain'] = None
import wsl_plugins
from wsl_plugins.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
names = ['WSODRoIHead', 'DilatedVGG', 'ADL', 'LocalizerResNet', 'CAMHead']
print([MODELS.get(name) is not None for name in names])
print([DATASETS.get(name) is not None for name in ('WSODVOCDataset', 'WSOLDataset')])
print([TRANSFORMS.get(name) is not None for name in ('PackWSODInputs', 'PackWSOLInputs')])
print(METRICS.get('CorLocMetric').__name__, HOOKS.get('SequentialBatchHook').__name__)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    lines = [line for line in done.stdout.splitlines() if 'OneDL' not in line]
    assert lines == [
        '[True, True, True, False, False]',
        '[True, False]',
        '[True, False]',
        'CorLocMetric SequentialBatchHook',
    ], done.stderr


def test_package_import_does_not_import_mmdet():
    code = (
        'import sys, wsl_plugins; print([m for m in ("mmdet", "mmpretrain") if m in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == '[]', done.stderr


def test_requirement_files_pin_what_the_check_recommends():
    pins = {}
    for name in ('torch', 'mmstack'):
        for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
            if '==' in line:
                pins.update([line.split('==')])
    for need in TORCH + OPENMMLAB:
        assert pins[need.distributions[0]] == need.pinned
