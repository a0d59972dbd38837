"""What is drawn: how often, within which limits, and in which order."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from drnsr.config.compose import load_option
from drnsr.degradation.drawing import draw_steps
from drnsr.degradation.parameters import Degradation
from drnsr.degradation.steps import (
    GaussianNoise,
    JpegCompression,
    KernelBlur,
    PoissonNoise,
    RandomResize,
    ResizeToLr,
    SincFilter,
)

DRAWS = 2000


@pytest.fixture(scope="module")
def drawn():
    """Steps of Real-ESRGAN's degradation."""
    published = Degradation(**load_option("degradation", "second_order"))
    random = np.random.default_rng(0)
    return [draw_steps(published, random) for _ in range(DRAWS)]


def agree(found, probabilities):
    """Whether counts come from probabilities; one such test in 10,000 would fail by chance."""
    total = sum(found.values())
    assert set(found) <= set(probabilities)
    expected = [total * chance for chance in probabilities.values()]
    return chisquare([found[name] for name in probabilities], expected).pvalue > 1e-4


def test_kernels_directions_and_noise_have_their_published_frequencies(drawn):
    first = [steps[0] for steps in drawn]
    assert agree(Counter(isinstance(step, SincFilter) for step in first), {True: 0.1, False: 0.9})
    kernels = Counter(step.kernel.split("_")[0] for step in first if isinstance(step, KernelBlur))
    gaussians = kernels.pop("iso") + kernels.pop("aniso")
    kernels["gaussian"] = gaussians
    assert agree(kernels, {"gaussian": 0.7, "generalized": 0.15, "plateau": 0.15})  # section 4.1
    resizes = [steps[1] for steps in drawn]
    assert agree(
        Counter(r.kernel for r in resizes), dict.fromkeys(("area", "bilinear", "bicubic"), 1 / 3)
    )
    directions = Counter((r.factor > 1) - (r.factor < 1) for r in resizes)
    assert agree(directions, {1: 0.2, -1: 0.7, 0: 0.1})
    noise = [steps[2] for steps in drawn]
    assert agree(Counter(type(n) for n in noise), {GaussianNoise: 0.5, PoissonNoise: 0.5})
    assert agree(Counter(n.gray for n in noise), {True: 0.4, False: 0.6})


def test_values_fill_their_ranges_and_leave_none(drawn):
    def values(kind, name, which=slice(None)):
        found = [getattr(s, name) for steps in drawn for s in steps[:4][which] if type(s) is kind]
        return np.array(found).min(), np.array(found).max()

    for (low, high), (lowest, highest) in (
        (values(KernelBlur, "size"), (7, 21)),
        (values(KernelBlur, "sigma"), (0.2, 3)),
        (values(RandomResize, "factor"), (0.15, 1.5)),
        (values(GaussianNoise, "sigma"), (1, 30)),
        (values(PoissonNoise, "scale"), (0.05, 3)),
        (values(JpegCompression, "quality"), (30, 95)),
    ):
        slack = 0.02 * (highest - lowest)
        assert lowest <= low <= lowest + slack
        assert highest - slack <= high <= highest
    sizes = {step.size for steps in drawn for step in steps if isinstance(step, KernelBlur)}
    assert sizes == set(range(7, 22, 2))


def test_two_rounds_end_with_a_resize_and_jpeg_in_either_order(drawn):
    orders = Counter()
    for steps in drawn:
        kinds = [type(step) for step in steps]
        assert kinds.count(JpegCompression) == kinds.count(RandomResize) == 2
        assert kinds[3] is JpegCompression
        assert kinds.count(ResizeToLr) == 1
        orders[kinds.index(ResizeToLr) > len(kinds) - 1 - kinds[::-1].index(JpegCompression)] += 1
    assert agree(orders, {True: 0.5, False: 0.5})
    second_blurs = sum(isinstance(steps[4], KernelBlur | SincFilter) for steps in drawn)
    assert agree(
        Counter({True: second_blurs, False: DRAWS - second_blurs}), {True: 0.8, False: 0.2}
    )


def test_one_round_is_blur_bicubic_noise_jpeg():
    realistic = Degradation(**load_option("degradation", "realistic"))
    random = np.random.default_rng(0)
    for _ in range(50):
        names = [type(step).__name__ for step in draw_steps(realistic, random)]
        order = ["KernelBlur", "Bicubic", "GaussianNoise", "PoissonNoise", "JpegCompression"]
        assert names == sorted(names, key=order.index)
        assert {"Bicubic", "JpegCompression"} <= set(names)
