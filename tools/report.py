"""One HTML page about a training: metrics, curves, classes, error modes, pictures, configuration.

Writes WORK_DIR/report.html, a single file to look at, print or send: it needs no network. Works
for detectors, localizers and regressors. What WORK_DIR does not hold is named at the page's end."""

import argparse
import sys
from pathlib import Path

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.visualization.report import write_report

EXAMPLE = """examples:
  python tools/report.py work_dirs/oicr_demo
  python tools/test.py configs/oicr/oicr_demo.py CHECKPOINT --out work_dirs/oicr_demo/results.pkl
  python tools/visualize.py configs/oicr/oicr_demo.py CHECKPOINT --out work_dirs/oicr_demo/pictures
  python tools/report.py work_dirs/oicr_demo --results work_dirs/oicr_demo/results.pkl \\
      --config configs/oicr/oicr_demo.py"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'work_dir',
        type=Path,
        metavar='WORK_DIR',
        help='folder of tools/train.py or tools/test.py, or one above several; pictures below it '
        'are shown too',
    )
    parser.add_argument(
        '--results',
        metavar='FILE.pkl',
        help='of tools/test.py --out of a detector: adds error modes, best and worst images',
    )
    parser.add_argument('--config', help='config of that test run; it has the objects')
    parser.add_argument(
        '--data-root', metavar='DIR', help='with --results: folder of images whose names repeat'
    )
    parser.add_argument(
        '--pictures', nargs='+', type=Path, default=[], metavar='DIR', help='more pictures'
    )
    parser.add_argument(
        '--num',
        type=int,
        default=12,
        help='pictures of each folder, half as many best and worst images; default: 12',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    try:
        path, notes = write_report(**vars(parse_args(argv)))
    except (ValueError, OSError) as error:
        print(f'report: error: {error}', file=sys.stderr)
        return 1
    for note in notes:
        print(f'not shown: {note}')
    print(f'{path}: {path.stat().st_size / 1e6:.1f} MB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
