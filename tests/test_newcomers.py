"""An engineer with photographs and a researcher with VOC: commands of the documents alone, offline.

Commands and options are taken from the Markdown, so that those which are tried are those which are
printed. The network is refused in every process, and who asked for it is noted.
"""

import importlib.util
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parent
ROOT = TESTS.parent
OWN_DATA, DATA, README = (
    (ROOT / page).read_text() for page in ('docs/own_data.md', 'docs/data.md', 'README.md')
)
documents = runpy.run_path(str(TESTS / 'test_runnable_documents.py'))
run, clone = documents['run'], documents['clone']
Run = runpy.run_path(str(TESTS / 'test_tools' / 'test_interrupts.py'))['Run']
SPEC = importlib.util.spec_from_file_location('cells', TESTS / 'test_tools' / 'drawn_cells.py')
cells = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(cells)
REFUSE = """
import os, socket, sys

def refuse(event, args):
    if event not in ('socket.connect', 'socket.getaddrinfo'):
        return
    host = args[1] if event == 'socket.connect' else args[0]
    host = host[0] if isinstance(host, tuple) else host
    if isinstance(host, (str, bytes)) and (
        event == 'socket.connect' and args[0].family == socket.AF_UNIX
        or host in ('', 'localhost', '127.0.0.1', '::1', socket.gethostname())
    ):
        return
    with open({asked!r}, 'a') as file:
        print(host, ' '.join(sys.argv), file=file)
    raise socket.gaierror(-3, 'Temporary failure in name resolution')

sys.addaudithook(refuse)
"""


def commands_of(text: str, *words: str) -> list[str]:
    """The commands of the first block that has all of the words, continued lines joined."""
    blocks = re.findall(r'^```bash\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)
    block = next(block for block in blocks if all(word in block for word in words))
    return [re.sub(r'\s+#.*', '', line) for line in block.replace('\\\n', ' ').splitlines()]


def documented(option: str, text: str = OWN_DATA) -> str:
    """The option, which a document shows as code."""
    assert f'`{option}`' in text, f'no document says `{option}`'
    return option


PREPARE, TRAIN, INFER, REPORT = commands_of(OWN_DATA, 'prepare_dataset.py')
CORLOC, CORLOC_REPORT = commands_of(OWN_DATA, '_corloc.py')
CONFIG = Path(TRAIN.split()[-1])
WORK = Path('work_dirs', CONFIG.stem)


@pytest.fixture
def home(clone, tmp_path, monkeypatch):
    """A fresh clone without a network and without anything that was downloaded before."""
    offline = tmp_path / 'offline'
    offline.mkdir()
    asked = tmp_path / 'asked.txt'
    (offline / 'sitecustomize.py').write_text(REFUSE.format(asked=str(asked)))
    monkeypatch.setenv('PYTHONPATH', f'{offline}:{ROOT}')
    for name in ('HOME', 'TORCH_HOME', 'XDG_CACHE_HOME', 'HF_HOME'):
        monkeypatch.setenv(name, str(tmp_path / 'empty'))
    ask = 'import socket; socket.create_connection(("192.0.2.1", 80), timeout=1)'
    done = subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True)
    assert done.returncode == 1 and 'name resolution' in done.stderr
    assert asked.read_text() == '192.0.2.1 -c\n'
    asked.unlink()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # one process makes the proposals: each imports first
    yield clone
    os.sched_setaffinity(0, cores)


def asked(home: Path) -> str:
    """Hosts that were asked for, and who did."""
    file = home.parent / 'asked.txt'
    return file.read_text() if file.exists() else ''


def train_with_breaks(home: Path) -> str:
    """Train as printed, Ctrl-C; go on by the line that this ends with, Ctrl-C again."""
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    variables = dict(PATH=path, PYTHONPATH=os.environ['PYTHONPATH'])

    def start(command: str) -> Run:
        return Run(['bash', '-c', f'exec {command}'], home, **variables)

    training = start(TRAIN)
    training.until('Saving checkpoint at 2 epochs')
    status, output = training.end(signal.SIGINT)
    assert status == 130
    last = output.splitlines()[-1]
    line = re.fullmatch(
        r'stopped after \d+ of \d+ epochs, saved is epoch_(\d+)\.pth; to continue: (.*)', last
    )
    assert line, output
    training = start(line[2])
    training.until(f'resumed epoch: {line[1]}')
    training.until('Saving checkpoint at 4 epochs')
    status, output = training.end(signal.SIGINT)
    assert status == 130 and output.splitlines()[-1].endswith(line[2])
    return line[2]


