"""An overview of a picture, from one pass over its rows: a thumbnail and the most detailed crop."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from drnsr.images.picture import Picture, iter_rows
from drnsr.reporting.display import PremultipliedRGBA, to_premultiplied


def overview(
    picture: Picture, side: int, crop: tuple[int, int]
) -> tuple[PremultipliedRGBA, tuple[int, int]]:
    """Make a thumbnail of a picture and find its most detailed crop.

    The most detailed crop has the largest sum of squared differences between neighbouring pixels.
    Only the crops at multiples of half of the size are compared.

    Args:
        picture: the picture; it is read once from top to bottom.
        side: the longer side of the thumbnail in pixels: at least this, and less than twice this,
            if the picture is as large.
        crop: (height, width) of the crop in pixels.

    Returns:
        The thumbnail, and (row, column) of the first pixel of the crop.
    """
    shrink = max(1, max(picture.height, picture.width) // side)
    thumbnail = _GridSums(picture, shrink, shrink, 4)
    height, width = (max(1, length // 2) for length in crop)
    detail = _GridSums(picture, height, width, 1)
    # The edges of transparency are details of a picture; the edges of nodata are not.
    valid_only = picture.channels.alpha is None
    last_row: PremultipliedRGBA | None = None
    for band in iter_rows(picture):
        rows = to_premultiplied(band, picture)
        thumbnail.add(rows)
        above = np.concatenate([rows[:1] if last_row is None else last_row, rows[:-1]])
        left = np.concatenate([rows[:, :1], rows[:, :-1]], axis=1)
        detail.add(
            _squared_difference(rows, above, valid_only)
            + _squared_difference(rows, left, valid_only)
        )
        last_row = rows[-1:]
    sums = detail.sums[:, :, 0]
    windows = sliding_window_view(sums, [min(2, cells) for cells in sums.shape]).sum(axis=(2, 3))
    row, column = np.unravel_index(int(windows.argmax()), windows.shape)
    return thumbnail.means(), (int(row) * height, int(column) * width)


def _squared_difference(
    pixels: PremultipliedRGBA, neighbours: PremultipliedRGBA, valid_only: bool
) -> NDArray[np.float32]:
    """Return (H, W, 1), zero next to pixels without a valid value if ``valid_only``."""
    squared: NDArray[np.float32] = ((pixels - neighbours) ** 2).sum(axis=2, keepdims=True)
    return squared * pixels[:, :, 3:] * neighbours[:, :, 3:] if valid_only else squared


class _GridSums:
    """Sums over the cells of a grid, for a picture that is read in bands of rows.

    Args:
        picture: defines the size of the grid.
        height: the height of a cell in pixels.
        width: the width of a cell in pixels.
        channels: the number of values of a pixel.
    """

    def __init__(self, picture: Picture, height: int, width: int, channels: int) -> None:
        self._rows = np.arange(picture.height) // height
        self._starts = np.arange(0, picture.width, width)
        self._areas = np.outer(np.bincount(self._rows), np.diff(self._starts, append=picture.width))
        self._num_rows = 0
        self.sums: NDArray[np.float64] = np.zeros((*self._areas.shape, channels))

    def add(self, band: NDArray[np.float32]) -> None:
        """Add the next rows, (n, W, channels)."""
        rows = self._rows[self._num_rows : self._num_rows + len(band)]
        np.add.at(self.sums, rows, np.add.reduceat(band, self._starts, axis=1))
        self._num_rows += len(band)

    def means(self) -> NDArray[np.float32]:
        """Return the mean of each cell."""
        means: NDArray[np.float64] = self.sums / self._areas[:, :, None]
        return means.astype(np.float32)
