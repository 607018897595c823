"""Commands of the READMEs: test without a checkpoint, score maps and boxes as files."""

import json
import re

import pytest

from wsl_plugins.evaluation.functional.loc_accuracy import best_iou
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata


@pytest.fixture
def run(forks):
    """A tool in a fork, which imports nothing."""

    def run(*args):
        done = forks.run(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


def test_score_maps_scored_alone(run, tmp_path):
    """The centre baseline needs no checkpoint; its dumped maps give the metrics of the run."""
    demo, maps = tmp_path / 'demo', tmp_path / 'maps'
    run('tools/make_wsol_demo.py', '--out', demo, '--test', 4)
    log = run(
        'tools/test.py',
        'configs/wsol/center/center_demo.py',
        '--work-dir',
        tmp_path / 'run',
        '--dump-score-maps',
        maps,
        '--cfg-options',
        f'test_dataloader.dataset.data_root={demo}',
    )
    assert len(list(maps.rglob('*.npy'))) == 20
    alone = run(
        'tools/eval_score_maps.py', maps, '--metadata-root', demo / 'metadata', '--split', 'test'
    )
    for name in ('MaxBoxAcc', 'MaxBoxAccV2', 'MaxBoxAccV2_30'):
        expected = re.search(rf'wsol/{name}: ([\d.]+)', log)[1]
        found = re.search(rf'\| {name} +\| ([\d.]+)', alone)[1]
        assert abs(float(found) - float(expected)) < 0.06, name


def test_boxes_as_a_file(run, forks, tmp_path):
    """The boxes that --dump-localization writes give the accuracy that the run reports."""
    demo, boxes = tmp_path / 'demo', tmp_path / 'boxes.json'
    run('tools/make_wsol_demo.py', '--out', demo, '--test', 4)
    common = ['tools/test.py', 'configs/psol/psol_demo.py', '--work-dir', tmp_path / 'run']
    options = ['--cfg-options', f'test_dataloader.dataset.data_root={demo}']
    log = run(*common, '--dump-localization', boxes, *options)
    predictions = json.loads(boxes.read_text())['predictions']
    assert len(predictions) == 20
    metadata = WSOLMetadata.load(demo / 'metadata', 'test', require='boxes')
    hits = [best_iou(predictions[i]['box'], metadata.boxes[i]) >= 0.5 for i in metadata.image_ids]
    reported = re.search(r'wsol/gt_known_loc: ([\d.]+)', log)[1]
    assert float(reported) == pytest.approx(100 * sum(hits) / 20, abs=0.01)
    done = forks.run(*common, '--dump-localization', tmp_path / 'boxes.txt', *options)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith('error: --dump-localization must end in .json')