def files_of_proposals(home: Path) -> list[int]:
    return [path.stat().st_mtime_ns for path in sorted(home.glob('data/birds/proposals_*.npz'))]


def test_engineer(home):
    """Cells on large photographs, two of three classes everywhere: tiles, as the adviser says."""
    present = (('large', 'red'), cells.CLASSES)
    cells.write_cells(home / 'drawn', 10, present, (1280, 960))
    (home / 'drawn/cells').rename(home / 'photos')
    (home / 'drawn/boxes.json').rename(home / 'boxes.json')
    rows = [f'{n:04d}.jpg,{";".join(present[n % 2])}' for n in range(10)]
    (home / 'labels.csv').write_text('\n'.join(['image,label', *rows]))
    small = documented('--weights none')  # for drawn images
    with_boxes = f'{PREPARE} {small} {documented("--eval-boxes boxes.json")}'
    shown = run(with_boxes, home)
    assert re.search(
        "^CANNOT BE LEARNED from these labels: 'large' is in 8 of 8 .*'red' is in 8 of 8 .*",
        shown,
        re.MULTILINE,
    )
    tiles = re.search(r'to do: .* cut the images into tiles: (--tiles \d)', shown)[1]
    with_tiles = f'{with_boxes} {documented(tiles)}'
    with pytest.raises(AssertionError, match='choose another folder or use --force'):
        run(with_tiles, home)
    shown = run(f'{with_tiles} {documented("--force")}', home)
    assert 'CANNOT' not in shown and 'suitable for a detector' in shown
    assert len(files_of_proposals(home)) == 2

    train_with_breaks(home)
    shown = run(CORLOC, home)
    assert 'CorLoc' in shown
    run(INFER, home)
    run(CORLOC_REPORT, home)
    assert len([*(home / WORK / 'shown/vis').iterdir()]) == 10
    page = (home / WORK / 'report.html').read_text()
    assert 'suitable for a detector' in page and 'CorLoc' in page and page.count('<figure') >= 4
    assert asked(home) == ''


def test_researcher(home):
    """A small VOC with lists of its own."""
    run('python tools/make_demo_dataset.py data/VOCdevkit --train 10 --test 4 --size 96', home)
    lists = home / 'data/VOCdevkit/VOC2007/ImageSets/Main'
    shutil.copy(lists / 'train.txt', lists / 'trainval.txt')
    for command in commands_of(DATA, 'make_proposals.py', 'trainval'):
        if 'VOC2007' in command:
            run(command, home)
    (stats,) = commands_of(DATA, 'proposal_stats.py', '--split trainval')
    assert 'recall' in run(stats, home)
    train, *_ = commands_of(README, 'tools/train.py', 'voc07')
    with pytest.raises(AssertionError) as error:  # weights are to be downloaded
        run(train, home)
    shown = str(error.value)
    assert 'not downloaded' in shown and 'Traceback' not in shown
    assert 'tools/train.py configs/mist/mist_vgg16_voc07.py' in asked(home)
    (home.parent / 'asked.txt').unlink()

    source = documented('csv labels.csv --images photos')
    own = documented('voc data/VOCdevkit/VOC2007 --train trainval')
    assert source in PREPARE
    prepare = PREPARE.replace(source, f'{own} {documented("--test test")}')
    prepare = f'{prepare} {documented("--eval-boxes")}'
    small = documented('--weights none')  # for drawn images
    assert 'suitable for a detector' in run(f'{prepare} {small}', home)
    assert '_demo' in (home / CONFIG).read_text()
    made = files_of_proposals(home)
    train_with_breaks(home)
    corloc, report = run(CORLOC, home), run(CORLOC_REPORT, home)
    assert 'CorLoc' in corloc and 'report.html' in report

    assert 'suitable for a detector' in run(prepare, home)  # the weights that are the default
    assert '_lite0-' in (home / CONFIG).read_text() and files_of_proposals(home) == made
    assert asked(home) == ''
