"""The assessment of a prepared data set as text, as a table and as a file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from wsl_plugins.datasets.prepare.assess import (
    FEW_IMAGES,
    FEW_WITHOUT,
    POOR_RECALL,
    Labels,
    Objectness,
    tiles_for,
)
from wsl_plugins.datasets.prepare.choices import Choices
from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.files.writing import atomic_write, write_json

JSON = 'assessment.json'
MARKDOWN = 'assessment.md'


@dataclass
class Assessment:
    """What to expect of a data set and what to do about it.

    Attributes:
        verdict (str): The line that comes first.
        fits (str): 'detector', 'localizer' or 'neither', and why.
        head (list[str]): Columns of the table.
        rows (list[list[str]]): A row per class.
        findings (list[str]): What was seen.
        choices (list[str]): What the config says, and why.
        time (str): How long a training takes.
        advice (list[str]): What to do.
        written (dict[str, str]): Name of a config to its SHA-256, to see that it was changed.
    """

    verdict: str
    fits: str
    head: list[str]
    rows: list[list[str]]
    findings: list[str]
    choices: list[str]
    advice: list[str]
    time: str = 'not measured'
    written: dict[str, str] = field(default_factory=dict)

    def lists(self) -> dict[str, list[str]]:
        """Heading to lines of all that is no table."""
        return {
            'fits': [self.fits],
            'seen': self.findings,
            'chosen': self.choices,
            'time': [self.time],
            'to do': self.advice,
        }

    def markdown(self) -> str:
        """As a Markdown page."""
        table = [self.head, ['---'] * len(self.head), *self.rows]
        lines = [f'**{self.verdict}**', '']
        lines += [
            '| ' + ' | '.join(cell.replace('|', '\\|') for cell in row) + ' |' for row in table
        ]
        for heading, items in self.lists().items():
            if items:
                lines += ['', f'## {heading.capitalize()}', '', *(f'- {item}' for item in items)]
        return '\n'.join(lines) + '\n'

    def write(self, folder: Path) -> None:
        """Write both files, assessment.json last."""
        with atomic_write(folder / MARKDOWN) as file:
            file.write(self.markdown().encode())
        write_json(folder / JSON, asdict(self))


def table_of(
    labels: Labels, objects: Mapping[str, Objectness]
) -> tuple[list[str], list[list[str]]]:
    """Head and rows: labels, and size and recall of the objects where boxes are known."""
    head = ['class', 'with it', 'without']
    if objects:
        head += ['objects', 'in an image', 'side', 'at input', 'recall 0.5', '0.7', 'left at 0.5']
    rows = []
    for name, count in labels.counts.items():
        row = [name, str(count), str(labels.images - count)]
        if objects:
            row += _cells(objects.get(name))
        rows.append(row)
    return head, rows


def _cells(of: Objectness | None) -> list[str]:
    if of is None:
        return ['0', *[''] * 6]
    values = [f'{of.per_image:.1f}', f'{of.side:.0f}', _number(of.at_input, '.0f')]
    parts = [of.recall.get(0.5, np.nan), of.recall.get(0.7, np.nan), of.recall_left]
    return [str(of.objects), *values, *(_number(100 * part, '.1f') for part in parts)]


def findings_of(
    labels: Labels, objects: Mapping[str, Objectness], corloc: Mapping[str, float], choices: Choices
) -> list[str]:
    """What was seen besides the verdict."""
    found = [
        f'{one!r} and {other!r} are almost always together: both in {both} training images, one '
        f'alone in {alone}'
        for one, other, both, alone in labels.together
    ]
    found += [
        f'{name!r} is in {count} training images only: expect little below {FEW_IMAGES}'
        for name, count in labels.counts.items()
        if count < FEW_IMAGES
    ]
    for name, of in objects.items():
        if choices.base.object_side > of.at_input:
            found.append(
                f'{name!r}: half of the objects are under {of.at_input:.0f} pixels at the input, '
                f'where {choices.base.object_side} are wanted'
            )
        if of.recall and of.recall_left < POOR_RECALL:
            found.append(
                f'{name!r}: no proposal covers {1 - of.recall_left:.0%} of the objects at IoU 0.5: '
                'no detector finds those'
            )
    if corloc:
        found.append(
            f'CorLoc without any training: {100 * corloc["random"]:.1f} of a random proposal, '
            f'{100 * corloc["largest"]:.1f} of the largest one'
        )
    if not objects:
        found.append(
            'no boxes (--eval-boxes): size, number and recall of the objects are not known'
        )
    return found


def advice_of(
    labels: Labels,
    fits: str,
    task: str,
    tiles: int,
    known: Sequence[LabelledImage],
    classes: Sequence[str],
) -> list[str]:
    """What to do about it."""
    advice = []
    for name in labels.everywhere:
        without = labels.images - labels.counts[name]
        wanted = np.ceil((FEW_WITHOUT * labels.images - without) / (1 - FEW_WITHOUT))
        advice.append(
            f'collect images without {name!r}: {max(int(wanted), 1)} more at the least, better a '
            'third of all'
        )
    if labels.everywhere and task == 'detector' and tiles == 1:
        if not known:
            advice.append(
                'or cut the images into tiles: --tiles 2 (or 3) with boxes of some training images '
                '(--eval-boxes)'
            )
        elif (found := tiles_for(known, classes)) is not None:
            advice.append(
                f'or cut the images into tiles: --tiles {found[0]}; by the boxes every class is '
                f'then missing from {found[1]:.0%} of the tiles and more'
            )
        else:
            advice.append(
                'tiles do not help: 2 to 4 a side have all classes too, or cut the objects'
            )
    for one, other, _, _ in labels.together:
        advice.append(f'collect images of {one!r} without {other!r}, or make them one class')
    if fits != 'neither' and fits != task:
        advice.append(f'--task {fits} fits these labels better')
    return advice


def time_text(seconds: float, epochs: int, device: str) -> str:
    """How long a training takes."""
    return (
        f'about {_duration(seconds)} an epoch, {_duration(seconds * epochs)} all {epochs} '
        f'(measured on a few training steps on this machine, {device}, with what else runs on it; '
        'tests are not in it)'
    )


def _duration(seconds: float) -> str:
    for unit, size in (('h', 3600), ('min', 60)):
        if seconds >= 1.5 * size:
            return f'{seconds / size:.2g} {unit}'
    return f'{seconds:.2g} s'


def _number(value: float, form: str) -> str:
    return '' if np.isnan(value) else format(value, form)
