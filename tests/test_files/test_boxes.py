"""Boxes that are no pixels are told from those that may be."""

import re

import numpy as np
import pytest

from wsl_plugins.files.boxes import problem_of_scale

FRACTIONS = np.random.default_rng(0).uniform(0.05, 1, (12, 4))
WIDE = np.full((12, 2), (500, 375))


@pytest.mark.parametrize(
    ('boxes', 'sizes', 'words'),
    [
        (FRACTIONS, None, r'all boxes lie in 0\.\.1 \(largest .*pixels are expected'),
        (FRACTIONS * 1.04, WIDE, r'all boxes lie in 0\.\.1 '),  # a model's, a little outside
        (np.array([[0, 0, 1, 1]]), None, r'lie in 0\.\.1 .*coordinate: 1\)'),
        (100 * FRACTIONS, WIDE, r'lie in 0\.\.100 \(percent\) .*a hundredth'),
        (100 * FRACTIONS, None, None),  # of images of any size
        (100 * FRACTIONS, WIDE // 2, None),
        (100 * FRACTIONS[:9], WIDE[:9], None),
        (300 * FRACTIONS, WIDE, None),
        (np.r_[FRACTIONS, [[0, 0, 9, 9]]], None, None),
        (np.zeros((0, 4)), np.zeros((0, 2)), None),
        (np.zeros((2, 4)), None, None),  # placeholders
        (np.array([[0, 0, 1, np.nan]]), None, None),  # another problem
    ],
)
def test_scale(boxes, sizes, words):
    problem = problem_of_scale(boxes, sizes)
    assert problem is None if words is None else re.search(words, problem)
