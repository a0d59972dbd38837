"""Which crop a training sample is: a function of nothing but (seed, number)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from drnsr.data.prepared import PreparedDataset


class Draw(NamedTuple):
    """One sample.

    Attributes:
        picture: its number in the dataset.
        top: of the LR crop, in LR pixels.
        left: likewise.
        symmetry: which of the eight of the square, as a place in albumentations' list of them.
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
    """The stream of samples: a counter-based generator (Salmon et al. 2011), begun anew for each.

    Args:
        dataset: the prepared training set.
        pictures: the numbers of those that samples are cut from.
        patch_sizes: side of the LR crop in pixels for each scale that is trained.
        batch_size: how many samples in turn make a batch, and share a scale.
        seed: another seed, other samples.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        pictures: Sequence[int],
        *,
        patch_sizes: Mapping[int, int],
        batch_size: int,
        seed: int,
    ) -> None:
        self._patch_sizes = dict(patch_sizes)
        self._batch_size = batch_size
        self._pictures = list(pictures)
        self._shapes = {
            scale: [image.shape(scale)[:2] for image in dataset.images] for scale in patch_sizes
        }
        self._philox = np.random.Philox(key=seed)
        self._generator = np.random.Generator(self._philox)
        self._start = self._philox.state

    def scale_of(self, k: int) -> int:
        """The scale of sample ``k``, which is that of its batch; all occur equally often."""
        if len(self._patch_sizes) == 1:
            return next(iter(self._patch_sizes))
        # The samples' counters leave the topmost of Philox's four words at 0.
        random = self._begun_at(k // self._batch_size, above=1)
        return list(self._patch_sizes)[random.integers(len(self._patch_sizes))]

    def draw(self, k: int, scale: int) -> Draw:
        """Sample ``k``, whose scale is that of :meth:`scale_of`."""
        random, size = self._begun_at(k), self._patch_sizes[scale]
        picture = self._pictures[random.integers(len(self._pictures))]
        rows, columns = self._shapes[scale][picture]
        top = int(random.integers(rows - size + 1))
        left = int(random.integers(columns - size + 1))
        # As albumentations' D4 chooses where it is seeded with this number.
        symmetry = int(np.random.default_rng(random.integers(2**31)).integers(8))
        return Draw(picture, top, left, symmetry)

    def _begun_at(self, number: int, above: int = 0) -> np.random.Generator:
        # To set the counter takes a tenth of the time that a new generator takes.
        self._start["state"]["counter"][:] = (0, number, 0, above)
        self._philox.state = self._start
        return self._generator
