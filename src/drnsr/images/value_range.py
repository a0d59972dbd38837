"""The values that a network sees as black and white, if the type of the pixels does not say it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from drnsr.images.page import Page
from drnsr.images.picture import GRAY, Picture, Pixels, full_range, iter_boxes

ONE_OF = 10_000
"""One pixel of this number may be darker than black, and one brighter than white: outliers of a
sensor (hot pixels, dust, metal) would otherwise make all others dark."""

_MOST_LABELS = 128  # an atlas of a brain has about a hundred
_VALUES_OF_A_LABEL = 20  # at least; a small picture has few different values, too
_NOTED_RANGE = 0.5  # part of the type's range; a larger range hardly changes the result


def with_ranges(
    pages: list[Page], asked: tuple[float, float] | None, *, measured: bool = True
) -> list[Page]:
    """Return pages with values of black and white, the same for all pages of one type.

    Integers of 16 bits are seen between the values that contain all but one of :data:`ONE_OF`
    pixels at either end, other types between the smallest and the largest value. Unsigned integers
    of 8 bits are used in full, except in gray DICOM and in NIfTI.

    Args:
        pages: all pages of a file.
        asked: the values that the user gave, or None.
        measured: whether to find them from the pixels if the user gave none.
    """
    ranged = list(pages)
    for dtype in dict.fromkeys(page.picture.dtype for page in pages):
        numbers = [n for n, page in enumerate(pages) if page.picture.dtype == dtype]
        notes: tuple[str, ...] = ()
        if asked is not None:
            value_range = asked
        elif not measured or (dtype == np.uint8 and not _is_measurement(pages[0])):
            continue
        else:
            labels = _Labels()
            pictures = [pages[n].picture for n in numbers]
            value_range = _range_of(labels.watch(_iter_values(pictures)), dtype)
            is_volume = pages[0].metadata.nifti is not None
            notes = (*_note(value_range, dtype), *(labels.note() if is_volume else ()))
        for n in numbers:
            page = ranged[n]
            picture = replace(page.picture, value_range=value_range)
            ranged[n] = replace(page, picture=picture, notes=page.notes + notes)
    return ranged


def _is_measurement(page: Page) -> bool:
    of_instrument = page.metadata.dicom is not None or page.metadata.nifti is not None
    return of_instrument and page.picture.channels == GRAY


def _note(value_range: tuple[float, float], dtype: np.dtype[np.generic]) -> tuple[str, ...]:
    low, high = value_range
    black, white = full_range(dtype)
    if dtype.kind in "ui" and high - low > _NOTED_RANGE * (white - black):
        return ()
    return (f"{low:.6g} is taken as black and {high:.6g} as white (--range sets other values)",)


def measured_range(pictures: list[Picture]) -> tuple[float, float]:
    """Return black and white of pictures of one type; 0 and 1 if no pixel has data."""
    return _range_of(_iter_values(pictures), pictures[0].dtype)


def _iter_values(pictures: list[Picture]) -> Iterator[Pixels]:
    for picture in pictures:
        yield from (_known_values(picture, rows) for rows in iter_boxes(picture))


class _Labels:
    """Finds out whether values are few whole numbers, as those of a segmentation are."""

    def __init__(self) -> None:
        self._found: set[float] | None = set()  # None if they are too many
        self._count = 0

    def watch(self, values: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield the same values."""
        for part in values:
            self._count += part.size
            if self._found is not None:
                self._found.update(np.unique(part).tolist())
                is_whole = all(value == round(value) for value in self._found)
                if not is_whole or len(self._found) > _MOST_LABELS:
                    self._found = None
            yield part

    def note(self) -> tuple[str, ...]:
        """Return what the user should know."""
        if self._found is None or not 2 <= len(self._found) < self._count / _VALUES_OF_A_LABEL:
            return ()
        return (
            f"its {len(self._found)} different values look like labels, and it is enlarged like a"
            " picture, with values between them: labels need nearest-neighbour interpolation",
        )


def _range_of(values: Iterable[Pixels], dtype: np.dtype[np.generic]) -> tuple[float, float]:
    if dtype.kind in "ui" and dtype.itemsize <= 2:
        return _within_tails(values, dtype)
    low, high = np.inf, -np.inf
    for each in values:
        if each.size:
            low, high = min(low, float(each.min())), max(high, float(each.max()))
    return (low, high) if low <= high else (0.0, 1.0)


def _known_values(picture: Picture, rows: Pixels) -> Pixels:
    """Return the values of colour, without alpha, that are data."""
    colours = [number for group in picture.channels.groups for number in group]
    known = picture.known(rows)
    values = rows[:, :, colours]
    return values.ravel() if known is None else values[known[:, :, colours]]


def _within_tails(values: Iterable[Pixels], dtype: np.dtype[np.generic]) -> tuple[float, float]:
    """Return the range without the outliers at both ends, unless nothing is left between them."""
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    counts = np.zeros(limits.max - limits.min + 1, np.int64)
    for each in values:
        counts += np.bincount(each.astype(np.int64) - limits.min, minlength=len(counts))
    there = np.flatnonzero(counts)
    if not there.size:
        return 0.0, 1.0
    below = np.cumsum(counts)
    cut = below[-1] // ONE_OF
    low = np.searchsorted(below, cut, side="right")
    high = np.searchsorted(below, below[-1] - cut)
    if low == high:
        low, high = there[0], there[-1]
    return float(low + limits.min), float(high + limits.min)
