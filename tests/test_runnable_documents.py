"""Commands of the documents, run as they are printed.

A block of commands behind the line ``<!-- runnable -->`` is run; those of a document in order, in
an empty folder that looks like a fresh clone: what a block needs, a block before it has made.
"""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ('*.md', 'docs/**/*.md', 'configs/*/README.md', 'projects/**/*.md')
BLOCK = re.compile(r'^<!-- runnable -->\n+```bash\n(.*?)^```$', re.DOTALL | re.MULTILINE)
MARK = re.compile('^<!-- runnable -->$', re.MULTILINE)
WRITTEN = {'data', 'work_dirs'}  # a clone has none


def blocks_of(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


RUNNABLE = {
    page.relative_to(ROOT).as_posix(): blocks_of(page)
    for pattern in PAGES
    for page in sorted(ROOT.glob(pattern))
    if MARK.search(page.read_text())
}


@pytest.fixture
def clone(tmp_path):
    """A folder with a space in its name that holds the repository, without data and results."""
    folder = tmp_path / 'new clone'
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name not in WRITTEN and not path.name.startswith('.'):
            (folder / path.name).symlink_to(path)
    return folder


def run(block: str, folder: Path) -> str:
    """Output of a block of commands, with this Python; each must succeed."""
    bin_folder = Path(sys.executable).parent
    env = {
        **os.environ,
        'PATH': f'{bin_folder}{os.pathsep}{os.environ["PATH"]}',
        'CUDA_VISIBLE_DEVICES': '-1',
    }
    env.setdefault('OMP_NUM_THREADS', '1')
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', block],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f'{block}\n{done.stdout[-4000:]}'
    return done.stdout


def test_marks_stand_before_blocks():
    assert len(RUNNABLE) > 5
    for page, blocks in RUNNABLE.items():
        text = (ROOT / page).read_text()
        assert len(blocks) == len(MARK.findall(text)), f'{page}: a mark without commands behind it'


def test_tour_and_notebook_are_one():
    made = runpy.run_path(str(ROOT / 'docs' / 'notebook.py'))
    text = made['SOURCE'].read_text()
    assert made['TARGET'].read_text() == made['notebook'](text), 'run python docs/notebook.py'
    cells = [source for kind, source in made['cells_of'](text) if kind == 'code']
    assert [cell.removeprefix('%%bash -e\n') for cell in cells if cell.startswith('%%bash')] == [
        block.strip() for block in RUNNABLE['docs/tour.md']
    ]
    assert made['START'].strip() == cells[0]


def test_a_command_that_fails_is_seen(tmp_path):
    assert run('echo a\necho b', tmp_path) == 'a\nb\n'
    for block in (
        'false\ntrue',
        'false | true',
        'echo $UNKNOWN',
        'python -c "import nothing_here"',
    ):
        with pytest.raises(AssertionError):
            run(block, tmp_path)


ALIKE = ('README.md', 'configs/wsol/README.md', 'docs/methods/psol.md')
ELSEWHERE = {*ALIKE, 'docs/own_data.md', 'docs/tour.md'}


@pytest.mark.slow
def test_pages_that_begin_alike(clone):
    """In one folder: what was run for a page is not run again for the next."""
    done = []
    for page in ALIKE:
        text = ''.join(RUNNABLE[page]).replace('\\\n', ' ')
        commands = [re.sub(r'\s+#.*', '', line) for line in text.splitlines()]
        new = [command for command in commands if command not in done]
        assert new and commands == [*done[: len(commands) - len(new)], *new], page
        run('\n'.join(new), clone)
        done += new


@pytest.mark.slow
@pytest.mark.parametrize('page', sorted(set(RUNNABLE) - ELSEWHERE))
def test_commands(page, clone):
    for block in RUNNABLE[page]:
        run(block, clone)


@pytest.mark.slow
def test_tour_as_a_notebook(clone):
    """Its cells are the commands of the tour, which are not run a second time as such."""
    nbclient = pytest.importorskip('nbclient')
    nbformat = pytest.importorskip('nbformat')
    pytest.importorskip('ipykernel')
    notebook = nbformat.read(ROOT / 'docs/tour.ipynb', 4)
    nbformat.validate(notebook)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('CUDA_VISIBLE_DEVICES', '-1')
        patch.setenv('OMP_NUM_THREADS', os.environ.get('OMP_NUM_THREADS', '1'))
        where = dict(metadata=dict(path=clone))
        nbclient.NotebookClient(notebook, timeout=None, resources=where).execute()
    shown = [
        output.data
        for cell in notebook.cells
        for output in cell.get('outputs', ())
        if output.output_type == 'display_data'
    ]
    assert len(shown) == 6 and all('image/png' in data or 'image/jpeg' in data for data in shown)


@pytest.mark.slow
def test_from_labels_of_own_images_to_a_report(clone):
    """A stranger's path, by nothing but the commands of docs/own_data.md."""
    shown = ''.join(run(block, clone) for block in RUNNABLE['docs/own_data.md'])
    rows = (clone / 'data/shapes.csv').read_text().splitlines()
    assert rows[0] == 'image,label' and len(rows) == 61
    assert 'Epoch(train) [1]' in shown
    work = clone / 'work_dirs/shapes_detector'
    pictures = sorted((clone / 'work_dirs/shapes_detector/shown/vis').iterdir())
    tested = sorted((clone / 'data/shapes/images/test').iterdir())
    assert [path.stem for path in pictures] == [path.stem for path in tested] and len(tested) == 10
    page = (work / 'report.html').read_text()
    assert page.count('<figure') >= 4 and 'loss' in page
