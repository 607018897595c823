"""docs/behaviours.md: every file and every test that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip().strip('`') for cell in line.strip('|').split('|')]
    for line in (ROOT / 'docs' / 'behaviours.md').read_text().splitlines()
    if line.startswith('| ') and '`tests/' in line
]


def test_there_are_rows():
    assert len(ROWS) > 25 and all(len(row) == 4 for row in ROWS)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row[3].partition('::')[2])
def test_row(row):
    _, seen, handled, test = row
    assert re.search(r'\d', seen), 'a version'
    assert (ROOT / handled).is_file()
    path, _, name = test.partition('::')
    assert f'\ndef {name}(' in (ROOT / path).read_text()
