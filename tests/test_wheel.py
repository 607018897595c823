"""The wheel alone: an environment without this repository, commands in an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import mmdet

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
TRAIN_OF_MMDET = Path(mmdet.__file__).parent / '.mim/tools/train.py'
PIP = (sys.executable, '-m', 'pip', '--disable-pip-version-check')
THREE_LINES = """\
_base_ = 'wsl_plugins::mist/mist_demo{}.py'
train_cfg = dict(max_epochs=1)
train_dataloader = dict(num_workers=0, persistent_workers=False)
"""


def run(*command, cwd, fails=False, **variables):
    """Output of a command that succeeds, or has to fail."""
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
    env |= dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1', PYTHONDONTWRITEBYTECODE='1')
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=env | variables, capture_output=True, text=True
    )
    assert bool(done.returncode) == fails, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """sdist and wheel of the tracked files, the wheel of the sdist."""
    folder = tmp_path_factory.mktemp('built')
    source = folder / 'source'
    left_out = ('.git', '.venv', '.*_cache', 'data', 'work_dirs', 'build', 'dist', '*.egg-info')
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(*left_out))
    run(*PIP, 'wheel', '--quiet', '--no-deps', '-w', folder / 'wheel', source, cwd=folder)
    run(sys.executable, 'setup.py', '--quiet', 'sdist', '-d', folder / 'sdist', cwd=source)
    (sdist,) = (folder / 'sdist').iterdir()
    run(*PIP, 'wheel', '--quiet', '--no-deps', '-w', folder / 'from_sdist', sdist, cwd=folder)
    (wheel,) = (folder / 'wheel').iterdir()
    (again,) = (folder / 'from_sdist').iterdir()
    return wheel, sdist, again


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist()}


def tracked(folder: str) -> set[str]:
    files = (path for path in (ROOT / folder).rglob('*') if path.is_file())
    return {p.relative_to(ROOT).as_posix() for p in files if p.suffix != '.pyc'}


def test_the_wheel_holds_configs_and_tools(built):
    wheel, sdist, again = map(Path, built)
    files = contents(wheel)
    mim = {name.removeprefix('wsl_plugins/.mim/') for name in files if '/.mim/' in name}
    assert mim == tracked('configs') | tracked('tools') | {'model-index.yml'}
    modules = tracked('wsl_plugins') - {'wsl_plugins/.mim/model-index.yml'}
    assert modules | {'wsl_plugins_cli.py'} == {
        name for name in files if '/.mim/' not in name and '.dist-info/' not in name
    }
    for name in ('configs/mist/mist_demo.py', 'tools/train.py'):
        assert files[f'wsl_plugins/.mim/{name}'] == (ROOT / name).read_bytes()
    from_sdist = contents(again)
    record = next(name for name in files if name.endswith('/RECORD'))
    for each in (files, from_sdist):
        each.pop(record)
    assert from_sdist == files
    with tarfile.open(sdist) as file:
        assert not [member for member in file if member.issym() or member.islnk()]


def test_metadata(built):
    files = contents(built[0])
    text = next(c for name, c in files.items() if name.endswith('/METADATA')).decode()
    head, _, body = text.partition('\n\n')
    assert body.strip() == (ROOT / 'README.md').read_text().strip()
    for line in ('Description-Content-Type: text/markdown', 'Classifier: Typing :: Typed'):
        assert line in head.splitlines()
    extras = {'search', 'weights', 'dlib', 'sam', 'export', 'tests', 'docs', 'all'}
    assert {f'Provides-Extra: {extra}' for extra in extras} <= set(head.splitlines())


@pytest.fixture(scope='module')
def environment(built, tmp_path_factory):
    """Folder of the commands of an environment: the wheel, and the packages of this one.

    A ``.pth`` file names their folders; the files of that kind in them, which lead to this
    repository, are not read.
    """
    folder = tmp_path_factory.mktemp('environment') / 'env'
    venv.create(folder, with_pip=False)
    python = folder / 'bin/python'
    code = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    site = Path(run(python, '-c', code, cwd=folder).strip())
    places = dict.fromkeys(sysconfig.get_path(name) for name in ('purelib', 'platlib'))
    (site / 'others.pth').write_text('\n'.join(places))
    install = ('install', '--quiet', '--no-deps', '--no-index', '--ignore-installed', built[0])
    run(*PIP, '--python', python, *install, cwd=folder)
    code = 'import wsl_plugins, wsl_plugins_cli as cli; print(wsl_plugins.__file__, cli.__file__)'
    shown = run(python, '-c', code, cwd=folder).split()
    assert all(Path(path).is_relative_to(site) for path in shown[-2:])
    before = sorted(folder.rglob('*'))
    yield folder / 'bin'
    assert sorted(folder.rglob('*')) == before, 'something was written beside the package'


@pytest.fixture(scope='module')
def demo(environment, tmp_path_factory):
    """A folder after ``wsl-plugins demo`` with a config of three lines; what that printed."""
    folder = tmp_path_factory.mktemp('new folder')
    wsl = environment / 'wsl-plugins'
    for end in ('', '_corloc'):
        (folder / f'short{end}.py').write_text(THREE_LINES.format(end))
    run(wsl, 'demo-data', 'data/demo', '--train', 8, '--test', 4, cwd=folder)
    return folder, run(wsl, 'demo', '--config', 'short.py', cwd=folder)


def test_demo(demo):
    folder, shown = demo
    steps = [line for line in shown.splitlines() if line.startswith('$ ')]
    names = ('proposals', 'proposal-stats', 'train', 'test', 'test', 'visualize', 'infer', 'report')
    assert [step.split()[:3] for step in steps] == [['$', 'wsl-plugins', name] for name in names]
    assert sorted(path.name for path in folder.iterdir()) == [
        *('data', 'short.py', 'short_corloc.py', 'work_dirs'),
    ]
    assert (folder / 'work_dirs/demo/report.html').is_file()


def test_from_own_images_to_pictures(environment, tmp_path):
    """The commands of docs/own_data.md."""
    wsl = environment / 'wsl-plugins'
    run(wsl, 'wsol-demo-data', '--train', 3, '--out', 'drawn', cwd=tmp_path)
    photos = tmp_path / 'drawn/images/train-weaksup'
    rows = [f'{path.name},{path.stem.rpartition("_")[0]}' for path in sorted(photos.iterdir())]
    (tmp_path / 'labels.csv').write_text('\n'.join(['image,label', *rows]))
    source = ('csv', 'labels.csv', '--images', photos, '--weights', 'none')
    shown = run(
        *(wsl, 'prepare', *source, '--task', 'detector', '--out', 'data/shapes'), cwd=tmp_path
    )
    assert 'train: wsl-plugins train data/shapes/shapes_detector.py' in shown.splitlines()
    config = 'data/shapes/shapes_detector.py'
    assert "_base_ = 'wsl_plugins::oicr/oicr_demo.py'" in (tmp_path / config).read_text()
    epoch = ('--cfg-options', 'train_cfg.max_epochs=1')
    assert 'Epoch(train) [1]' in run(wsl, 'train', config, *epoch, cwd=tmp_path)
    checkpoint = 'work_dirs/shapes_detector/epoch_1.pth'
    run(wsl, 'infer', 'data/shapes/images/test', config, checkpoint, '--out', 'shown', cwd=tmp_path)
    tested = list((tmp_path / 'data/shapes/images/test').iterdir())
    assert len(list((tmp_path / 'shown/vis').iterdir())) == len(tested) > 0


def test_in_two_processes_and_as_a_module(environment, demo):
    """``torchrun -m wsl_plugins``, with the processes of data loaders."""
    launch = ('-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', 2)
    train = ('-m', 'wsl_plugins', 'train', 'short.py', '--launcher', 'pytorch', '--work-dir', 'two')
    workers = ('train_dataloader.num_workers=1', 'env_cfg.mp_cfg.mp_start_method=spawn')
    command = (environment / 'python', *launch, *train, '--cfg-options', *workers)
    shown = run(*command, cwd=demo[0])
    assert 'Epoch(val) [1][2/2]' in shown  # of four test images in two processes
    assert (demo[0] / 'two/epoch_1.pth').is_file()


def test_the_own_tools_of_mmdet(environment, demo):
    """Where the package is not imported yet, mmengine does not know the name."""
    folder = demo[0]
    common = ('--work-dir', 'own', '--cfg-options', 'test_evaluator=[]')
    plain = (environment / 'python', TRAIN_OF_MMDET)
    shown = run(*plain, 'short.py', *common, cwd=folder, fails=True)
    assert 'mmengine does not support to load wsl_plugins config' in shown
    text = (folder / 'short.py').read_text()
    (folder / 'imports.py').write_text(
        text.replace("= 'wsl", "= __import__('wsl_plugins') and 'wsl")
    )
    run(*plain, 'imports.py', *common, cwd=folder)
    run(environment / 'wsl-plugins', 'run', TRAIN_OF_MMDET, 'short.py', *common, cwd=folder)
    # a packaged config by its path: the runtime of our bases imports the package
    path = run(environment / 'python', '-c', PATH_OF_DEMO, cwd=folder).splitlines()[-1]
    run(*plain, path, *common, 'train_cfg.max_epochs=1', cwd=folder)


PATH_OF_DEMO = """
from wsl_plugins.config_names import find_config
print(find_config('oicr/oicr_demo.py'))
"""
