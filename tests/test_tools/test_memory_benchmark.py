"""tools/analysis/memory_benchmark.py, run as a command."""

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'analysis' / 'memory_benchmark.py'
MODEL = ROOT / 'configs' / '_base_' / 'models' / 'wsddn_r18-c4.py'
SMALL = ['--config', MODEL, '--image-size', 64, 96, '--repeats', 1, '--sub-batch-size', 10]


def run(*args):
    done = subprocess.run(
        [sys.executable, str(TOOL), *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'MALLOC_MMAP_THRESHOLD_': '1048576'},
    )
    assert 'Traceback' not in done.stderr, done.stderr
    return done


def rows_of(folder):
    with open(folder / 'memory_benchmark.csv', newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='resident size as on Linux')
def test_all_ways(tmp_path):
    budget = ['--budgets', 0.5]
    done = run(*SMALL, *budget, '--num-proposals', 20, 200, '--out', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / 'out')
    assert [(row['num_proposals'], row['mode']) for row in rows] == [
        (count, mode) for count in ('20', '200') for mode in ('vanilla', 'sequential', 'budget 0.5')
    ]
    memory = {}
    for row in rows:
        assert row['status'] == 'ok' and row['config'] == 'wsddn_r18-c4' and row['device'] == 'cpu'
        assert (row['height'], row['width']) == ('64', '96') and float(row['seconds']) > 0
        assert row['sub_batch_size'] == ('10' if row['mode'] == 'sequential' else '')
        point = row['num_proposals'], row['mode']
        memory[point] = float(row['peak_mib']) - float(row['before_mib'])
    for vanilla, *others in (rows[:3], rows[3:]):  # the same steps
        for row, kept in zip(others, (10, int(vanilla['num_proposals']) // 2), strict=True):
            for name in ('loss', 'loss_after'):
                assert float(row[name]) == pytest.approx(float(vanilla[name]), rel=1e-5)
            assert row['kept'] == str(kept) and vanilla['loss'] != vanilla['loss_after']
    # Of one proposal a map (256, 14, 14) and four maps (512, 7, 7) at least are kept, 0.57 MiB, of
    # 180 proposals 103 MiB. Half of it is required; in sub-batches less than a third of the growth.
    growth = {
        mode: memory['200', mode] - memory['20', mode]
        for mode in ('vanilla', 'sequential', 'budget 0.5')
    }
    assert growth['vanilla'] > 51
    assert growth['sequential'] < growth['vanilla'] / 3
    assert growth['vanilla'] / 3 < growth['budget 0.5'] < growth['vanilla'] * 0.75
    assert memory['200', 'vanilla'] - memory['200', 'sequential'] > 51
    with Image.open(tmp_path / 'out' / 'memory_benchmark.png') as plot:
        assert plot.format == 'PNG' and plot.size[0] > plot.size[1]
    table = [
        [cell.strip() for cell in line.strip('|').split('|')] for line in done.stdout.splitlines()
    ]
    assert [line[0] for line in table] == ['R', '-' * 5, '20', '200']
    assert table[3][1] == f'{memory["200", "vanilla"]:.0f}'
    assert sorted(path.suffix for path in (tmp_path / 'out').iterdir()) == ['.csv', '.png']


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='resident size as on Linux')
def test_out_of_memory_is_a_row(tmp_path):
    # no image of 20000 x 20000 pixels passes a network in the data segment of 2 GiB
    huge = ['--image-size', 20000, 20000, '--memory-limit', 2]
    done = run(*SMALL, *huge, '--num-proposals', 5, '--out', tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path)
    assert [row['status'] for row in rows] == ['out of memory'] * 2
    assert all(row['seconds'] == row['peak_mib'] == row['loss'] == '' for row in rows)
    assert 'out of memory' in done.stdout and (tmp_path / 'memory_benchmark.png').is_file()


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import memory_benchmark as tool

def measure(*args):
    os.kill(os.getpid(), signal.SIGKILL)

tool.measure = measure
if __name__ == '__main__':
    sys.exit(tool.main())
"""


@pytest.mark.slow
def test_killed_process_is_a_row(tmp_path):
    script = tmp_path / 'killed.py'
    script.write_text(KILLED.format(folder=str(TOOL.parent)))
    command = [sys.executable, script, *SMALL, '--num-proposals', 5, '--out', tmp_path / 'out']
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [row['status'] for row in rows_of(tmp_path / 'out')] == ['killed'] * 2
    assert 'killed' in done.stdout


@pytest.fixture(scope='module')
def tool():
    """The tool as a module: many refusals without many processes."""
    spec = importlib.util.spec_from_file_location('memory_benchmark', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    'options, message',
    [
        (['--num-proposals', 100, 0], '--num-proposals must be at least 1, got 0'),
        (['--sub-batch-size', 0], '--sub-batch-size must be at least 1, got 0'),
        (['--image-size', 600, -1], '--image-size must be at least 1, got -1'),
        (['--budgets', 0.5, 0], '--budgets must be greater than 0, got 0'),
        (['--repeats', 0], '--repeats must be at least 1, got 0'),
        (['--memory-limit', 0], '--memory-limit must be greater than 0, got 0.0'),
        (['--config', 'none.py'], '--config: none.py: no such config'),
        (['--device', 'abacus'], "--device must be 'cpu', 'cuda' or 'cuda:N', got 'abacus'"),
        (['--device', 'meta'], "--device must be 'cpu', 'cuda' or 'cuda:N', got 'meta'"),
        (['--device', 'cuda:99'], '--device cuda:99: this machine has'),
    ],
)
def test_bad_options(tool, monkeypatch, capsys, options, message):
    monkeypatch.setattr(sys, 'argv', ['memory_benchmark.py', *map(str, options)])
    with pytest.raises(SystemExit, match='2'):
        tool.main()
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    'text, message',
    [
        ('lr = 1', "has no 'model'"),
        (
            "_base_ = 'mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'",
            'model.roi_head must be a wsl_plugins.WSODRoIHead',
        ),
    ],
)
def test_config_without_our_head(tmp_path, text, message):
    (tmp_path / 'config.py').write_text(text)
    done = run('--config', tmp_path / 'config.py', '--out', tmp_path / 'out')
    assert done.returncode == 1 and message in done.stderr
    assert 'config.py' in done.stderr and not (tmp_path / 'out').exists()
