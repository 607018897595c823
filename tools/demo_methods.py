"""Train and test methods on the generated images with several seeds; print mean and spread.

Every run keeps its numbers in WORK_DIR/CONFIG/SEED/results.json; runs that have this file are not
repeated.

Example:
    python tools/demo_methods.py --seeds 0 1 2
    python tools/demo_methods.py configs/oicr/oicr_demo.py configs/mist/mist_demo.py --jobs 1
"""

import argparse
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from demo import numbers_of_test, prepare_data, run, table_of_seeds

CONFIGS = (
    'configs/wsddn/wsddn_demo.py',
    'configs/oicr/oicr_demo.py',
    'configs/mist/mist_demo_no-drop.py',
    'configs/mist/mist_demo.py',
)
# column: (run, logged name, factor to percent)
COLUMNS = {
    'mAP': ('test', 'pascal_voc/mAP', 100),
    'AR@1': ('test', 'coco/bbox_AR@1', 100),
    'AR@10': ('test', 'coco/bbox_AR@10', 100),
    'AR@100': ('test', 'coco/bbox_AR@100', 100),
    'repeated': ('test', 'repeated/recall', 1),
    'CorLoc': ('corloc', 'corloc/mean', 1),
    'IoU of the top box': ('corloc', 'corloc/mean_iou', 1),
}


def run_once(work_dir: Path, job: tuple[Path, int]) -> dict[str, float]:
    """Train and test one configuration with one seed; its numbers in percent."""
    config, seed = job
    folder = work_dir / config.stem / str(seed)
    results = folder / 'results.json'
    if not results.is_file():
        seeded = ('--cfg-options', f'randomness.seed={seed}')
        run('tools/train.py', config, '--work-dir', folder / 'train', *seeded)
        checkpoint = Path((folder / 'train' / 'last_checkpoint').read_text().strip())
        numbers_of_test(config, checkpoint, folder, COLUMNS)
    return json.loads(results.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='*', type=Path, default=[Path(c) for c in CONFIGS])
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at the same time')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo_methods'))
    args = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # the number of threads changes results
    prepare_data()
    jobs = [(config, seed) for config in args.configs for seed in args.seeds]
    with ThreadPoolExecutor(args.jobs) as pool:
        numbers = list(pool.map(partial(run_once, args.work_dir), jobs))
    seeds = len(args.seeds)
    rows = {jobs[i][0].stem: numbers[i : i + seeds] for i in range(0, len(jobs), seeds)}
    print('\n' + table_of_seeds(rows))


if __name__ == '__main__':
    main()
