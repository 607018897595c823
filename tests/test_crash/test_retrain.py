"""tools/retrain.py killed at random moments: every stage's files whole, the same end."""

import json
import zipfile

import pytest

TRIALS = 20
NAMES = ('retrain', 'train', 'test', 'make_pseudo_boxes', 'split_images', 'launch')
STAGES = """
boxes = {'a.ann_file': '{boxes}'}
stages = [
    dict(name='detections', tool='test', args=['model.py', 'teacher.pth']),
    dict(name='boxes', tool='pseudo-boxes', args=['detections', '{detections}']),
    dict(name='training', tool='train', args=['model.py'], cfg_options=boxes),
    dict(name='split', tool='split-images', args=['model.py', '{training}'], cfg_options=boxes),
    dict(
        name='semi',
        tool='train',
        args=['model.py'],
        cfg_options={'load_from': '{training}', 'b': '{split}/labelled.json'},
    ),
]
"""
FOLDERS = ('detections', 'boxes', 'training', 'split', 'semi')


@pytest.fixture(scope='module')
def tools(shell):
    """Folder of tools/retrain.py and of stand-ins for what it runs."""
    folder = shell.folder / 'stages of tools'
    folder.mkdir()
    for name in NAMES:
        source = 'tools/retrain.py' if name == 'retrain' else 'tests/test_crash/stand_ins.py'
        (folder / f'{name}.py').symlink_to(shell.root / source)
    return folder


@pytest.fixture
def place(shell, tmp_path):
    (tmp_path / 'stages.py').write_text(STAGES)
    (tmp_path / 'model.py').write_text('model = dict()\n')
    return tmp_path


def result_of(folder):
    """Digests of all results."""
    work = folder / 'work_dirs/stages'
    return {name: json.loads((work / name / 'done.json').read_text()) for name in FOLDERS}


def assert_nothing_is_torn(folder):
    """What is noted as complete is complete, and the others behind it are not."""
    for path in folder.rglob('*.json'):
        json.loads(path.read_text())
    work = folder / 'work_dirs/stages'
    complete = [(work / name / 'done.json').exists() for name in FOLDERS]
    assert complete == sorted(complete, reverse=True)
    for name, done in zip(FOLDERS, complete, strict=True):
        if done and name in ('training', 'semi'):
            with zipfile.ZipFile(work / name / 'epoch_4.pth') as archive:
                assert archive.testzip() is None
    return sum(complete)


@pytest.fixture(scope='module')
def whole(shell, tools, tmp_path_factory):
    """Results and seconds of an undisturbed run."""
    folder = tmp_path_factory.mktemp('whole')
    (folder / 'stages.py').write_text(STAGES)
    (folder / 'model.py').write_text('model = dict()\n')
    seconds = shell.good('retrain', 'stages.py', cwd=folder, tools=tools)
    assert assert_nothing_is_torn(folder) == len(FOLDERS)
    return result_of(folder), seconds


@pytest.mark.slow
def test_killed(whole, shell, tools, moments, tmp_path):
    expected, seconds = whole
    begun = set()
    for trial, moment in enumerate(moments(TRIALS, seconds)):
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / 'stages.py').write_text(STAGES)
        (folder / 'model.py').write_text('model = dict()\n')
        status, _ = shell.run('retrain', 'stages.py', kill_after=moment, cwd=folder, tools=tools)
        assert status in (-9, 0)
        begun.add(assert_nothing_is_torn(folder))
        shell.good('retrain', 'stages.py', cwd=folder, tools=tools)
        assert {k: v['sha256'] for k, v in result_of(folder).items()} == {
            k: v['sha256'] for k, v in expected.items()
        }, trial
    assert len(begun) >= 3, begun  # stages that were complete: the kills are spread


@pytest.mark.slow
def test_twice_at_once_and_what_was_changed(shell, tools, place):
    """Complete stages do not run again; a changed config or result is an error, not a mixture."""
    shell.good('retrain', 'stages.py', cwd=place, tools=tools)
    first = result_of(place)
    shell.good('retrain', 'stages.py', cwd=place, tools=tools)
    assert shell.log.read_text().count(': complete (') == len(FOLDERS)
    assert result_of(place) == first
    work = place / 'work_dirs/stages'

    def error():
        assert shell.run('retrain', 'stages.py', cwd=place, tools=tools)[0] == 1
        return shell.log.read_text()

    (place / 'model.py').write_text('model = dict(wider=True)\n')
    assert 'detections/job.json was made otherwise: config: found' in error()
    (place / 'model.py').write_text('model = dict()\n')
    (work / 'detections/done.json').unlink()  # made again, of other detections
    (place / 'teacher.pth').write_text('')
    with open(tools / 'test.py') as file:
        text = file.read()
    (tools / 'test.py').unlink()
    (tools / 'test.py').write_text(text.replace('text = taken()', "text = 'other' + taken()"))
    assert 'boxes/job.json was made otherwise: of detections: found' in error()
    (work / 'training/epoch_4.pth').unlink()
    assert result_of(place)['boxes'] == first['boxes']
