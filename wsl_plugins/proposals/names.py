"""From the image ids of other projects to ours (file stems)."""

import os
from collections.abc import Iterable
from pathlib import Path

from wsl_plugins.proposals.images import SUFFIXES
from wsl_plugins.reading import naming, read_json, short


class ImageNames:
    """Finds the file stem for an image id of any kind.

    Args:
        stems: Raw id, as text, to file stem. Default: none known, then only ids that are texts are
            understood, and taken as file names.
        source: The file of the table, if an id that it lacks is an error. Default: none.

    Example:
        >>> names = ImageNames.from_ids(['000012', '2008_000002'])
        >>> names.stem_of(12), names.stem_of(2008000002), names.stem_of('000012.jpg')
        ('000012', '2008_000002', '000012')
    """

    def __init__(self, stems: dict[str, str] | None = None, source: str | None = None) -> None:
        self._stems = stems
        self._source = source

    @classmethod
    def from_ids(cls, ids: Iterable[str]) -> 'ImageNames':
        """Table of file stems, found by the stem itself or by the number its digits make.

        Ids that are not in it keep their own text: the list may name a part of the images. A number
        that several stems make is left out.
        """
        ids = list(ids)
        numbers: dict[str, list[str]] = {}
        for stem in ids:
            digits = ''.join(c for c in stem if c in '0123456789')
            if digits:
                numbers.setdefault(str(int(digits)), []).append(stem)
        unique = {number: stems[0] for number, stems in numbers.items() if len(stems) == 1}
        return cls({**unique, **{stem: stem for stem in ids}})

    @classmethod
    def from_coco(cls, path: str | os.PathLike) -> 'ImageNames':
        """Table of the ``images`` of a COCO annotation file, found by id or file stem.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no COCO annotation file.
        """
        images = read_coco(path)['images']
        with naming(path, 'COCO annotations'):
            stems = {str(image['id']): Path(image['file_name']).stem for image in images}
        return cls({**{s: s for s in stems.values()}, **stems}, str(path))

    def stem_of(self, raw: object) -> str:
        """File stem for a raw id.

        Raises:
            ValueError: The id is a number and no table is there, or a COCO table lacks it.
        """
        text = str(raw)
        if Path(text).suffix.lower() in SUFFIXES:
            text = Path(text).stem
        if self._stems is None and not isinstance(raw, str):
            raise ValueError(
                f'image id {short(raw)} is a number, not a file name: give the annotation file '
                '(--ann) or the list of ids (--ids-file) that tells the file names'
            )
        stems = self._stems or {}
        if text not in stems and self._source is not None:
            raise ValueError(f'image id {short(raw)} is not in {self._source}')
        return stems.get(text, text)


def read_coco(path: str | os.PathLike) -> dict:
    """A COCO annotation file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON object with ``images``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such annotation file')
    data = read_json(path)
    if not isinstance(data, dict) or 'images' not in data:
        raise ValueError(f'{path}: not a COCO annotation file: no "images"')
    return data
