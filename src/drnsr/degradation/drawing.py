"""Random degradations: the steps are drawn, and then applied."""

from math import pi
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drnsr.degradation.parameters import (
    Blur,
    Degradation,
    Direction,
    Final,
    KernelName,
    Noise,
    Resize,
    ResizeName,
    Round,
)
from drnsr.degradation.steps import (
    Bicubic,
    GaussianNoise,
    JpegCompression,
    KernelBlur,
    PoissonNoise,
    RandomResize,
    ResizeToLr,
    SincFilter,
    Sizes,
    Step,
    to_uint8,
)

_Name = TypeVar("_Name", bound=str)

# The lowest cut-off of a sinc filter by its size, from the authors' code: a small kernel has no
# room for the ringing of a low one.
_SMALL_SINC = 13  # pixels
_LOWEST_CUTOFF, _LOWEST_CUTOFF_LARGE = pi / 3, pi / 5


def draw_steps(degradation: Degradation, random: np.random.Generator) -> list[Step]:
    """Draw the steps of a degradation with rounds, in the order in which they are applied."""
    steps: list[Step] = []
    for number, each in enumerate(degradation.rounds):
        steps += _draw_round(each, random)
        if number < len(degradation.rounds) - 1:
            steps += _draw_jpeg(each, random)
    jpeg = _draw_jpeg(degradation.rounds[-1], random)
    if degradation.final is None:
        return steps + jpeg
    final = _draw_final(degradation.final, random)
    return steps + (final + jpeg if random.random() < 0.5 else jpeg + final)


def apply_steps(
    steps: list[Step], hr: NDArray[np.uint8], scale: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Make the low-resolution picture by steps.

    Args:
        steps: of :func:`draw_steps`.
        hr: (H, W, 3) or (H, W, 1), whose sides are divisible by the scale.
        scale: the factor between HR and LR.
        random: the generator of the noise.

    Returns:
        (H / scale, W / scale, C).
    """
    height, width = hr.shape[:2]
    sizes = Sizes((height, width), (height // scale, width // scale))
    pixels = hr.astype(np.float32)
    for step in steps:
        pixels = step.apply(pixels, sizes, random)
    return to_uint8(pixels)


def _draw_round(each: Round, random: np.random.Generator) -> list[Step]:
    """Draw all of a round but its JPEG."""
    steps: list[Step] = []
    if each.blur is not None and random.random() < each.blur.probability:
        steps.append(_draw_blur(each.blur, random))
    steps.append(Bicubic() if each.resize is None else _draw_resize(each.resize, random))
    if each.noise is not None and random.random() < each.noise.probability:
        steps.append(_draw_noise(each.noise, random))
    return steps


def _draw_jpeg(each: Round, random: np.random.Generator) -> list[Step]:
    if each.jpeg is None:
        return []
    lowest, highest = each.jpeg.jpeg_range
    return [JpegCompression(int(random.integers(lowest, highest + 1)))]


def _draw_blur(blur: Blur, random: np.random.Generator) -> Step:
    size = _draw_size(blur.kernel_size, random)
    if random.random() < blur.sinc_prob:
        lowest = _LOWEST_CUTOFF if size < _SMALL_SINC else _LOWEST_CUTOFF_LARGE
        return SincFilter(size, random.uniform(lowest, pi))
    kernel: KernelName = _choose(blur.kernel_prob, random)
    sigma = _uniform(blur.blur_sigma, random)
    if kernel.endswith("aniso"):
        other, angle = _uniform(blur.blur_sigma, random), random.uniform(-pi, pi)
    else:
        other, angle = sigma, 0.0
    beta = 1.0
    if kernel.startswith("generalized"):
        beta = _draw_beta(blur.betag_range, random)
    elif kernel.startswith("plateau"):
        beta = _draw_beta(blur.betap_range, random)
    return KernelBlur(kernel, size, (sigma, other), angle, beta)


def _draw_size(sizes: list[int], random: np.random.Generator) -> int:
    lowest, highest = sizes
    return lowest + 2 * int(random.integers((highest - lowest) // 2 + 1))


def _draw_beta(limits: list[float], random: np.random.Generator) -> float:
    """Draw a value below 1 as often as one above it, as the authors' code does."""
    lowest, highest = limits
    if lowest <= 1 <= highest:
        limits = [lowest, 1.0] if random.random() < 0.5 else [1.0, highest]
    return _uniform(limits, random)


def _draw_resize(resize: Resize, random: np.random.Generator) -> Step:
    direction: Direction = _choose(resize.resize_prob, random)
    smallest, largest = resize.resize_range
    limits = {"up": [1.0, largest], "down": [smallest, 1.0], "keep": [1.0, 1.0]}
    factor = _uniform(limits[direction], random)
    return RandomResize(factor, resize.relative_to, _pick(resize.kernels, random))


def _draw_noise(noise: Noise, random: np.random.Generator) -> Step:
    gaussian = random.random() < noise.gaussian_noise_prob
    strength = float(_uniform(noise.noise_range if gaussian else noise.poisson_scale_range, random))
    gray = bool(random.random() < noise.gray_noise_prob)
    return GaussianNoise(strength, gray) if gaussian else PoissonNoise(strength, gray)


def _draw_final(final: Final, random: np.random.Generator) -> list[Step]:
    steps: list[Step] = [ResizeToLr(_pick(final.kernels, random))]
    if random.random() < final.final_sinc_prob:
        size = _draw_size(final.kernel_size, random)
        steps.append(SincFilter(size, random.uniform(_LOWEST_CUTOFF, pi)))
    return steps


def _uniform(limits: list[float], random: np.random.Generator) -> float:
    lowest, highest = limits
    return float(random.uniform(lowest, highest))


def _pick(kernels: list[ResizeName], random: np.random.Generator) -> ResizeName:
    return kernels[random.integers(len(kernels))]


def _choose(probabilities: dict[_Name, float], random: np.random.Generator) -> _Name:
    """Choose a name by the probabilities, in their order."""
    left = random.random()
    for name, probability in probabilities.items():  # numpy's choice takes ten times as long
        left -= probability
        if left < 0:
            return name
    return next(name for name in reversed(probabilities) if probabilities[name] > 0)
