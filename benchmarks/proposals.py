"""Recall, average best overlap and seconds of the ways to make proposals.

Every method searches the same images in one thread, in turns, and its time is that of the processor
without reading the image; of joined methods it is the sum of theirs and of joining. Ratios are to
OpenCV's selective search of the same run. Where boxes have scores, curves show the best k of each
image, else all boxes are a point.

Images are generated ones (``tools/make_demo_dataset.py``), or those of a split of VOC without
difficult objects, or of the test images of WSOL metadata.

Example:
    python benchmarks/proposals.py --images 24
    python benchmarks/proposals.py --voc-root data/VOCdevkit/VOC2007 --split val --every 10 \\
        --wsol CUB data/CUB/images data/CUB/wsol_metadata --figure proposals.png
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from terminaltables import GithubFlavoredMarkdownTable

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.images import find_images, read_pixels
from wsl_plugins.proposals.ground_truth import voc_objects
from wsl_plugins.proposals.joined import Joined
from wsl_plugins.proposals.recipe import BEST, DEFAULT, FAST, JOIN, Recipe, option_names, propose
from wsl_plugins.structures.box_iou import box_ious

TOOL = Path(__file__).parents[1] / 'tools' / 'make_demo_dataset.py'
RECIPES = {
    '`selective_search`': Recipe('selective_search', {}),
    '`dlib`': Recipe('dlib', {}),
    '`dlib`, 6 scales': Recipe('dlib', dict(kvals=(50, 400, 6), min_size=0.001)),
    '`edge_boxes` (`--fast`)': FAST,
    '`selective_search+edge_boxes` (default)': DEFAULT,
    '`selective_search+edge_boxes`, 3000 (`--best`)': BEST,
}
THRESHOLDS = (0.5, 0.7, 0.8)
BUDGETS = (50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000)
Images = list[tuple[Path, np.ndarray]]


class Found(NamedTuple):
    """Of one recipe: boxes an image, best overlap (G, len(BUDGETS) + 1) of each object with the
    first boxes and with all, whether boxes are ranked, and seconds an image."""

    boxes: float
    overlaps: np.ndarray
    ranked: bool
    seconds: float


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--images', type=int, default=24, help='generated, default: 24')
    parser.add_argument('--size', type=int, default=360, help='their longer side, default: 360')
    parser.add_argument('--voc-root', type=Path, metavar='DIR', help='VOC in place of them')
    parser.add_argument('--split', default='val', help='of VOC, default: val')
    parser.add_argument(
        '--wsol',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'IMAGES', 'METADATA'),
        help='test images of WSOL metadata, too',
    )
    parser.add_argument('--every', type=int, default=1, help='every n-th image, default: 1')
    parser.add_argument('--figure', type=Path, metavar='FILE', help='draw the curves')
    return parser.parse_args()


def of_voc(root: Path, split: str, every: int) -> Images:
    objects = voc_objects(root, split)
    images, _ = find_images(root / 'JPEGImages', root / 'ImageSets' / 'Main' / f'{split}.txt')
    return [(images[name], objects[name].boxes) for name in sorted(images)[::every]]


def of_wsol(folder: str, root: str, every: int) -> Images:
    metadata = WSOLMetadata.load(root, 'test', require='boxes')
    # both ends of these boxes are inside
    ends = np.array([0, 0, 1, 1])
    return [(Path(folder, i), metadata.boxes[i] + ends) for i in metadata.image_ids[::every]]


def search(images: Images) -> dict[str, Found]:
    """Every method finds its boxes once; the time counts for every recipe that takes them."""
    parts = {name: parts_of(recipe) for name, recipe in RECIPES.items()}
    single = {key: recipe.proposer() for own in parts.values() for key, recipe in own.items()}
    whole = {name: recipe.proposer() for name, recipe in RECIPES.items()}
    spent = dict.fromkeys([*single, *RECIPES], 0.0)
    overlaps: dict[str, list[np.ndarray]] = {name: [] for name in RECIPES}
    boxes_found, ranked = dict.fromkeys(RECIPES, 0), {}
    for path, objects in images:
        image, found = read_pixels(path), {}
        for key, proposer in single.items():
            started = time.process_time()
            found[key] = propose(image, proposer, DEFAULT.min_side)
            spent[key] += time.process_time() - started
        for name, proposer in whole.items():
            own = [found[key] for key in parts[name]]
            started = time.process_time()
            boxes, scores = proposer.join(own) if isinstance(proposer, Joined) else own[0]
            spent[name] += time.process_time() - started
            ranked[name] = scores is not None
            boxes_found[name] += len(boxes)
            ious = box_ious(objects, boxes)
            best = [ious[:, :k].max(axis=1, initial=0) for k in (*BUDGETS, None)]
            overlaps[name].append(np.stack(best, axis=1))
    return {
        name: Found(
            boxes_found[name] / len(images),
            np.concatenate(overlaps[name]),
            ranked[name],
            (spent[name] + sum(spent[key] for key in parts[name])) / len(images),
        )
        for name in RECIPES
    }


def parts_of(recipe: Recipe) -> dict[str, Recipe]:
    """The methods of a recipe, by what tells them from those of others."""
    found = {}
    for method in recipe.method.split(JOIN):
        known = option_names(method)
        part = Recipe(method, {k: v for k, v in recipe.options.items() if k in known})
        found[str(part.meta())] = part
    return found


def print_table(found: dict[str, Found]) -> None:
    heading = ['method', 'boxes an image', *map(str, THRESHOLDS), 'ABO', 's an image', 'ratio']
    rows, unit = [heading], next(iter(found.values())).seconds
    for name, of in found.items():
        best = of.overlaps[:, -1]
        recalls = [f'{100 * (best >= threshold).mean():.1f}' for threshold in THRESHOLDS]
        speed = [f'{of.seconds:.3f}', f'{of.seconds / unit:.2f}']
        rows.append([name, f'{of.boxes:.0f}', *recalls, f'{100 * best.mean():.1f}', *speed])
    print(GithubFlavoredMarkdownTable(rows).table)


def draw(results: dict[str, dict[str, Found]], path: Path) -> None:
    """A column for each set of images; recall at two overlaps and ABO below each other."""
    figure = Figure(figsize=(1 + 3.2 * len(results), 7.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, len(results), sharex=True, sharey='row', squeeze=False)
    measures = {
        'recall at IoU 0.5': lambda best: (best >= 0.5).mean(axis=0),
        'recall at IoU 0.7': lambda best: (best >= 0.7).mean(axis=0),
        'average best overlap': lambda best: best.mean(axis=0),
    }
    for column, (title, found) in enumerate(results.items()):
        axes[0, column].set_title(title)
        for row, (label, measure) in enumerate(measures.items()):
            ax = axes[row, column]
            for number, (name, of) in enumerate(found.items()):
                x, y = [*BUDGETS, of.boxes], 100 * measure(of.overlaps)
                keep = [k < of.boxes * 0.99 for k in BUDGETS] + [True]
                if not of.ranked:
                    keep = [False] * len(BUDGETS) + [True]
                style = dict(color=f'C{number}', label=name.replace('`', ''), marker='o')
                width = dict(lw=1 + 0.6 * number, ms=3 + 0.8 * number, zorder=-number)  # all seen
                ax.plot(np.compress(keep, x), np.compress(keep, y), **style, **width)
            ax.set_xscale('log')
            ax.grid(True, which='both', alpha=0.25)
            if column == 0:
                ax.set_ylabel(f'{label}, %')
        axes[-1, column].set_xlabel('boxes an image')
        axes[-1, column].set_xticks(
            (50, 100, 300, 1000, 3000), ('50', '100', '300', '1000', '3000')
        )
        axes[-1, column].minorticks_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc='outside lower center', ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        title, root, split = 'VOC', args.voc_root, args.split
        if root is None:
            title, root, split = 'generated', Path(folder, 'data', 'VOC2007'), 'train'
            numbers = dict(train=args.images, test=1, size=args.size)
            options = [f'--{key}={value}' for key, value in numbers.items()]
            command = [sys.executable, TOOL, root.parent, *options]
            subprocess.run(command, check=True, capture_output=True)
        sets = {title: of_voc(root, split, args.every)}
        for name, images, metadata in args.wsol:
            sets[name] = of_wsol(images, metadata, args.every)
        results = {name: search(images) for name, images in sets.items()}
    for name, found in results.items():
        objects = sum(len(boxes) for _, boxes in sets[name])
        print(f'\n{name}: {len(sets[name])} images, {objects} objects, recall in %\n')
        print_table(found)
    if args.figure is not None:
        draw(results, args.figure)


if __name__ == '__main__':
    main()
