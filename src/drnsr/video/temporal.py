"""A mean over time where the source does not change, against flicker.

A network for single images enlarges the noise of each frame by itself, so that what stands still
flickers. Here each pixel becomes a weighted mean of the pixels at its place in the frame and in
those before. The weights are those of the non-local mean of image sequences (Buades, Coll and Morel
2008, Nonlocal Image and Movie Denoising, section 5), which fall with the mean square difference of
patches, but with no search: motion is not followed, and what moves is left as it is. They are found
in the source, whose noise the network has not changed, and fall to zero, so that no ghost remains.

A frame depends on the three before alone, so that reading those again is enough to go on.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

FRAMES_BEFORE = 3
"""The number of frames before each one that it is averaged with."""

_PATCH = 5  # the side in pixels of the source

# The variance of noise is the difference of the patches that differ least, this part of all: those
# that move differ more. Levels are of 255. Half a level is rounded away, and compression adds some;
# if even these patches differ more than by strong noise, all moves, or it is a cut.
_STILL = 0.1
_LEAST_NOISE, _MOST_NOISE = 2.0, 80.0

# The weight falls to zero at a difference that is larger than this by so many times this. White
# noise differs by 1.3 times this on average, and gets a weight of 0.9.
_SPAN = 2.0

_BAND_ROWS = 256


class TemporalMean:
    """Averages each enlarged frame of a video with those before it.

    The frames are passed in their order. At the first ones, fewer are averaged.
    """

    def __init__(self) -> None:
        self._before: deque[tuple[NDArray[Any], NDArray[Any]]] = deque(maxlen=FRAMES_BEFORE)

    def __call__(self, source: NDArray[Any], enlarged: NDArray[Any]) -> NDArray[Any]:
        """Return the mean of a frame and those before.

        Args:
            source: the frame (h, w, 3), uint8 or uint16 in the full range.
            enlarged: the same enlarged (H, W, 3), of the same type.

        Returns:
            (H, W, 3) of the same type.
        """
        weights = [(_weights(source, small), large) for small, large in self._before]
        used = [(weight, large) for weight, large in weights if weight is not None]
        self._before.append((source, enlarged))
        return _weighted_mean(enlarged, used) if used else enlarged


def _weights(frame: NDArray[Any], before: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return the weight (h, w), 0..1, of each pixel of a frame before; None if all differs."""
    unit = np.float32(255 / np.iinfo(frame.dtype).max)
    squares = np.zeros(frame.shape[:2], np.float32)
    for channel in range(3):
        difference = frame[:, :, channel].astype(np.float32) - before[:, :, channel]
        squares += np.square(difference * unit) / 3
    patches: NDArray[np.float32] = torch.nn.functional.avg_pool2d(
        torch.from_numpy(squares)[None], _PATCH, 1, _PATCH // 2, count_include_pad=False
    )[0].numpy()
    noise = max(_LEAST_NOISE, float(np.quantile(patches[::2, ::2], _STILL)))
    if noise > _MOST_NOISE:
        return None
    weights: NDArray[np.float32] = np.clip(1 - (patches - noise) / np.float32(_SPAN * noise), 0, 1)
    return weights


def _weighted_mean(
    frame: NDArray[Any], others: list[tuple[NDArray[np.float32], NDArray[Any]]]
) -> NDArray[Any]:
    """Return the mean of a frame of weight 1 (H, W, 3) and others with their weights (h, w)."""
    mean = np.empty_like(frame)
    height, width = frame.shape[:2]
    small_height, small_width = others[0][0].shape
    columns = np.arange(width) * small_width // width
    for rows in _bands_of(height):
        places = np.arange(rows.start, rows.stop) * small_height // height
        total = frame[rows].astype(np.float32)
        sum_of_weights = np.ones((*total.shape[:2], 1), np.float32)
        for weights, other in others:
            weight = weights[places][:, columns, None]
            total += weight * other[rows]
            sum_of_weights += weight
        mean[rows] = np.rint(total / sum_of_weights)
    return mean


def _bands_of(height: int) -> Iterator[slice]:
    for top in range(0, height, _BAND_ROWS):
        yield slice(top, min(top + _BAND_ROWS, height))
