"""Several files with one band each as one picture, such as the bands of a satellite's scene."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drnsr.images.errors import ImageError
from drnsr.images.page import Page
from drnsr.images.picture import GRAY, Box, Channels, Picture, Pixels
from drnsr.images.reading import PictureFile, open_picture

_ALIKE: dict[str, Callable[[Page], object]] = {
    "size": lambda page: (page.picture.width, page.picture.height),
    "type": lambda page: str(page.picture.dtype),
    "nodata": lambda page: page.picture.nodata,
    "georeference": lambda page: [tag[3] for tag in page.metadata.georeference],
}
"""In what the bands of a scene are alike."""


@contextmanager
def open_joined(
    files: Sequence[Path], value_range: tuple[float, float] | None = None
) -> Iterator[PictureFile]:
    """Open files as one picture, with the metadata of the first; it can be read while it is open.

    Args:
        files: one for each band, in their order.
        value_range: see :func:`drnsr.images.reading.open_picture`.

    Raises:
        ImageError: a file cannot be read, has several bands, or differs from the first in size,
            type, nodata or georeference; the message names it.
    """
    with ExitStack() as kept:
        opened = [
            kept.enter_context(open_picture(file, value_range, measured=False)) for file in files
        ]
        pages = [file.pages[0] for file in opened]
        for path, file, page in zip(files, opened, pages, strict=True):
            if len(file.pages) > 1 or page.picture.channels != GRAY:
                raise ImageError(f"{path}: not a single band")
            for name, of in _ALIKE.items():
                here, there = of(page), of(pages[0])
                if repr(here) != repr(there):  # NaN as nodata equals itself
                    raise ImageError(f"{path}: its {name} is {here}, but {there} in {files[0]}")
        picture = replace(
            pages[0].picture,
            channels=Channels(tuple((number,) for number in range(len(files)))),
            rows=_Joined(tuple(page.picture for page in pages)),
        )
        notes = dict.fromkeys(note for page in pages for note in page.notes)
        yield PictureFile(opened[0].codec, [replace(pages[0], picture=picture, notes=tuple(notes))])


@dataclass(frozen=True)
class _Joined:
    """Reads the bands of several pictures: a BoxReader."""

    pictures: tuple[Picture, ...]

    def __call__(self, top: int, bottom: int) -> Pixels:
        return np.concatenate([each.rows(top, bottom) for each in self.pictures], axis=2)

    def box(self, box: Box) -> Pixels:
        return np.concatenate([each.box(box) for each in self.pictures], axis=2)
