"""Stands in for train.py, test.py, make_pseudo_boxes.py and split_images.py, by its name: reads its
inputs, takes a moment for each step and writes as they do; a checkpoint is written in place.

The result tells what went in, so that a stage made of half a file or of another one shows.
"""

import hashlib
import sys
import time
import zipfile
from pathlib import Path

STEPS, MOMENT = 4, 0.02


def after(flag: str) -> str:
    return sys.argv[sys.argv.index(flag) + 1]


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f'.{path.name}.tmp')
    scratch.write_text(text)
    time.sleep(MOMENT)
    scratch.replace(path)


def read(path: Path) -> bytes:
    if path.is_dir():
        return b''.join(read(path / name) for name in ('labelled.json', 'unlabelled.json'))
    if path.suffix == '.pth':
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return archive.read('text')
    return path.read_bytes()


def taken() -> str:
    """Of the files among the arguments."""
    inputs = [Path(arg.split('=')[-1]) for arg in sys.argv[1:]]
    content = [read(path) for path in inputs if path.is_absolute() and path.exists()]
    assert all(content), 'an empty input'
    return hashlib.sha256(b''.join(content)).hexdigest()


def train(folder: Path, text: str) -> None:
    """An epoch after the last complete checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / 'last_checkpoint'
    done = int(Path(note.read_text()).stem[6:]) if note.exists() else 0
    for epoch in range(done + 1, STEPS + 1):
        path = folder / f'epoch_{epoch}.pth'
        with open(path, 'wb') as file:
            file.write(b'half')
            file.flush()
            time.sleep(MOMENT)
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr(zipfile.ZipInfo('text'), f'{text} {epoch}')
        note.write_text(str(path))


def main() -> None:
    kind = Path(sys.argv[0]).stem
    folders = [Path(after(flag)) for flag in ('--work-dir', '--out') if flag in sys.argv]
    if kind == 'train':
        assert '--resume' in sys.argv
        sys.argv.remove(after('--work-dir'))
        train(folders[0], taken())
        return
    out = folders[-1]
    for folder in folders:
        if str(folder) in sys.argv:
            sys.argv.remove(str(folder))
    text = taken()
    time.sleep(STEPS * MOMENT)
    if kind == 'split_images':
        for name in ('losses', 'labelled', 'unlabelled'):
            write(out / f'{name}.json', f'"{name} {text}"')
    else:
        write(out, f'"{text}"')


if __name__ == '__main__':
    main()
