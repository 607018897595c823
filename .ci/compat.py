"""Does the package run with other versions? Builds the environments of requirements/compat.

The first line of each file there names the Python versions to try it with, the second one what is
installed last: OpenCV with the contrib modules over the other ones, as ``make setup`` does. One
environment after the other is built in a temporary folder (5 GB, of which nothing stays), and in it
are run: the import, the build of all configs, the demo for one epoch on generated images, the tests
of models, data, metrics and files (``--every 10``: each tenth test only). The table goes into
docs/install.md; what was printed is in work_dirs/compat.

Example:
    python .ci/compat.py                  # all of them: hours
    python .ci/compat.py oldest pins:3.13
    python .ci/compat.py oldest --every 10
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from terminaltables import GithubFlavoredMarkdownTable

ROOT = Path(__file__).parents[1]
FILES = ROOT / 'requirements/compat'
LOGS = ROOT / 'work_dirs/compat'
SECONDS = 3600  # of each step
SHOWN = {  # columns: the modules that tell their version
    'torch': ('torch', 'torchvision'),
    'OpenMMLab': ('mmengine', 'mmcv', 'mmdet', 'mmpretrain'),
    'NumPy, OpenCV': ('numpy', 'cv2'),
}
IMPORT = (
    'import wsl_plugins, importlib, json; from mmdet.utils import register_all_modules\n'
    'register_all_modules()\n'
    f'names = {sum(SHOWN.values(), ())}\n'
    'print(json.dumps({n: importlib.import_module(n).__version__ for n in names}))'
)
PYTEST = ('-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--tb=short', '-o', 'addopts=')
PYTEST += ('--import-mode=importlib', '-m', 'not slow')
CONFIGS = [path.relative_to(ROOT) for path in sorted(ROOT.glob('tests/test_*configs.py'))]
LAST = '# last, without dependencies: '
UNITS = ('models', 'datasets', 'evaluation', 'files')
STEPS = ('import', 'configs', 'demo of one epoch', 'unit tests')


def rows(chosen: list[str], files: Path = FILES) -> Iterator[tuple[Path, str]]:
    """File of requirements and Python version of each environment; of those chosen, if any are.

    Raises:
        ValueError: One is chosen that is not there, or a file does not name its Python.
    """
    known = {}
    for path in sorted(files.glob('*.txt')):
        versions = re.findall(r'3\.\d+', path.read_text(encoding='utf-8').splitlines()[0])
        if not versions:
            raise ValueError(f'{path}: the first line names no Python version')
        known |= {f'{path.stem}:{version}': (path, version) for version in versions}
    for choice in chosen:
        if not any(choice in (name, name.split(':')[0]) for name in known):
            raise ValueError(f'{choice!r} is none of them: {", ".join(known)}')
    for name, row in known.items():
        if not chosen or name in chosen or name.split(':')[0] in chosen:
            yield row


def find_python(version: str) -> str | None:
    """A Python of this version that runs, on the path or of pyenv."""
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'), 'versions')
    for path in (shutil.which(f'python{version}'), *pyenv.glob(f'{version}.*/bin/python')):
        if (
            path
            and subprocess.run([path, '-c', 'import ensurepip'], capture_output=True).returncode
            == 0
        ):
            return str(path)
    return None


class Environment:
    """An environment in a folder of its own, and what was printed in it."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log = folder, log
        self.python = folder / 'bin/python'
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text('')

    def run(self, *command: object, cwd: Path = ROOT) -> str:
        """What the command printed.

        Raises:
            subprocess.SubprocessError: It failed, or took too long.
        """
        words = [str(word) for word in command]
        env = {**os.environ, 'PYTHONPATH': str(ROOT), 'CUDA_VISIBLE_DEVICES': '-1'}
        with open(self.log, 'a+') as log:
            log.write(f'\n$ {" ".join(words)}\n')
            log.flush()
            start = log.tell()
            done = subprocess.run(
                words, cwd=cwd, env=env, stdout=log, stderr=subprocess.STDOUT, timeout=SECONDS
            )
            log.seek(start)
            output = log.read()
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, output)
        return output

    def build(self, python: str, requirements: Path) -> None:
        """Install; last what the second line names, over what others bring in."""
        pip = ('-m', 'pip', '--disable-pip-version-check', 'install', '--progress-bar', 'off')
        last = requirements.read_text(encoding='utf-8').splitlines()[1].partition(LAST)[2].split()
        self.run(python, '-m', 'venv', self.folder)
        self.run(self.python, *pip, '-r', requirements)
        self.run(self.python, *pip, '--no-deps', '--upgrade', '--force-reinstall', *last)

    def demo(self, folder: Path) -> str:
        """Data, proposals, one epoch, test, inference; the mean average precision."""
        tools, run = ROOT / 'tools', lambda *words: self.run(self.python, *words, cwd=folder)
        config, work = ROOT / 'configs/mist/mist_demo.py', folder / 'work'
        images = 'data/demo/VOC2007/JPEGImages'
        run(tools / 'make_demo_dataset.py', 'data/demo')
        method = ('--method', 'selective_search', '--min-side', '20')
        run(tools / 'make_proposals.py', images, '--out', 'data/demo/proposals.npz', *method)
        options = ('--cfg-options', 'train_cfg.max_epochs=1')
        run(tools / 'train.py', config, '--work-dir', work, *options)
        weights = work / 'epoch_1.pth'
        printed = run(tools / 'test.py', config, weights, '--work-dir', folder / 'test')
        run(tools / 'infer.py', f'{images}/100001.jpg', config, weights, '--out', 'found')
        return f'mAP {re.findall(r"pascal_voc/mAP: ([0-9.]+)", printed)[-1]}'

    def test(self, every: int, *paths: object) -> str:
        """Numbers of the tests that passed, failed and were skipped, each ``every``-th of them."""
        try:
            printed = self.run(self.python, *PYTEST, '--every', every, *paths)
        except subprocess.CalledProcessError as error:
            printed = error.output
        return counts(printed)

    def versions(self) -> dict[str, str]:
        """Version of each module of ``SHOWN``."""
        return json.loads(self.run(self.python, '-c', IMPORT).splitlines()[-1])


