"""Columns in the place of an object per image."""

import pickle

import numpy as np
import pytest

from wsl_plugins.structures import columns
from wsl_plugins.structures.columns import TextArray, places_of, starts_of


@pytest.mark.parametrize('block', [1, 2, 4096])
@pytest.mark.parametrize(
    'texts', [[], ['a/1.jpg'], ['', 'ab', ''], ['é ü.jpg', 'x', '\U0001f600', '\ud83d', 'y']]
)
def test_texts_come_back(texts, block, monkeypatch):
    monkeypatch.setattr(columns, '_BLOCK', block)
    found = TextArray(texts)
    assert len(found) == len(texts) and list(found) == texts
    assert [found[i] for i in range(len(texts))] == texts
    assert [found[-i - 1] for i in range(len(texts))] == texts[::-1]
    assert (found[1:], found[::-1]) == (texts[1:], texts[::-1])
    assert list(pickle.loads(pickle.dumps(found))) == texts
    for wrong in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            found[wrong]


def test_starts_and_places_against_loops():
    generator = np.random.default_rng(0)
    for count, num in ((0, 3), (1, 1), (40, 7)):
        rows = generator.integers(0, num, count)
        chosen = generator.permutation(num)[: num // 2 + 1]
        expected = [(k, place) for place, i in enumerate(chosen) for k in np.flatnonzero(rows == i)]
        order, places = places_of(rows, chosen, num)
        assert list(zip(order, places, strict=True)) == expected
        starts = starts_of(places, len(chosen))
        own = [list(order[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]
        assert own == [list(np.flatnonzero(rows == i)) for i in chosen]
