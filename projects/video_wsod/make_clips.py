"""Draw short clips of moving objects in the layout of ImageNet VID, with their exact optical flow.

The objects are those of tools/make_demo_dataset.py: large bodies that all classes share and a small
part that tells the class. In 60% of the frames, one by one, camera shake, noise or a patch hides
that part, which the neighbouring frames may show.

Layout written under OUT::

    Data/VID/{train,val}/clip_0000/000000.JPEG
    Annotations/VID/{train,val}/clip_0000/000000.xml     boxes: pixels from 0, inclusive ends
    Flow/VID/{train,val}/clip_0000/000000.npz            flow to the neighbours up to two frames off
    ImageSets/VID_train_keyframes.txt                    three key frames of each clip
    ImageSets/VID_val_frames.txt                         all frames
    ImageSets/VID_val_frames_{clean,blur,noise,occlusion}.txt

An .npz of flow has an array (2, H, W) float16 per neighbour, named by the neighbour's file stem: x
and y displacement in pixels from this frame to the neighbour. Patches are not part of the scene and
have no flow: there the flow is that of what they hide.

Example:
    python projects/video_wsod/make_clips.py data/clips
"""

import argparse
import os
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parents[2] / 'tools'))
from clip_images import DEFECTS, Clip, draw_clip, exact_flow  # noqa: E402

FRAMES = 9  # per clip
KEY_FRAMES = (1, 4, 7)  # of a training clip
REACH = 2  # frames, of the flow
SIZE = 128  # side of a frame, pixels
MAX_CLIPS = 9999


def annotation_xml(clip: Clip, frame: int) -> ET.ElementTree:
    """The annotation of one frame as in ImageNet VID."""
    root = ET.Element('annotation')
    size = ET.SubElement(root, 'size')
    height, width = clip.layers.shape[1:]
    ET.SubElement(size, 'width').text = str(width)
    ET.SubElement(size, 'height').text = str(height)
    for number, (name, box) in enumerate(zip(clip.names, clip.boxes[frame], strict=True)):
        node = ET.SubElement(root, 'object')
        ET.SubElement(node, 'trackid').text = str(number)
        ET.SubElement(node, 'name').text = name
        x1, y1, x2, y2 = (int(value) for value in box)
        corners = ET.SubElement(node, 'bndbox')
        for key, value in dict(xmax=x2 - 1, xmin=x1, ymax=y2 - 1, ymin=y1).items():
            ET.SubElement(corners, key).text = str(value)
        ET.SubElement(node, 'occluded').text = str(int(clip.defects[frame] == 'occlusion'))
        ET.SubElement(node, 'generated').text = '0'
    ET.indent(root)
    return ET.ElementTree(root)


def write_clip(out: Path, snippet: str, clip: Clip, frames: tuple[int, ...]) -> None:
    """Write all images, and annotations and flow of ``frames``, of one clip."""
    folders = {kind: out / kind / 'VID' / snippet for kind in ('Data', 'Annotations', 'Flow')}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for frame, image in enumerate(clip.images):
        Image.fromarray(image).save(folders['Data'] / f'{frame:06d}.JPEG', quality=95)
    for frame in frames:
        annotation_xml(clip, frame).write(folders['Annotations'] / f'{frame:06d}.xml')
        near = range(max(0, frame - REACH), min(FRAMES, frame + REACH + 1))
        flows = {
            f'{other:06d}': exact_flow(clip.layers, clip.poses, frame, other).astype(np.float16)
            for other in near
            if other != frame
        }
        np.savez_compressed(folders['Flow'] / f'{frame:06d}.npz', **flows)


def write_clips(out: Path, train: int, val: int, seed: int) -> None:
    """Write the data set into the folder ``out``."""
    key_frames, val_frames = [], {'': [], 'clean': [], **{name: [] for name in DEFECTS}}
    for index in range(train + val):
        split = 'train' if index < train else 'val'
        snippet = f'{split}/clip_{index:04d}'
        clip = draw_clip(np.random.default_rng([seed, index]), SIZE, FRAMES)
        if split == 'train':
            write_clip(out, snippet, clip, KEY_FRAMES)
            key_frames += [f'{snippet} 1 {frame} {FRAMES}' for frame in KEY_FRAMES]
            continue
        write_clip(out, snippet, clip, tuple(range(FRAMES)))
        for frame, defect in enumerate(clip.defects):
            number = (index - train) * FRAMES + frame + 1
            line = f'{snippet}/{frame:06d} {number}'
            val_frames[''].append(line)
            val_frames[defect or 'clean'].append(line)
    lists = {'VID_train_keyframes': key_frames}
    lists |= {f'VID_val_frames_{name}'.strip('_'): lines for name, lines in val_frames.items()}
    (out / 'ImageSets').mkdir()
    for name, lines in lists.items():
        (out / 'ImageSets' / f'{name}.txt').write_text('\n'.join(lines) + '\n')


def make_clips(out: Path, train: int, val: int, seed: int) -> None:
    """Generate the data set beside ``out`` and rename it into place.

    Args:
        out: Target folder; created.
        train: Number of training clips, at least 1.
        val: Number of validation clips, at least 1; 9999 together at most.
        seed: Non-negative seed of all random choices.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: ``out`` is a file or a folder that is not empty.
    """
    for name, value in (('--train', train), ('--val', val)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, got {value}')
    if train + val > MAX_CLIPS:
        raise ValueError(f'--train and --val: {MAX_CLIPS} clips at most, got {train + val}')
    if seed < 0:
        raise ValueError(f'--seed must not be negative, got {seed}')
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f'{out} is there already; choose another folder')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as scratch:
        fresh = Path(scratch) / 'clips'
        fresh.mkdir()
        write_clips(fresh, train, val, seed)
        os.replace(fresh, out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, help='folder to create')
    parser.add_argument('--train', type=int, default=150, help='training clips (%(default)s)')
    parser.add_argument('--val', type=int, default=40, help='validation clips (%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of all choices (%(default)s)')
    args = parser.parse_args()
    try:
        make_clips(**vars(args))
    except (ValueError, OSError) as error:
        print(f'make_clips: error: {error}', file=sys.stderr)
        return 1
    print(f'{args.out}: {args.train} training and {args.val} validation clips of {FRAMES} frames')
    return 0


if __name__ == '__main__':
    sys.exit(main())
