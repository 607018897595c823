"""Make the proposals of the frames of a list, with OpenCV's selective search.

As tools/make_proposals.py, but the ids are frames with their snippet: the file stems of videos
(000000, 000001, ...) repeat from snippet to snippet. A run that was stopped continues when the same
command is given again.

Example:
    python projects/video_wsod/make_frame_proposals.py data/clips \\
        ImageSets/VID_train_keyframes.txt --out data/clips/proposals/train.npz
"""

import argparse
import sys
from pathlib import Path

from frame_list import read_frame_list

from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.recipe import Recipe


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder with Data/VID')
    parser.add_argument('frames', help='list of frames, relative to ROOT')
    parser.add_argument('--out', required=True, metavar='FILE.npz', help='proposal file to write')
    parser.add_argument(
        '--min-side', type=int, default=20, metavar='N', help='drop smaller boxes; %(default)s'
    )
    parser.add_argument('--workers', type=int, metavar='N', help='processes; default: all cores')
    args = parser.parse_args()
    try:
        frames = read_frame_list(args.root / args.frames)
        images = {frame: args.root / 'Data' / 'VID' / f'{frame}.JPEG' for frame in frames}
        missing = [path for path in images.values() if not path.is_file()]
        if missing:
            raise FileNotFoundError(f'{len(missing)} frames are missing, the first: {missing[0]}')
        recipe = Recipe('selective_search', {}, args.min_side)
        meta = generate(images, recipe, args.out, args.workers).meta
    except (ValueError, OSError, RuntimeError) as error:
        print(f'make_frame_proposals: error: {error}', file=sys.stderr)
        return 1
    print(f'{args.out}: {meta["boxes"]} boxes of {meta["images"]} frames')
    return 0


if __name__ == '__main__':
    sys.exit(main())
