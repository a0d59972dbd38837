"""Several files with one band each as one picture, such as the bands of a satellite's scene."""

import re
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


def join_bands(
    files: Sequence[Path], bands: Sequence[str], pattern: str, called: str = "data.pixels.join"
) -> dict[Path, tuple[Path, ...]]:
    """Find the files of each scene, one for each band.

    Args:
        files: files with one band each.
        bands: their names, in the order of the channels.
        pattern: of the names without suffix, with ``{scene}`` and ``{band}``.
        called: the name of the pattern in messages.

    Returns:
        The files in the order of ``bands``, by a path with the name of the scene.

    Raises:
        ImageError: if a file does not match, a band is missing, or two files are one band.
    """
    expression = re.escape(pattern).replace(r"\{scene\}", "(?P<scene>.+)")
    expression = expression.replace(r"\{band\}", f"(?P<band>{'|'.join(map(re.escape, bands))})")
    scenes: dict[Path, dict[str, Path]] = {}
    for file in files:
        found = re.fullmatch(expression, file.stem)
        if found is None:
            raise ImageError(
                f"{file}: its name does not match {called}, {pattern}, with a band of"
                f" {', '.join(bands)}"
            )
        scene = scenes.setdefault(file.with_name(found["scene"] + file.suffix), {})
        if other := scene.get(found["band"]):
            raise ImageError(f"{other} and {file} are the same band of one scene; remove one")
        scene[found["band"]] = file
    for scene_path, found_bands in scenes.items():
        if missing := [band for band in bands if band not in found_bands]:
            raise ImageError(
                f"{scene_path.with_suffix('')}: no file for {', '.join(missing)} of this scene; it"
                f" has {', '.join(file.name for file in found_bands.values())}"
            )
    return {path: tuple(parts[band] for band in bands) for path, parts in scenes.items()}


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
