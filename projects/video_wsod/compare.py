"""Train the single-frame and the aggregating detector on the clips; print every seed and the mean.

Every run keeps its log in WORK_DIR/CONFIG/SEED; runs that are complete are not repeated.

Example:
    python projects/video_wsod/make_clips.py data/clips
    python projects/video_wsod/compare.py --seeds 0 1 2
"""

import argparse
import os
import sys
from pathlib import Path
from statistics import mean, stdev

from terminaltables import GithubFlavoredMarkdownTable

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / 'tools'))
from demo import run, scalars  # noqa: E402

CLIPS = Path('data/clips')
LISTS = dict(train='VID_train_keyframes', val='VID_val_frames')
CONFIGS = ('oicr_clips', 'oicr_fgfa_clips')
COLUMNS = ('mAP', *(f'mAP_{name}' for name in ('clean', 'blur', 'noise', 'occlusion')))


def run_once(config: str, folder: Path, seed: int) -> dict[str, float]:
    """Train one configuration with one seed; mAP after the last epoch in percent."""
    done = folder / 'done'
    if not done.is_file():
        path = f'projects/video_wsod/configs/{config}.py'
        seeded = ('--cfg-options', f'randomness.seed={seed}')
        run('tools/train.py', path, '--work-dir', folder, *seeded)
        done.touch()
    return {name: 100 * scalars(folder, f'pascal_voc/{name}')[-1] for name in COLUMNS}


def table_rows(numbers: dict[str, list[dict[str, float]]], seeds: list[int]) -> list[list[str]]:
    """One row per configuration and seed, then mean and standard deviation over the seeds."""
    rows = []
    for config, runs in numbers.items():
        values = [[one[column] for one in runs] for column in COLUMNS]
        for n, seed in enumerate(seeds):
            rows.append([f'{config}, seed {seed}', *(f'{v[n]:.1f}' for v in values)])
        if len(seeds) > 1:
            rows.append([f'{config}, mean', *(f'{mean(v):.1f} ± {stdev(v):.1f}' for v in values)])
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/video_wsod'))
    args = parser.parse_args()
    if not (CLIPS / 'ImageSets').is_dir():
        print(f'compare: error: {CLIPS} has no ImageSets: run make_clips.py', file=sys.stderr)
        return 1
    os.environ['PYTHONPATH'] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    )
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # the number of threads changes results
    for split, name in LISTS.items():
        out = CLIPS / 'proposals' / f'{split}.npz'
        if not out.is_file():
            tool = 'projects/video_wsod/make_frame_proposals.py'
            run(tool, CLIPS, f'ImageSets/{name}.txt', '--out', out)
    numbers = {config: [] for config in CONFIGS}
    for seed in args.seeds:
        for config in CONFIGS:
            folder = args.work_dir / config / str(seed)
            numbers[config].append(run_once(config, folder, seed))
    rows = [['', *COLUMNS], *table_rows(numbers, args.seeds)]
    print('\n' + GithubFlavoredMarkdownTable(rows).table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
