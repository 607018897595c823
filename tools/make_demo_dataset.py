"""Draw a small detection data set in the VOC layout: no download, same bytes for the same seed.

Every object is a large striped body, drawn from one family of shapes and colours that all classes
share, and a small part on it, off the middle, that alone tells the class. A detector trained from
image labels is therefore tempted to box the part only (part domination); images that repeat a class
tempt it to box one instance only (instance ambiguity).

Layout written under OUT::

    classes.txt                            one class name per line
    VOC2007/JPEGImages/000001.jpg          training images 000001..., test images 100001...
    VOC2007/Annotations/000001.xml         boxes: 1-based inclusive pixels, as in PASCAL VOC
    VOC2007/SegmentationClass/000001.png   palette image, 0 = background, k = line k of classes.txt
    VOC2007/SegmentationObject/000001.png  palette image, 0 = background, n = object n of the XML
    VOC2007/ImageSets/Main/{train,test}.txt

Boxes and masks cover the visible pixels. An object of which others hide more than 10% (perhaps the
part that tells its class) is marked difficult.

Example:
    python tools/make_demo_dataset.py data/demo --train 200 --test 100
"""

import argparse
import os
import shutil
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from demo_images import CLASSES, draw_image
from PIL import Image

FIRST_ID = dict(train=1, test=100001)
MAX_IMAGES = 99999
FOLDERS = (
    'JPEGImages',
    'Annotations',
    'SegmentationClass',
    'SegmentationObject',
    'ImageSets/Main',
)


def voc_palette() -> list[int]:
    """The 256 colours of PASCAL VOC masks as a flat list R, G, B, R, G, B, ..."""
    colors = np.zeros((256, 3), np.int64)
    for index in range(256):
        for bit in range(8):
            for channel in range(3):
                colors[index, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return colors.ravel().tolist()


def annotation_xml(image_id: str, shape: tuple[int, ...], objects: list[dict]) -> ET.ElementTree:
    """The VOC annotation of one image; boxes become 1-based with inclusive ends."""
    root = ET.Element('annotation')
    ET.SubElement(root, 'folder').text = 'VOC2007'
    ET.SubElement(root, 'filename').text = f'{image_id}.jpg'
    size = ET.SubElement(root, 'size')
    for key, value in zip(('width', 'height', 'depth'), (shape[1], shape[0], 3), strict=True):
        ET.SubElement(size, key).text = str(value)
    ET.SubElement(root, 'segmented').text = '1'
    for item in objects:
        node = ET.SubElement(root, 'object')
        ET.SubElement(node, 'name').text = item['name']
        ET.SubElement(node, 'truncated').text = '0'
        ET.SubElement(node, 'difficult').text = str(item['difficult'])
        box = ET.SubElement(node, 'bndbox')
        x1, y1, x2, y2 = item['box']
        for key, value in zip(
            ('xmin', 'ymin', 'xmax', 'ymax'), (x1 + 1, y1 + 1, x2, y2), strict=True
        ):
            ET.SubElement(box, key).text = str(value)
    ET.indent(root)
    return ET.ElementTree(root)


def write_dataset(out: Path, counts: dict[str, int], size: int, seed: int) -> dict[str, int]:
    """Write the data set into the folder ``out``; returns the number of objects per split."""
    voc = out / 'VOC2007'
    for folder in FOLDERS:
        (voc / folder).mkdir(parents=True)
    (out / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    palette = voc_palette()
    written = {}
    for split, count in counts.items():
        written[split] = 0
        ids = [f'{FIRST_ID[split] + index:06d}' for index in range(count)]
        for image_id in ids:
            rng = np.random.default_rng([seed, int(image_id)])
            image, object_map, objects = draw_image(rng, size)
            Image.fromarray(image).save(voc / 'JPEGImages' / f'{image_id}.jpg', quality=95)
            annotation = annotation_xml(image_id, image.shape, objects)
            annotation.write(voc / 'Annotations' / f'{image_id}.xml')
            labels = [CLASSES.index(item['name']) + 1 for item in objects]
            to_class = np.array([0, *labels], np.uint8)
            maps = dict(SegmentationObject=object_map, SegmentationClass=to_class[object_map])
            for folder, values in maps.items():
                mask = Image.fromarray(values, 'P')
                mask.putpalette(palette)
                mask.save(voc / folder / f'{image_id}.png')
            written[split] += len(objects)
        (voc / 'ImageSets' / 'Main' / f'{split}.txt').write_text('\n'.join(ids) + '\n')
    return written


def is_demo_dataset(folder: Path) -> bool:
    """Whether ``folder`` holds a data set written by this tool."""
    names = folder / 'classes.txt'
    return (
        (folder / 'VOC2007').is_dir()
        and names.is_file()
        and (tuple(names.read_text().split()) == CLASSES)
    )


def make_demo_dataset(
    out: Path, train: int, test: int, size: int, seed: int, force: bool
) -> dict[str, int]:
    """Generate the data set beside ``out`` and rename it into place.

    Args:
        out: Target folder; created.
        train: Number of training images, 1-99999.
        test: Number of test images, 1-99999.
        size: Long side of the images in pixels, 64-1024.
        seed: Non-negative seed; an image depends on the seed, the size and its id only.
        force: Replace the demo data set found in ``out``, together with every file added to it.

    Returns:
        Number of objects per split.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: ``out`` is a file, or a non-empty folder that may not be replaced.
    """
    for name, value in (('--train', train), ('--test', test)):
        if not 1 <= value <= MAX_IMAGES:
            raise ValueError(f'{name} must be between 1 and {MAX_IMAGES}, got {value}')
    if not 64 <= size <= 1024:
        raise ValueError(f'--size must be between 64 and 1024 pixels, got {size}')
    if seed < 0:
        raise ValueError(f'--seed must not be negative, got {seed}')
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out} is a file; give the folder of the data set')
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise FileExistsError(f'{out} is not empty; choose another folder or use --force')
        if not is_demo_dataset(out):
            raise FileExistsError(f'--force replaces a demo data set only, and {out} holds none')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as scratch:
        fresh = Path(scratch) / 'dataset'
        fresh.mkdir()
        written = write_dataset(fresh, dict(train=train, test=test), size, seed)
        if out.is_dir():
            shutil.move(out, Path(scratch) / 'replaced')
        os.replace(fresh, out)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, help='folder to create')
    parser.add_argument('--train', type=int, default=200, help='training images (%(default)s)')
    parser.add_argument('--test', type=int, default=100, help='test images (%(default)s)')
    parser.add_argument('--size', type=int, default=192, help='long side, pixels (%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of all choices (%(default)s)')
    parser.add_argument('--force', action='store_true', help='replace the demo data set in OUT')
    args = parser.parse_args()
    try:
        written = make_demo_dataset(**vars(args))
    except (ValueError, FileExistsError) as error:
        parser.error(str(error))
    print(
        f'{args.out}: {args.train} training images with {written["train"]} objects, '
        f'{args.test} test images with {written["test"]} objects; classes {", ".join(CLASSES)}'
    )


if __name__ == '__main__':
    main()
