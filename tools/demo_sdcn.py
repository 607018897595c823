"""Rows of table 2 of SDCN (ICCV 2019) on the generated images: three stages, several seeds.

Each seed trains the classifier (stage 1), both branches side by side (stage 2) and from there, as
stage 3, no collaboration, segmentation to detection only, and both directions; the first row is
OICR in two parts of the same lengths. Every run keeps its numbers in
WORK_DIR/SEED/ROW/results.json; runs that have this file are not repeated.

Example:
    python tools/demo_sdcn.py --seeds 0 1 2 --jobs 2
"""

import argparse
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from demo import numbers_of_test, prepare_data, run, table_of_seeds

SDCN = Path('configs/sdcn')
# row: config of stage 3
ROWS = {
    'detection only (OICR)': Path('configs/oicr/oicr_demo.py'),
    'both branches, no collaboration': SDCN / 'sdcn_demo_no-collab.py',
    'segmentation to detection': SDCN / 'sdcn_demo_seg2det.py',
    'both directions (SDCN)': SDCN / 'sdcn_demo.py',
}
# OICR's second part: the schedule of stage 3
AS_STAGE_3 = (
    'train_cfg.max_epochs=6',
    'train_cfg.dynamic_intervals="[(1,6)]"',
    'param_scheduler.1.T_max=5',
    'param_scheduler.1.end=6',
)
# column: (run, logged name, factor to percent)
COLUMNS = {
    'mAP': ('test', 'pascal_voc/mAP', 100),
    'CorLoc': ('corloc', 'corloc/mean', 1),
    'IoU of the top box': ('corloc', 'corloc/mean_iou', 1),
    'mIoU of the maps': ('test', 'seg/mIoU', 1),
}


def train(config: Path, folder: Path, seed: int, *options: str) -> Path:
    """Checkpoint of a run; a finished run is not repeated."""
    done = folder / 'done'
    if not done.is_file():
        seeded = ('--cfg-options', f'randomness.seed={seed}', *options)
        run('tools/train.py', config, '--work-dir', folder, *seeded)
        done.touch()
    return Path((folder / 'last_checkpoint').read_text().strip())


def numbers_of(config: Path, folder: Path, start: Path, seed: int) -> dict[str, float]:
    """Train from the checkpoint ``start`` and test; numbers in percent, NaN where there is none."""
    results = folder / 'results.json'
    if not results.is_file():
        options = AS_STAGE_3 if config.stem == 'oicr_demo' else ()
        checkpoint = train(config, folder / 'train', seed, f'load_from={start}', *options)
        numbers_of_test(config, checkpoint, folder, COLUMNS)
    return json.loads(results.read_text())


def run_seed(work_dir: Path, seed: int) -> list[dict[str, float]]:
    """All stages with one seed; the numbers of each row."""
    folder = work_dir / str(seed)
    starts = {'oicr_demo': train(ROWS['detection only (OICR)'], folder / 'oicr', seed)}
    stage1 = train(SDCN / 'sdcn_demo_stage1_classifier.py', folder / 'stage1', seed)
    weights = f'model.classifier.classifier.init_cfg.checkpoint={stage1}'
    stage2 = train(SDCN / 'sdcn_demo_stage2_separate.py', folder / 'stage2', seed, weights)
    return [
        numbers_of(config, folder / config.stem, starts.get(config.stem, stage2), seed)
        for config in ROWS.values()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='seeds at the same time')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo_sdcn'))
    args = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # the number of threads changes results
    prepare_data()
    with ThreadPoolExecutor(args.jobs) as pool:
        seeds = list(pool.map(partial(run_seed, args.work_dir), args.seeds))
    print('\n' + table_of_seeds(dict(zip(ROWS, zip(*seeds, strict=True), strict=True))))


if __name__ == '__main__':
    main()
