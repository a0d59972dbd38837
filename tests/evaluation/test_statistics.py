from dataclasses import replace

import numpy as np
import pytest

from drnsr.evaluation.metrics import PRIMARY
from drnsr.evaluation.statistics import paired_difference


def test_the_interval_of_normal_differences_is_that_of_the_standard_error():
    random = np.random.default_rng(3)
    first = random.normal(30, 3, 400)
    second = first + random.normal(0.1, 0.5, 400)
    found = paired_difference(first, second)
    # For many normal values the bootstrap tends to mean +- 1.96 standard errors.
    half = 1.96 * np.std(second - first, ddof=1) / np.sqrt(400)
    assert found.mean == pytest.approx(np.mean(second - first))
    assert found.high - found.mean == pytest.approx(half, rel=0.1)
    assert found.mean - found.low == pytest.approx(half, rel=0.1)


def test_five_pictures_prove_nothing():
    found = paired_difference([30, 31, 32, 33, 34], [31, 32.1, 33, 34.2, 35])
    assert found.sentence == "5 pictures are too few to prove a difference"


def test_the_sentence_says_what_is_proven():
    first = [30.0, 31, 32, 33, 34, 35]
    assert (
        paired_difference(first, [p + 0.1 * n for n, p in enumerate(first, 1)]).sentence == "better"
    )
    distance = replace(PRIMARY, higher_is_better=False)
    less = [p - 0.5 for p in first]
    assert paired_difference(first, less).sentence == "worse"
    assert paired_difference(first, less, distance).sentence == "better"
    mixed = [p + d for p, d in zip(first, [1, -1, 0.9, -0.8, 0.7, -1], strict=True)]
    assert "no difference is proven" in paired_difference(first, mixed).sentence


def test_equal_values_give_an_equal_interval():
    scores = [30.0, 31, 32, 33, 34, 36], [30.5, 31, 33, 33, 35, 36]
    assert paired_difference(*scores) == paired_difference(*scores)
