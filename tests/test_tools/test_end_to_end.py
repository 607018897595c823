"""From nothing to pictures with the tools as commands: generated data, MIST, one epoch."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def command(*args, fails=False, cwd=ROOT):
    """Run a tool; its output."""
    env = dict(os.environ, OMP_NUM_THREADS='1')
    words = [sys.executable, *map(str, args)]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def run(forks):
    """Run a tool from the root of the project in a fork, which imports nothing; its output."""

    def run(*args):
        done = forks.run(*args)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope='module')
def trained(run, tmp_path_factory):
    """A folder with data and a detector after one epoch."""
    folder = tmp_path_factory.mktemp('run')
    data = folder / 'demo'
    run('tools/make_demo_dataset.py', data, '--train', 8, '--test', 4)
    run('tools/make_proposals.py', data / 'VOC2007/JPEGImages', '--out', data / 'proposals.npz')
    options = ['--cfg-options']
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'corloc_dataloader'):
        options += [f'{loader}.dataset.data_root={data}', f'{loader}.num_workers=0']
        options += [f'{loader}.persistent_workers=False']
    train = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    work = ['--work-dir', folder / 'work']
    run('tools/train.py', 'configs/mist/mist_demo.py', '--amp', *work, *options, *train)
    return folder, options


def scores(folder):
    (path,) = folder.glob('*/*.json')
    return json.loads(path.read_text())


def test_test_tta_corloc_and_pictures(run, trained):
    folder, options = trained
    checkpoint = folder / 'work/epoch_1.pth'
    for name, extra in (('plain', ()), ('tta', ('--tta',))):
        work = ['--work-dir', folder / name]
        run('tools/test.py', 'configs/mist/mist_demo.py', checkpoint, *work, *options, *extra)
        assert 0 <= scores(folder / name)['pascal_voc/mAP'] <= 1
    work = ['--work-dir', folder / 'corloc']
    run('tools/test.py', 'configs/mist/mist_demo_corloc.py', checkpoint, *work, *options)
    assert 0 <= scores(folder / 'corloc')['corloc/mean'] <= 100
    pictures = ['--out', folder / 'pictures', '--num', 2]
    command('tools/visualize.py', 'configs/mist/mist_demo.py', checkpoint, *pictures, *options)
    assert len(list((folder / 'pictures').glob('*.jpg'))) == 2


def test_errors_of_visualize(tmp_path):
    output = command('tools/visualize.py', 'no.py', 'no.pth', '--out', tmp_path / 'out', fails=True)
    assert 'config not found: no.py' in output and not (tmp_path / 'out').exists()


def test_table_of_the_methods(trained, tmp_path):
    """Mean and spread over two seeds; what is there already is not trained again."""
    data = trained[0] / 'demo'
    (tmp_path / 'data').mkdir()
    for name, target in (('tools', ROOT / 'tools'), ('configs', ROOT / 'configs')):
        (tmp_path / name).symlink_to(target)
    (tmp_path / 'data/demo').symlink_to(data)
    done = tmp_path / 'work_dirs/demo_methods/wsddn_demo/0'
    done.mkdir(parents=True)
    names = ('mAP', 'AR@1', 'AR@10', 'AR@100', 'repeated', 'CorLoc', 'IoU of the top box')
    (done / 'results.json').write_text(json.dumps(dict.fromkeys(names, 50.0)))
    words = ['tools/demo_methods.py', 'configs/wsddn/wsddn_demo.py', '--jobs', 1, '--seeds']
    out = command(*words, 0, 1, cwd=tmp_path)
    results = json.loads((done.parent / '1/results.json').read_text())
    assert len(re.findall(r'^\$ python \S*tools/train\.py ', out, re.MULTILINE)) == 1
    (row,) = (line for line in out.splitlines() if line.startswith('| wsddn_demo'))
    mean, spread = map(float, row.split('|')[2].split(' ± '))
    assert abs(mean - (50 + results['mAP']) / 2) < 0.06
    assert abs(spread - abs(50 - results['mAP']) / 2**0.5) < 0.06
    assert 'tools/train.py' not in command(*words, 0, 1, cwd=tmp_path)
