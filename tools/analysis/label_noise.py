"""Study wrong pseudo boxes: regressor and detectors, several shares of wrong boxes, several seeds.

Draws images with one to three objects and one pseudo box each, of which a known share is wrong
(``tools/make_noisy_boxes.py``), trains every method on the same boxes with every seed of training,
and tests the last epoch against the true boxes of other images. Prints a table of means and
spreads, GT-known Loc of the most confident box and of any of the five most confident, and writes it
as CSV, with a picture. Runs that have their result are not repeated.

Example:
    python tools/analysis/label_noise.py --jobs 2
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.runner import Runner
from terminaltables import GithubFlavoredMarkdownTable

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.checkpoints import refuse_code
from wsl_plugins.config_names import find_config
from wsl_plugins.files.writing import atomic_write, write_json

TOOLS = Path(__file__).absolute().parents[1]
HEAD = 'model.bbox_head'
NO_ENTROPY = {f'{HEAD}.loss_cls.entropy.loss_weight': 0.0}
ETA_1 = {f'{HEAD}.loss_cls.eta': 1.0} | {
    f'{HEAD}.{loss}.loss_weight': 1.0 for loss in ('loss_bbox', 'loss_centerness')
}
# config and changes; "BCD eta" has the weights of "BCD + WE" without its entropy
METHODS = {
    'SCR': ('configs/psol/psol_wend-demo.py', {}),
    'BCD': ('configs/wend/bcd_fcos_demo.py', {}),
    'BCD + WE eta 1': ('configs/wend/wend_fcos_demo.py', ETA_1),
    'BCD eta': ('configs/wend/wend_fcos_demo.py', NO_ENTROPY),
    'BCD + entropy': ('configs/wend/entropy_fcos_demo.py', {}),
    'BCD + WE': ('configs/wend/wend_fcos_demo.py', {}),
}
ONE, ANY = 'wsol/gt_known_loc', 'wsol/gt_known_loc_multi'


def box_file(data: Path, wrong: float) -> Path:
    return data / f'pseudo_boxes_{wrong:g}.json'


def prepare(data: Path, shares: list[float]) -> None:
    """Draw images and boxes, unless they are there already."""

    def tool(name: str, *args: object) -> None:
        subprocess.run([sys.executable, TOOLS / f'{name}.py', *map(str, args)], check=True)

    if not data.is_dir():
        tool('make_wsol_demo', '--out', data, '--objects', 1, 3, '--train-boxes')
    metadata = data / 'metadata_train_boxes'
    for wrong in shares:
        if not box_file(data, wrong).is_file():
            source = ('--metadata-root', metadata, '--split', 'train-weaksup')
            tool('make_noisy_boxes', *source, '--wrong', wrong, '--out', box_file(data, wrong))


def run_once(args: argparse.Namespace, method: str, wrong: float, seed: int) -> dict[str, float]:
    """Train and test one method; its numbers in percent."""
    config, changes = METHODS[method]
    folder = args.work_dir / f'{method.replace(" ", "_")}_{wrong:g}' / str(seed)
    results = folder / 'results.json'
    if not results.is_file():
        torch.set_num_threads(1)  # the number of threads changes results
        cfg = Config.fromfile(find_config(config))
        for part in ('train', 'val', 'test'):
            cfg[f'{part}_dataloader'].dataset.data_root = f'{args.data}/'
        cfg.train_dataloader.dataset.box_file = box_file(args.data, wrong).name
        if method != 'SCR':
            cfg.test_evaluator.max_boxes = 5
        cfg.merge_from_dict(
            dict(
                changes,
                work_dir=str(folder),
                log_level='WARNING',
                randomness=dict(seed=seed),
                train_cfg=dict(val_interval=10**6),
                default_hooks=dict(checkpoint=dict(save_best=None)),
            )
        )
        if args.epochs:
            cfg.train_cfg.max_epochs = args.epochs
        refuse_code()
        runner = Runner.from_cfg(cfg)
        runner.train()
        numbers = {key: float(value) for key, value in runner.test().items()}
        write_json(results, numbers)
    return json.loads(results.read_text())


def table(numbers: dict[tuple[str, float], list[dict]], shares: list[float]) -> list[list[str]]:
    """Rows of methods; columns of shares, first the most confident box, then any of five."""
    heads = [f'{which} {100 * wrong:g}%' for which, wrong in product(('top', 'any'), shares)]
    rows = [['wrong boxes', *heads]]
    for method in METHODS:
        cells = [method]
        for key, wrong in product((ONE, ANY), shares):
            values = [run[key] for run in numbers[method, wrong] if key in run]
            spread = f' ± {stdev(values):.1f}' if len(values) > 1 else ''
            cells.append(f'{mean(values):.1f}{spread}' if values else '-')
        rows.append(cells)
    return rows


def draw(numbers: dict[tuple[str, float], list[dict]], shares: list[float], path: Path) -> None:
    """Both measures over the share of wrong boxes, a line per method, a dot per seed."""
    figure = Figure(figsize=(9, 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    titles = ('most confident box', 'any of the five most confident boxes')
    for axis, key, title in zip(axes, (ONE, ANY), titles, strict=True):
        for index, method in enumerate(METHODS):
            runs = [[run[key] for run in numbers[method, w] if key in run] for w in shares]
            if not all(runs):
                continue
            color, x = f'C{index}', [100 * w for w in shares]
            axis.plot(x, [mean(values) for values in runs], color=color, label=method)
            for share, values in zip(x, runs, strict=True):
                axis.plot([share] * len(values), values, '.', color=color, alpha=0.5)
        axis.set(title=title, xlabel='wrong pseudo boxes (%)', xticks=x)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel('GT-known Loc (%)')
    axes[1].legend(*axes[0].get_legend_handles_labels(), loc='lower left')
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--wrong', type=float, nargs='+', default=[0, 0.2, 0.4], help='shares')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--epochs', type=int, help='other than the configs say, for a quick look')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at the same time')
    parser.add_argument('--data', type=Path, default=Path('data/wend_demo'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/label_noise'))
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    prepare(args.data, args.wrong)
    jobs = [job[::-1] for job in product(args.seeds, args.wrong, METHODS)]
    with ProcessPoolExecutor(args.jobs, max_tasks_per_child=1) as pool:
        runs = list(pool.map(run_once, *zip(*((args, *job) for job in jobs), strict=True)))
    numbers: dict[tuple[str, float], list[dict]] = {}
    for (method, wrong, _), run in zip(jobs, runs, strict=True):
        numbers.setdefault((method, wrong), []).append(run)
    rows = table(numbers, args.wrong)
    with atomic_write(args.work_dir / 'label_noise.csv') as file:
        file.write('\n'.join(','.join(row) for row in rows).encode())
    draw(numbers, args.wrong, args.work_dir / 'label_noise.png')
    print('\n' + GithubFlavoredMarkdownTable(rows).table)


if __name__ == '__main__':
    main()
