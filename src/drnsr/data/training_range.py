"""The range of the values of a training set, from their percentiles."""

import numpy as np
from numpy.typing import NDArray

from drnsr.data.prepared import DataError, PreparedDataset


def percentile_range(
    dataset: PreparedDataset, percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Return the prepared values at two percentiles of all bands of the training pictures.

    The p-th percentile is the smallest value that at least p percent of the values do not exceed
    (numpy's method "inverted_cdf").

    Args:
        dataset: the prepared training set.
        percentiles: the lower and the upper one, 0..100.

    Raises:
        DataError: if both are one value.
    """
    counts: NDArray[np.int64] = np.zeros(2**dataset.pixels.depth, np.int64)
    for number, image in enumerate(dataset.images):
        if image.split == "train":
            counts += np.bincount(dataset.hr(number).ravel(), minlength=len(counts))
    below = np.cumsum(counts)
    wanted = np.maximum(np.array(percentiles) / 100 * below[-1], 1)
    low, high = (float(value) for value in np.searchsorted(below, wanted, side="left"))
    if low == high:
        raise DataError(
            f"{dataset.name}: the percentiles {percentiles[0]:g} and {percentiles[1]:g} of its"
            f" training pictures are both {low:g}; declare data.pixels.range"
        )
    return low, high
