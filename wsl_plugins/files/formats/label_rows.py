"""Rows of a CSV file of image labels: what they say, what is wrong with them."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from wsl_plugins.files.formats.label_cells import bit_of, find_label_separator, split_cell
from wsl_plugins.files.names import first_repeated, problem_of_path
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.tables import SEPARATORS, Row, plain, quoted, surplus

CORNERS = (
    *('xmin', 'xmax', 'ymin', 'ymax', 'x0', 'y0', 'x1', 'y1', 'x2', 'y2'),
    *('x', 'y', 'w', 'h', 'left', 'top', 'right', 'bottom', 'width', 'height'),
)
BOX_NAMES = {'bbox', 'box', *CORNERS[:-2], *(f'bbox{name}' for name in CORNERS)}
"""Headings of the coordinates of boxes; width and height alone are those of the image."""


@dataclass
class LabelTable:
    """Labels of a CSV file.

    Attributes:
        labels (dict[str, dict[str, int]]): Every image that is named, in the order of its first
            row, to its labels and the line of each; none if it has no label.
        lines (dict[str, int]): Image to the line where it stands first.
        left_out (Counter): What was left out to how often.
        found (str): What was found out, one line that starts with the file.
    """

    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    left_out: Counter = field(default_factory=Counter)
    found: str = ''


class LabelRows:
    """Rows become labels; ``problems`` collects what is wrong with them."""

    def __init__(
        self, path: str, separator: str, heading: list[str], image: int, rows: list[Row]
    ) -> None:
        self.path, self.separator, self.heading, self.image = path, separator, heading, image
        self.rows = [Row(line, cells + [''] * (len(heading) - len(cells))) for line, cells in rows]
        self.used, self.form = {image}, ''
        self.table = LabelTable()
        self.problems: list[str] = []
        for row in rows:
            if trouble := surplus(row, len(heading), separator):
                self._wrong(row.line, trouble)

    def result(self) -> LabelTable:
        """The labels, if nothing is wrong."""
        raise_problems(self.path, self.problems)
        table = self.table
        rest = [n for i, n in enumerate(self.heading) if n and i not in self.used]
        table.found = (
            f'{self.path}: columns separated by {SEPARATORS.get(self.separator, self.separator)}, '
            f'images in {quoted([self.heading[self.image]])}, {self.form}'
            f'{"; not read: " * bool(rest)}{quoted(rest)}'
        )
        if not table.labels:
            raise ValueError(f'{self.path}: names no image')
        bare = sum(not own for own in table.labels.values())
        if bare == len(table.labels):
            raise ValueError(f'{table.found}: no image has a label')
        if bare:
            table.left_out['images without a label'] += bare
        return table

    def read_column(self, label: int, separator: str | None) -> None:
        """Labels of one column, with the confidence that goes with them."""
        names = [plain(name) for name in self.heading]
        confidence = names.index('confidence') if 'confidence' in names else None
        objects = len(BOX_NAMES.intersection(names)) > 1 or not {'bbox', 'box'}.isdisjoint(names)
        cells = [row.cells[label] for row in self.rows]
        separator = find_label_separator(cells, separator, self.path)
        self.used |= {label} if confidence is None else {label, confidence}
        self.form = f'labels in {quoted([self.heading[label]])}'
        if separator is not None:
            self.form += f', several in a cell separated by "{separator}"'
        if objects:
            self.form += ', one row per object'
        if confidence is not None:
            self.form += f', "{self.heading[confidence]}" 0 is absent'
        absent: dict[tuple[str, str], int] = {}
        for line, cells in self.rows:
            image = self._image(line, cells, f', label {cells[label]!r}')
            if image is None:
                continue
            if objects and not cells[label]:
                self.table.left_out['rows without a label'] += 1
                continue
            given = split_cell(cells[label], separator)
            column, sure = (
                ('', '1') if confidence is None else (self.heading[confidence], cells[confidence])
            )
            present = bit_of(sure, self.separator)
            if not all(given):
                self._wrong(line, f'image {image!r} has no label, got {cells[label]!r}')
            elif present is None:
                self._wrong(
                    line,
                    f'{column} of image {image!r} must be 1 (there) or 0 (verified to be absent), '
                    f'got {sure!r}',
                )
            elif present:
                self._add(line, image, given, objects or confidence is not None)
            else:
                absent.update(((image, name), line) for name in given)
                self.table.left_out['rows of labels verified to be absent (confidence 0)'] += 1
        for (image, name), line in absent.items():
            if name in self.table.labels[image]:
                other = self.table.labels[image][name]
                self._wrong(line, f'label {name!r} of image {image!r} is there in line {other}')

    def read_columns(self) -> None:
        """Labels of one column per class: those of 0 and 1. Columns of anything else and corners of
        boxes are not read, columns of both are an error."""
        bits = {}
        for number, name in enumerate(self.heading):
            own = [bit_of(row.cells[number], self.separator) for row in self.rows]
            named = name and plain(name) not in BOX_NAMES
            if number != self.image and named and not set(own) <= {None}:
                bits[number] = own
        if not bits:
            raise ValueError(
                f'{self.path}: no column of labels ("label", "class", ...), and none of 0 and 1 '
                f'for a class, got {quoted(self.heading)}; --label-column tells which it is'
            )
        self.used |= bits.keys()
        names = {number: self.heading[number] for number in bits}
        if twice := first_repeated(names.values()):
            raise ValueError(f'{self.path}: two columns are called {twice!r}')
        self.form = f'one column per class: {quoted(names.values())}'
        for place, (line, cells) in enumerate(self.rows):
            image = self._image(line, cells, '')
            if image is None:
                continue
            if self.table.lines[image] != line:
                first = self.table.lines[image]
                self._wrong(line, f'image {image!r} has a row already (line {first})')
                continue
            for number, own in bits.items():
                if own[place] is None:
                    self._wrong(line, f'{names[number]!r} must be 0 or 1, got {cells[number]!r}')
            own = [names[number] for number, column in bits.items() if column[place]]
            self._add(line, image, own, False)
        if empty := sum(not any(own) for own in bits.values()):
            self.table.left_out['classes without an image'] += empty

    def _image(self, line: int, cells: list[str], more: str) -> str | None:
        """The image of a row, which has a place in the table; None if something is wrong."""
        image = cells[self.image]
        trouble = problem_of_path(image) if image else f'no image{more}'
        if trouble:
            self._wrong(line, trouble)
            return None
        image = PurePosixPath(image).as_posix()
        self.table.labels.setdefault(image, {})
        self.table.lines.setdefault(image, line)
        return image

    def _add(self, line: int, image: str, names: list[str], again: bool) -> None:
        own = self.table.labels[image]
        for name in names:
            if name in own and not again:
                self._wrong(line, f'image {image!r} has label {name!r} already (line {own[name]})')
            own.setdefault(name, line)

    def _wrong(self, line: int, trouble: str) -> None:
        self.problems.append(f'line {line}: {trouble}')
