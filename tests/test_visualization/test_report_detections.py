"""Error modes, best and worst images of a report; the command."""

import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.visualization.report import build_report
from wsl_plugins.visualization.report.detections import (
    compare,
    draw,
    error_mode_table,
    guess_table,
)
from wsl_plugins.visualization.report.stages import compare_stages, stage_table

TOOL = Path(__file__).parents[2] / 'tools' / 'report.py'
SPEC = importlib.util.spec_from_file_location('report_tool', TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

CLASSES = ('cat', 'dog')
# image: [(class, crowd, box xyxy)]; 60 x 40 pixels
OBJECTS = {
    'd.jpg': [(1, 0, (0, 0, 20, 20))],
    'c.jpg': [(0, 0, (5, 5, 15, 15))],
    'b.jpg': [(0, 0, (10, 10, 30, 30)), (1, 1, (40, 0, 60, 10))],
    'a.jpg': [(0, 0, (0, 0, 20, 20)), (1, 0, (30, 10, 50, 30))],
    'e.jpg': [],
}
# image: [(class, score, box)]
FOUND = {
    'a.jpg': [(0, 0.8, (40, 0, 60, 9)), (0, 0.9, (0, 0, 20, 18)), (1, 0.3, (31, 11, 35, 19))],
    'b.jpg': [(0, 0.5, (15, 15, 25, 25)), (1, 0.9, (40, 0, 60, 10))],
    'c.jpg': [(0, 0.6, (0, 0, 40, 40))],
    'd.jpg': [(0, 0.6, (0, 0, 9, 9))],
    'e.jpg': [(0, 0.6, (0, 0, 9, 9))],
}


@pytest.fixture(autouse=True)
def _scope():
    yield
    init_default_scope('mmengine')


@pytest.fixture
def files(tmp_path):
    """Images, a config on them, and a work folder."""
    images, annotations = [], []
    for number, (name, objects) in enumerate(OBJECTS.items()):
        Image.new('RGB', (60, 40), 'white').save(tmp_path / name)
        images.append(dict(id=number, file_name=name, width=60, height=40))
        for label, crowd, (x1, y1, x2, y2) in objects:
            row = dict(id=len(annotations) + 1, image_id=number, category_id=label + 1)
            box = [x1, y1, x2 - x1, y2 - y1]
            row |= dict(bbox=box, area=box[2] * box[3], iscrowd=crowd)
            annotations.append(row)
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    dataset = dict(
        type='CocoDataset',
        ann_file=str(tmp_path / 'ann.json'),
        data_prefix=dict(img=str(tmp_path)),
        metainfo=dict(classes=CLASSES),
        test_mode=True,
        pipeline=[],
    )
    config = tmp_path / 'config.py'
    config.write_text(f"default_scope = 'mmdet'\ntest_dataloader = dict(dataset={dataset!r})\n")
    run = tmp_path / 'work' / '20260102_030405'
    run.mkdir(parents=True)
    (run / '20260102_030405.json').write_text('{"pascal_voc/mAP": 0.5}')
    return tmp_path, str(write_results(tmp_path, FOUND)), str(config)


def write_results(folder, found):
    samples = [
        dict(
            img_path=str(folder / name),
            ori_shape=(40, 60),
            pred_instances=dict(
                bboxes=torch.tensor([box for _, _, box in rows], dtype=torch.float32),
                scores=torch.tensor([score for _, score, _ in rows]),
                labels=torch.tensor([label for label, _, _ in rows]),
            ),
        )
        for name, rows in found.items()
    ]
    path = folder / 'results.pkl'
    path.write_bytes(pickle.dumps(samples))
    return path


def test_compare(files):
    """By hand. a: 0.9 and 32 / 400; b: 0.25, its dog is a crowd; c: 100 / 1600; d: nothing."""
    compared = compare(*files[1:])
    assert compared.classes == ['cat', 'dog']
    names = [Path(image.path).name for image in compared.images]
    assert names == ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']
    ious = [image.iou for image in compared.images]
    np.testing.assert_allclose(ious, [0.49, 0.25, 0.0625, 0])
    assert compared.counts.tolist() == [[1, 1, 1, 0, 0], [0, 1, 0, 0, 1]]
    top = compared.images[0].top
    assert top.bboxes.tolist() == [[0, 0, 20, 18], [31, 11, 35, 19]]
    assert top.labels.tolist() == [0, 1] and compared.images[1].top.labels.tolist() == [0]
    table = error_mode_table(compared)
    assert table.rows == [
        ['cat', '3', '33.3', '33.3', '33.3', '0.0', '0.0'],
        ['dog', '2', '0.0', '50.0', '0.0', '0.0', '50.0'],
    ]
    assert table.foot == [['mean', '5', '16.7', '41.7', '16.7', '0.0', '25.0']]
    assert table.bars[1] == [0, 50, 0, 0, 50] and len(table.bars) == 3
    assert table.head == [
        *('class', 'top boxes', 'correct', 'inside', 'contains', 'partial', 'no overlap')
    ]


def test_drawn_boxes(files):
    compared = compare(*files[1:])
    best, worst = compared.images[0], compared.images[-1]
    picture = draw(best, compared.classes)
    assert picture.shape == (240, 720, 3)
    left, right = picture[:, :360], picture[:, 360:]

    def edge(half, x, top, bottom):
        """Share of coloured pixels along a vertical edge, the image enlarged six times."""
        strip = half[6 * top + 30 : 6 * bottom - 4, 6 * x - 4 : 6 * x + 4]
        return (strip.min(axis=(1, 2)) < 200).mean()

    assert edge(left, 50, 10, 30) > 0.9 and edge(right, 50, 10, 30) == 0  # dog, ground truth
    assert edge(right, 35, 11, 19) > 0.9 and edge(left, 35, 11, 19) == 0  # its top box
    assert (draw(worst, compared.classes)[:, 362:] > 250).all()
    assert best.truth.bboxes[0].tolist() == [0, 0, 20, 20]


def test_results_stand_beside_guesses(files):
    """By hand: of the four images the random guess is right in a / b / c / d in 1 of 2 proposals,
    in none, in all, and in 1 of 2; the largest in c and d."""
    folder, results, config = files
    boxes = {
        'a': [(0, 0, 20, 20), (30, 10, 50, 30)],
        'b': [(50, 30, 60, 40)],
        'c': [(5, 5, 15, 15)],
        'd': [(0, 0, 20, 20), (40, 30, 50, 40)],
        'e': [(0, 0, 9, 9)],
    }
    arrays = {name: np.array(rows, np.uint16) for name, rows in boxes.items()}
    ProposalFile.from_images(arrays).save(folder / 'proposals.npz')
    text = Path(config).read_text().replace('CocoDataset', 'wsl_plugins.WSODCocoDataset')
    change = f'proposal_file={str(folder / "proposals.npz")!r}, '
    Path(config).write_text(text.replace('dict(dataset={', f'dict(dataset=dict({change}**{{') + ')')
    compared = compare(results, config)
    # cat in a, b, c: 1/2, 0, 1 (largest: the first of equals, none, right); dog in a, d: 1/2, 1/2
    expected = {'recall@0.5': 0.8, 'recall@0.7': 0.8, 'random': 0.5, 'largest': (2 / 3 + 1 / 2) / 2}
    assert compared.guesses == pytest.approx(expected)
    rows = dict(guess_table(compared).rows)
    assert rows['CorLoc of a random proposal'] == '50.0'
    assert rows['CorLoc of the top boxes'] == '16.7'
    html, _ = build_report(folder / 'work', results, config)
    assert 'CorLoc of the largest proposal' in html and '58.3' in html


@pytest.mark.parametrize(
    'change, message',
    [
        ({'a.jpg': None}, 'results.pkl lacks 1 images of .*such as .*a.jpg'),
        ({'z.jpg': FOUND['a.jpg']}, "lacks 1 images of .*results.pkl, such as 'z.jpg'"),
        ({'a.jpg': [(2, 0.5, (0, 0, 9, 9))]}, "'a.jpg' has a box of class 2, but there are 2"),
    ],
)
def test_results_of_other_data(files, change, message):
    found = {name: rows for name, rows in (FOUND | change).items() if rows is not None}
    with pytest.raises(ValueError, match=message):
        compare(str(write_results(files[0], found)), files[2])


def test_page_with_results(files, capsys):
    folder, results, config = files
    shown = folder / 'shown'
    shown.mkdir()
    for name in ('a.jpg', 'c.jpg', 'q.jpg'):
        Image.new('RGB', (60, 40)).save(shown / name)
    argv = [str(folder / 'work'), '--results', results, '--config', config, '--num', '2']
    assert tool.main([*argv, '--pictures', str(shown)]) == 0
    text = (folder / 'work' / 'report.html').read_text()
    captions = [part.split('<')[0] for part in text.split('<figcaption>')[1:]]
    assert captions == ['a.jpg: IoU 0.49', 'd.jpg: IoU 0.00', 'a.jpg: IoU 0.49', 'q.jpg']
    assert '<span class="m4" style="width:50.00%"></span>' in text and 'Error modes' in text
    assert 'not shown: curves: no training in the logs' in capsys.readouterr().out
    assert tool.main([*argv[:-1], '20']) == 0  # no image is both best and worst
    text = (folder / 'work' / 'report.html').read_text()
    captions = [part.split(':')[0] for part in text.split('<figcaption>')[1:]]
    assert captions == ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']


def test_bad_input_of_the_tool(files, capsys):
    folder, results, config = files
    work = str(folder / 'work')
    for argv, message in (
        ([str(folder / 'gone')], 'gone: no such folder'),
        ([work, '--results', results], 'results and config go together'),
        ([work, '--results', results, '--config', 'gone.py'], 'gone.py: no such config'),
        ([work, '--results', 'gone.pkl', '--config', config], 'gone.pkl: no such file'),
        ([work, '--num', '0'], 'num must be at least 1, got 0'),
    ):
        assert tool.main(argv) == 1
        printed = capsys.readouterr()
        assert printed.out == '' and printed.err.count('\n') == 1
        assert printed.err.startswith('report: error: ') and message in printed.err
    assert not (folder / 'work' / 'report.html').exists()


def test_command(files):
    work = files[0] / 'work'
    done = subprocess.run([sys.executable, TOOL, work], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f'{work / "report.html"}: 0.0 MB' in done.stdout


def test_prepared_data(files):
    """The assessment is found by the config, the results of CorLoc below the work folder."""
    folder, results, config = files
    content = dict(
        verdict='CANNOT BE LEARNED <b>', fits='neither: so', head=['class', 'with it'],
        rows=[['cat', '280']], findings=[], choices=['OICR: why'], time='3 s', advice=['collect'],
    )  # fmt: skip
    (folder / 'assessment.json').write_text(json.dumps(content))
    run = folder / 'work' / '20260102_030405'
    (run / 'vis_data').mkdir()
    (run / 'vis_data' / 'config.py').write_text(f'data_root = {str(folder)!r}\n')
    corloc = folder / 'work' / 'corloc'
    (corloc / '20260102_040506' / 'vis_data').mkdir(parents=True)
    shutil.move(results, corloc / 'results.pkl')
    shutil.copy(config, corloc / '20260102_040506' / 'vis_data' / 'config.py')
    text, notes = build_report(folder / 'work')
    assert text.index('CANNOT BE LEARNED &lt;b&gt;') < text.index('<h2>Metrics')
    assert '<li>OICR: why</li>' in text and '<h3>Seen' not in text and '<li>collect</li>' in text
    assert '<h2>Error modes' in text and '<h2>Best and worst' in text
    assert not any('error modes' in note for note in notes)

    (folder / 'assessment.json').write_text('{}')
    (corloc / 'results.pkl').write_bytes(b'no pickle')
    text, notes = build_report(folder / 'work')
    assert '<h2>Data' not in text and '<h2>Error modes' not in text
    shown = '\n'.join(notes)
    assert 'assessment.json: no assessment of tools/prepare_dataset.py' in shown
    assert 'error modes, best and worst images: ' in shown


@pytest.fixture
def stages(files):
    """Folders of two test stages, of a training and of pseudo boxes."""
    folder, results, config = files
    worse = dict(FOUND, **{'b.jpg': [(0, 0.5, (50, 30, 60, 40))]})
    better = dict(FOUND, **{'c.jpg': [(0, 0.6, (5, 5, 15, 15))]}, **{'d.jpg': FOUND['d.jpg']})
    better['b.jpg'] = worse['b.jpg']
    places = {}
    for name, found, score in (('first', FOUND, 0.5), ('second', better, 0.75)):
        run = folder / 'stages' / name / '20260102_030405'
        (run / 'vis_data').mkdir(parents=True)
        (run / '20260102_030405.json').write_text(f'{{"pascal_voc/mAP": {score}}}')
        shutil.copy(config, run / 'vis_data/config.py')
        shutil.move(write_results(folder, found), run.parent / 'predictions.pkl')
        places[name] = run.parent
    run = folder / 'stages/training/20260102_030405/vis_data'
    run.mkdir(parents=True)
    lines = [dict(loss=1.0, iter=2, step=2), {'teacher/pascal_voc/mAP': 0.25, 'step': 2}]
    (run / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    places['training'] = folder / 'stages/training'
    places['boxes'] = folder / 'stages/boxes'
    places['boxes'].mkdir()
    accuracy = dict(boxes=8, right=6, objects=12, precision=0.75, recall=0.5)
    (places['boxes'] / 'accuracy.json').write_text(json.dumps(accuracy))
    return places


def test_table_of_stages(stages):
    head, rows = stage_table(stages)
    assert head == ['stage', 'mAP', 'boxes', 'precision', 'recall']
    assert rows == [
        ['first', '50.0', '', '', ''],
        ['second', '75.0', '', '', ''],
        ['training', '25.0', '', '', ''],
        ['boxes', '', '8', '75.0', '50.0'],
    ]
    empty = stages['first'].parent / 'empty'
    empty.mkdir()
    assert stage_table(dict(empty=empty)) == (['stage'], [['empty']])


def test_pictures_of_stages(stages, tmp_path):
    """The image that gained most and the one that lost most come first."""
    tests = {name: stages[name] for name in ('first', 'second')}
    out = tmp_path / 'compared'
    assert compare_stages(tests, out, num=2) == 2
    assert sorted(path.name for path in out.iterdir()) == ['b.jpg', 'c.jpg']
    assert Image.open(out / 'b.jpg').size == (3 * (360 + 4), 240 + 28)  # 60 x 40, six times
    assert compare_stages(tests, out, num=12) == 4
    (stages['second'] / 'predictions.pkl').unlink()
    with pytest.raises(FileNotFoundError, match='second/predictions.pkl'):
        compare_stages(tests, out)
    with pytest.raises(ValueError, match='boxes: no run of tools/test.py'):
        compare_stages(dict(first=stages['first'], boxes=stages['boxes']), out)