def counts(printed: str) -> str:
    """The numbers in the last line of pytest.

    Example:
        >>> counts('..F\\n1 failed, 2 passed, 1 skipped, 3 warnings in 4.08s (0:00:04)')
        '1 failed, 2 passed, 1 skipped'
    """
    last = (printed.strip() or 'nothing was printed').splitlines()[-1]
    found = re.findall(r'\d+ (?:failed|passed|skipped|errors?)\b', last)
    return ', '.join(found) or f'failed: {last:.80}'


def row_of(path: Path, version: str, every: int = 1) -> list[str]:
    """The table's row of an environment; a step that fails ends it, with the log's name."""
    name = f'{path.stem}-{version}'
    row = [path.stem, version, *[''] * (len(SHOWN) + len(STEPS))]
    python = find_python(version)
    if python is None:
        row[2] = 'no such Python here'
        return row
    with tempfile.TemporaryDirectory(prefix='compat.') as scratch:
        env = Environment(Path(scratch, 'env'), LOGS / f'{name}.log')
        place = 2
        try:
            env.build(python, path)
            found = env.versions()
            row[2 : 2 + len(SHOWN)] = [
                ', '.join(f'{found[m]}' for m in names) for names in SHOWN.values()
            ]
            place += len(SHOWN)
            row[place] = 'yes'
            demo = Path(scratch, 'demo')
            demo.mkdir()
            for step in (
                lambda: env.test(every, *CONFIGS),
                lambda: env.demo(demo),
                lambda: env.test(every, *[f'tests/test_{part}' for part in UNITS]),
            ):
                place += 1
                row[place] = step()
        except (subprocess.SubprocessError, IndexError) as error:
            print(f'{name}: {error}; see {env.log}', file=sys.stderr)
            row[place] = 'failed'
    return row


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('names', nargs='*', metavar='NAME', help='file, or file:Python; all')
    parser.add_argument(
        '--every', type=int, default=1, metavar='N', help='each N-th test only (default: all)'
    )
    args = parser.parse_args()
    try:
        chosen = list(rows(args.names))
    except ValueError as error:
        parser.error(str(error))
    table = [['', 'Python', *SHOWN, *STEPS]]
    for path, version in chosen:
        print(f'{path.stem}, Python {version} ...', file=sys.stderr, flush=True)
        table.append(row_of(path, version, args.every))
        text = GithubFlavoredMarkdownTable(table).table
        (LOGS / 'table.md').write_text(text + '\n')
    print(text)
    return int(any('fail' in cell or 'error' in cell for row in table for cell in row))


if __name__ == '__main__':
    sys.exit(main())
