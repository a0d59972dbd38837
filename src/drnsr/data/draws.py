"""The random draws of training samples: a function of (seed, number) alone."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from drnsr.data.prepared import PreparedDataset

WeightBy = Literal["images", "pixels"]
"""How often a picture is drawn: all equally often, or in proportion to their pixels."""


class Draw(NamedTuple):
    """A sample.

    Attributes:
        picture: number of the picture in the dataset.
        top: first row of the HR crop, in HR pixels.
        left: first column of the HR crop, in HR pixels.
        symmetry: index of a symmetry of the square in albumentations' list.
    """

    picture: int
    top: int
    left: int
    symmetry: int


def lr_patch_sizes(
    scales: Sequence[int], patch_size: int | None, hr_patch_size: int | None
) -> dict[int, int]:
    """Compute the side of the LR crops of each scale, in pixels.

    Args:
        scales: the scales.
        patch_size: side of the LR crop, the same for all scales; None if ``hr_patch_size`` is
            given.
        hr_patch_size: side of the HR crop, which is rounded to the nearest multiple of each scale.

    Returns:
        The side by scale.
    """
    if hr_patch_size is None:
        assert patch_size is not None
        return dict.fromkeys(scales, patch_size)
    return {scale: round(hr_patch_size / scale) for scale in scales}


class Draws:
    """The samples, from a counter-based generator (Salmon et al. 2011) that restarts for each.

    Args:
        dataset: the prepared training set. Crops begin at the pixels of its LR, or at any HR pixel
            if it is dense.
        pictures: numbers of the pictures to sample from.
        patch_sizes: side of the LR crop in pixels for each trained scale.
        batch_size: number of consecutive samples in a batch, which share a scale.
        seed: seed of the samples.
        weight_by: how often a picture is drawn.
        turns: whether rows may become columns; otherwise there are four symmetries, not eight.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        pictures: Sequence[int],
        *,
        patch_sizes: Mapping[int, int],
        batch_size: int,
        seed: int,
        weight_by: WeightBy = "images",
        turns: bool = True,
    ) -> None:
        self._patch_sizes = dict(patch_sizes)
        self._batch_size = batch_size
        self._pictures = list(pictures)
        pixels = [prod(dataset.images[n].shape(1)[:2]) for n in self._pictures]
        # A picture is drawn by the number of one of its pixels, or by its own.
        self._ends = np.cumsum(pixels) if weight_by == "pixels" else None
        self._shapes = [image.shape(1)[:2] for image in dataset.images]
        self._is_dense = dataset.is_dense
        self._turns = turns
        self._philox = np.random.Philox(key=seed)
        self._generator = np.random.Generator(self._philox)
        self._start = self._philox.state

    def scale_of(self, k: int) -> int:
        """Return the scale of the batch of sample ``k``; the scales are equally likely."""
        if len(self._patch_sizes) == 1:
            return next(iter(self._patch_sizes))
        # The counters of samples have 0 in the highest of Philox's four words.
        random = self._generator_at(k // self._batch_size, high=1)
        return list(self._patch_sizes)[random.integers(len(self._patch_sizes))]

    def draw(self, k: int, scale: int) -> Draw:
        """Return sample ``k``, for the scale that :meth:`scale_of` gives."""
        random, size = self._generator_at(k), self._patch_sizes[scale]
        step = 1 if self._is_dense else scale
        picture = self._pictures[self._draw_place(random)]
        top, left = (
            step * int(random.integers((side - scale * size) // step + 1))
            for side in self._shapes[picture]
        )
        # The choice of albumentations' D4 with this seed.
        symmetry = int(np.random.default_rng(random.integers(2**31)).integers(8))
        # Those with even numbers keep rows as rows: none, a half turn, and the two flips.
        return Draw(picture, top, left, symmetry if self._turns else symmetry // 2 * 2)

    def degradation_generator(self, k: int) -> np.random.Generator:
        """Return the generator of the degradation of sample ``k``, valid until the next draw."""
        return self._generator_at(k, high=2)

    def _draw_place(self, random: np.random.Generator) -> int:
        """Return the place of a picture among those to sample from."""
        if self._ends is None:
            return int(random.integers(len(self._pictures)))
        pixel = random.integers(self._ends[-1])
        return int(np.searchsorted(self._ends, pixel, side="right"))

    def _generator_at(self, number: int, high: int = 0) -> np.random.Generator:
        """Return the generator with another counter, ten times as fast as a new generator."""
        self._start["state"]["counter"][:] = (0, number, 0, high)
        self._philox.state = self._start
        return self._generator
