"""Proposals in JSON: COCO results, annotations of one category (CutLER), masks (SAM)."""

from pathlib import Path
from typing import Any

from wsl_plugins.files import file_errors, read_json, short
from wsl_plugins.files.formats.foreign_proposals import ForeignProposals
from wsl_plugins.files.formats.proposals_rows import SAM, add_rows, layout_of

Images = dict[Any, list]
"""Entries by what the file calls the image."""
FOLDER = 'masks_json'
"""The kind of file that a folder may have one of per image."""


def read_json_proposals(path: Path) -> ForeignProposals:
    """Boxes or masks in one of these layouts:

    - COCO results ``[{"image_id": 9, "bbox": [x, y, w, h], "score": 0.5}, ...]``, or with
      ``segmentation`` in place of ``bbox``;
    - COCO annotations of one category ``{images, annotations}`` (CutLER);
    - ``[{segmentation, bbox, predicted_iou, stability_score}, ...]`` of one image, named as the
      file (SAM), or with ``{image: {file_name}, annotations}`` around it (SA-1B);
    - ``{rle_mask, scores}`` of one image, named as the file (mask generation of transformers);
    - ``{name of an image: [{segmentation, ...}, ...], ...}``.

    Raises:
        ValueError: The file is none of these, or its entries differ in what they have.
    """
    with file_errors(path, 'list of boxes or masks'):
        kind, images = _images_of(read_json(path), path, path.stem)
        rows = [row for group in images.values() for row in group]
        found = ForeignProposals(path, kind, **layout_of(rows, path, kind))
        for image, group in images.items():
            add_rows(found, image, group)
    return found


def read_json_folder(folder: Path, paths: list[Path]) -> ForeignProposals:
    """The files of a folder, each of one image; see :func:`read_json_proposals`.

    Raises:
        ValueError: A file holds something else, or they differ in what they have.
    """
    found: ForeignProposals | None = None
    layout: dict[str, Any] = {}
    nothing: list = []
    for path in paths:
        with file_errors(path, 'list of masks'):
            own = path.relative_to(folder).with_suffix('').as_posix()
            content = read_json(path)
            kind, images = _images_of(content, path, own) if content else (FOLDER, {own: []})
            if kind != FOLDER:
                raise ValueError(f'{path}: in a folder, needs the masks of one image')
            rows = [row for group in images.values() for row in group]
            if not rows:
                nothing += images
                continue
            new = layout_of(rows, path, kind)
            not_read = new.pop('not_read')
            if found is None:
                layout, found = new, ForeignProposals(folder, kind, **new)
            if new != layout:
                raise ValueError(f'{path}: has {new}, the files before it have {layout}')
            found.not_read = sorted({*found.not_read, *not_read})
            for image, group in images.items():
                add_rows(found, image, group)
    found = found or ForeignProposals(folder, FOLDER, 'xyxy', 0, 'exclusive', masked=True)
    for image in nothing:
        add_rows(found, image, [])
    return found


def _images_of(content: Any, path: Path, own: str) -> tuple[str, Images]:
    """Kind of the file, and entries by image."""
    if isinstance(content, list):
        keys: set = set().union(*(row for row in content if isinstance(row, dict)))
        if 'image_id' not in keys and keys & {'segmentation', *SAM}:
            return FOLDER, {own: content}
        return 'coco_json', _grouped(content, path)
    if not isinstance(content, dict):
        raise ValueError(f'{path}: needs a list of boxes, got {type(content).__name__}')
    rows = content.get('annotations')
    if isinstance(rows, list) and isinstance(content.get('image'), dict):
        return FOLDER, {content['image']['file_name']: rows}
    if isinstance(rows, list) and isinstance(content.get('images'), list):
        return 'coco_annotations', _annotated(content, path)
    if isinstance(content.get('rle_mask'), list):
        masks = [dict(segmentation=mask) for mask in content['rle_mask']]
        if 'scores' in content:
            if len(content['scores']) != len(masks):
                raise ValueError(f'{path}: {len(masks)} masks, {len(content["scores"])} scores')
            masks = [dict(m, score=s) for m, s in zip(masks, content['scores'], strict=True)]
        return FOLDER, {own: masks}
    if content and all(isinstance(rows, list) for rows in content.values()):
        return FOLDER, content
    raise ValueError(f'{path}: neither boxes nor masks of images, has {short(sorted(content))}')


def _annotated(content: dict, path: Path) -> Images:
    """Annotations by file name; images without any, too."""
    rows, names = content['annotations'], {i['id']: i['file_name'] for i in content['images']}
    if (categories := len({row.get('category_id') for row in rows})) > 1:
        raise ValueError(
            f'{path}: annotations of {categories} categories, proposals have one: are these the '
            'boxes that a weakly supervised detector must not see?'
        )
    grouped = _grouped(rows, path, names)
    return {name: grouped.get(name, []) for name in names.values()}


def _grouped(rows: list, path: Path, names: dict | None = None) -> Images:
    """Entries by ``image_id``, or by the name of that image."""
    grouped: Images = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or 'image_id' not in row:
            raise ValueError(f'{path}: entry {number} lacks "image_id": {short(row)}')
        image = row['image_id']
        if names is not None:
            if image not in names:
                raise ValueError(f'{path}: entry {number} is of no image: {short(image)}')
            image = names[image]
        grouped.setdefault(image, []).append(row)
    return grouped
