"""Changes valid files at random, reads them with every reader of the package, and keeps what a
reader does not refuse with a ValueError or OSError that names the file: other errors, crashes,
more than 5 seconds, more than 512 MB. Run from the root of the repository:

    python tests/fuzz --minutes 10"""

import argparse
import collections
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(2**26))  # before cv2 is imported

from fuzz_cases import CRASHERS, crasher_name, in_child  # noqa: E402
from fuzz_readers import READERS  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('readers', nargs='*', help=f'default: all: {" ".join(READERS)}')
    parser.add_argument('--minutes', type=float, default=10)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    unknown = set(args.readers) - set(READERS)
    if unknown:
        parser.error(f'no such reader: {", ".join(sorted(unknown))}')
    names = args.readers or list(READERS)
    found = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            folder, log = Path(scratch, 'case'), Path(scratch, 'log')
            status, text = in_child(name, folder, args.seed, 60 * args.minutes / len(names), log)
            lines = text.splitlines()
            kinds = collections.Counter(line.partition(': ')[2] for line in lines[:-1])
            if status:
                print(f'{name}: ended with status {status}, at', flush=True)
                valid = Path(scratch, 'valid')
                valid.mkdir()
                READERS[name].make(valid)
                for path in sorted(folder.rglob('*')):
                    whole = valid / path.relative_to(folder)
                    if path.is_file() and path.read_bytes() != whole.read_bytes():
                        shutil.copyfile(path, CRASHERS / crasher_name(name, folder, path))
                shutil.rmtree(valid)
                kinds[f'status {status}'] += 1
            print(
                f'{name}: {lines[-1] if lines else "-"}, {sum(kinds.values())} faults', flush=True
            )
            for kind, number in kinds.most_common():
                example = next((line for line in lines if kind in line), '').partition(': ')[0]
                print(f'  {number} x {kind} ({example})', flush=True)
            found += sum(kinds.values())
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
