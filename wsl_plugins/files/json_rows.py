"""Large JSON files row by row: a list of a million objects never is in memory as a whole."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from wsl_plugins.files.garbage import not_collected
from wsl_plugins.files.limits import checked_file

CHUNK = 2**20  # characters that are read at once
_SPACE = re.compile(r'[ \t\n\r]*')


def read_json_rows(path: str | os.PathLike, takers: Mapping[str, Callable[[Any], None]]) -> Any:
    """Content of a JSON file without the rows of its large lists.

    Args:
        path: The file.
        takers: Key of the outermost object to a function that gets each element of the list there,
            in order. In what is returned the key has the number of elements.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON, nested too deep, or larger than 2 GiB (see :mod:`.limits`); or
            what belongs to a key of ``takers`` is no list, or it stands there twice.
        Exception: What a function raises.

    Example:
        >>> widths = []
        >>> read_json_rows('boxes.json', {'images': lambda row: widths.append(row['width'])})
        {'info': {}, 'images': 2, 'annotations': [], 'categories': []}
    """
    path = checked_file(path)
    with open(path, encoding='utf-8-sig') as file, not_collected():
        reader = _Reader(file, str(path))
        content = reader.outermost(takers)
        if reader.peek():
            raise ValueError(f'{path}: not JSON: more than one value')
    return content


class _Reader:
    """A piece of the text of a file, and how far it is read."""

    def __init__(self, file: TextIO, name: str) -> None:
        self.file = file
        self.name = name
        self.text = ''
        self.searched: str | None = None
        self.place = 0
        self.decode = json.JSONDecoder().raw_decode

    def outermost(self, takers: Mapping[str, Callable[[Any], None]]) -> Any:
        """The value of the file."""
        if self.peek() != '{':
            return self.value()
        content = {}
        for _ in self.elements('}'):
            key = self.value()
            if not isinstance(key, str) or self.peek() != ':':
                raise ValueError(f'{self.name}: not JSON: a key of the outermost object is wrong')
            self.place += 1
            if key in takers:
                if key in content or self.peek() != '[':
                    raise ValueError(f'{self.name}: {key!r} must be one list')
                content[key] = 0
                for row in self.rows():
                    takers[key](row)
                    content[key] += 1
            else:
                content[key] = self.value()
        return content

    def elements(self, end: str) -> Iterator[None]:
        """Stops before each element of a list or object, up to its end."""
        self.place += 1
        if self.peek() != end:
            while True:
                yield
                mark = self.peek()
                self.place += 1
                if mark == end:
                    return
                if mark != ',':
                    raise ValueError(f'{self.name}: not JSON: "," or "{end}" is missing')
        self.place += 1

    def rows(self) -> Iterator[Any]:
        """The elements of a list."""
        for _ in self.elements(']'):
            yield from self.whole_objects()
            yield self.value()

    def whole_objects(self) -> list:
        """Elements up to the last object of the text that a comma follows, decoded at once; none
        where that is no end of an element, and one by one is the way."""
        end = self.text.rfind('},', self.place) + 1
        if self.text is self.searched or not end:
            return []
        self.searched = self.text
        try:
            found = json.loads(f'[{self.text[self.place : end]}]')
        except (ValueError, RecursionError):
            return []
        self.place = end + 1
        return found

    def peek(self) -> str:
        """The next character that is no white space; nothing at the end of the file."""
        while True:
            if space := _SPACE.match(self.text, self.place):
                self.place = space.end()
            if self.place < len(self.text) or not self.more():
                return self.text[self.place : self.place + 1]

    def value(self) -> Any:
        """The next value."""
        self.peek()
        while True:
            try:
                value, end = self.decode(self.text, self.place)
            except RecursionError as error:
                raise ValueError(f'{self.name}: not JSON: nested too deep') from error
            except ValueError as error:
                if not self.more():
                    raise ValueError(f'{self.name}: not JSON: {error}') from error
            else:
                length = end - self.place
                number_goes_on = self.text[end : end + 1] in ('', '.', 'e', 'E') and self.more()
                if not number_goes_on:
                    self.place += length
                    return value

    def more(self) -> bool:
        """Read on, twice as much as is left; whether there was something."""
        rest = self.text[self.place :]
        try:
            added = self.file.read(max(CHUNK, 2 * len(rest)))
        except ValueError as error:
            raise ValueError(f'{self.name}: not JSON: {error}') from error
        self.text, self.place = rest + added, 0
        return bool(added)
