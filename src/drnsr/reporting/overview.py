"""One look at all rows of a picture: what it is like made small, and where there is most to see."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from drnsr.images.picture import Picture, scanned
from drnsr.reporting.display import Seen, seen


def survey(picture: Picture, side: int, place: tuple[int, int]) -> tuple[Seen, tuple[int, int]]:
    """Make a picture small, and find its most detailed place.

    Args:
        picture: read once from top to bottom.
        side: the longer one of the small picture, in pixels: at least so many, and less than twice
            as many, where the picture has them.
        place: (height, width) in pixels.

    Returns:
        The small picture, and (row, column) where the place begins. It has the largest sum of
        squared differences between neighbouring pixels, of those that begin at every half of their
        size.
    """
    shrink = max(1, max(picture.height, picture.width) // side)
    small = _Cells(picture, shrink, shrink, 4)
    height, width = (max(1, length // 2) for length in place)
    detail = _Cells(picture, height, width, 1)
    # What can be seen through has edges to be seen; where no data begin, there is nothing to see.
    known_alone = picture.channels.alpha is None
    above: Seen | None = None
    for band in scanned(picture):
        rows = seen(band, picture)
        small.add(rows)
        upper = np.concatenate([rows[:1] if above is None else above, rows[:-1]])
        left = np.concatenate([rows[:, :1], rows[:, :-1]], axis=1)
        detail.add(_change(rows, upper, known_alone) + _change(rows, left, known_alone))
        above = rows[-1:]
    sums = detail.sums[:, :, 0]
    windows = sliding_window_view(sums, [min(2, cells) for cells in sums.shape]).sum(axis=(2, 3))
    row, column = np.unravel_index(int(windows.argmax()), windows.shape)
    return small.means(), (int(row) * height, int(column) * width)


def _change(pixels: Seen, neighbours: Seen, known_alone: bool) -> Seen:
    """(H, W, 1)."""
    squared: Seen = ((pixels - neighbours) ** 2).sum(axis=2, keepdims=True)
    return squared * pixels[:, :, 3:] * neighbours[:, :, 3:] if known_alone else squared


class _Cells:
    """Sums over the cells of a grid, of a picture whose rows come in bands."""

    def __init__(self, picture: Picture, height: int, width: int, channels: int) -> None:
        self._rows = np.arange(picture.height) // height
        self._starts = np.arange(0, picture.width, width)
        self._areas = np.outer(np.bincount(self._rows), np.diff(self._starts, append=picture.width))
        self._done = 0
        self.sums: NDArray[np.float64] = np.zeros((*self._areas.shape, channels))

    def add(self, band: Seen) -> None:
        """(n, W, channels), the next rows."""
        rows = self._rows[self._done : self._done + len(band)]
        np.add.at(self.sums, rows, np.add.reduceat(band, self._starts, axis=1))
        self._done += len(band)

    def means(self) -> Seen:
        """Of each cell."""
        means: NDArray[np.float64] = self.sums / self._areas[:, :, None]
        return means.astype(np.float32)
