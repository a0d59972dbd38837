"""The range of the values of a training set, from their percentiles."""

import numpy as np
from numpy.typing import NDArray

from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.images.picture import ValueRange


def percentile_range(
    dataset: PreparedDataset, percentiles: tuple[float, float], *, per_band: bool = False
) -> ValueRange:
    """Return the prepared values at two percentiles of the training pictures.

    The p-th percentile is the smallest value that at least p percent of the values do not exceed
    (numpy's method "inverted_cdf").

    Args:
        dataset: the prepared training set.
        percentiles: the lower and the upper one, 0..100.
        per_band: whether each band has its own; else they are those of all bands.

    Raises:
        DataError: if both are one value.
    """
    pixels = dataset.pixels
    counts: NDArray[np.int64] = np.zeros((pixels.channels, 2**pixels.depth), np.int64)
    for number, image in enumerate(dataset.images):
        if image.split == "train":
            hr = dataset.hr(number)
            for band, each in enumerate(counts):
                each += np.bincount(hr[:, :, band].ravel(), minlength=each.size)
    if not per_band:
        return _at(counts.sum(axis=0), percentiles, dataset.name)
    limits = [
        _at(each, percentiles, f"{dataset.name}, band {band}")
        for band, each in zip(pixels.bands, counts, strict=True)
    ]
    return tuple(low for low, _ in limits), tuple(high for _, high in limits)


def _at(
    counts: NDArray[np.int64], percentiles: tuple[float, float], name: str
) -> tuple[float, float]:
    below = np.cumsum(counts)
    wanted = np.maximum(np.array(percentiles) / 100 * below[-1], 1)
    low, high = (float(value) for value in np.searchsorted(below, wanted, side="left"))
    if low == high:
        raise DataError(
            f"{name}: the percentiles {percentiles[0]:g} and {percentiles[1]:g} of its"
            f" training pictures are both {low:g}; declare data.pixels.range"
        )
    return low, high
