"""Reading the pictures of a data set: 8-bit RGB, or the bands of an instrument.

A reader also says which pictures the files hold: a scene may be several files, and a file several
pictures. Such a picture has a path that is no file, and is named by it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drnsr.data.pixels import Pixels
from drnsr.images.codecs import split_name
from drnsr.images.errors import ImageError
from drnsr.images.files import read_image
from drnsr.images.joined import join_bands
from drnsr.images.page import Page
from drnsr.images.picture import Box, Picture, ValueRange
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.reading import open_picture, pixel_count

log = logging.getLogger("drnsr")


class Reader(Protocol):
    """Reads the pictures of a data set."""

    @property
    def pixels(self) -> PixelFormat:
        """What it returns; the range may be found later, from the training pictures."""

    @property
    def percentiles(self) -> tuple[float, float] | None:
        """The percentiles of the training pictures that are the range; None if it is known."""

    @property
    def per_band(self) -> bool:
        """Whether each band has percentiles of its own."""

    def pictures(self, files: Sequence[Path]) -> list[Path]:
        """Return the pictures in some files, in their order.

        Raises:
            ImageError: if a part of a picture is missing.
        """

    def read(self, picture: Path, called: str, max_pixels: int) -> NDArray[Any]:
        """Return a picture, (H, W, C) of the prepared type.

        Args:
            picture: one of :meth:`pictures`.
            called: the name of its file in messages.
            max_pixels: a picture with more pixels by its header is refused before it is decoded.

        Raises:
            ImageError: if it cannot be used; the message names it.
        """


class PhotoReader:
    """Reads 8-bit RGB and gray, as :func:`drnsr.images.files.read_image` does."""

    pixels = RGB8
    percentiles = None
    per_band = False

    def pictures(self, files: Sequence[Path]) -> list[Path]:
        """Return the files: each is a picture."""
        return list(files)

    def read(self, picture: Path, called: str, max_pixels: int) -> NDArray[Any]:
        """Return (H, W, 3) or (H, W, 1) uint8; see :class:`Reader`."""
        return read_image(picture, max_pixels=max_pixels, called=called)


@dataclass(frozen=True)
class _Source:
    """The files of a picture, in the order of its bands, and the part of it that is used.

    Attributes:
        files: one, or one for each band.
        area: left, top, right and bottom in fractions of width and height.
        slice: the number of the slice, if the file is a volume.
    """

    files: tuple[Path, ...]
    area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    slice: int | None = None

    def box(self, picture: Picture) -> Box:
        """Return the part of a picture in pixels."""
        left, top, right, bottom = self.area
        return Box(
            round(top * picture.height),
            round(bottom * picture.height),
            round(left * picture.width),
            round(right * picture.width),
        )


@dataclass
class BandReader:
    """Reads pictures with any bands, of 8 or 16 bits or mapped to them.

    Attributes:
        choices: what the pictures hold.
    """

    choices: Pixels
    _sources: dict[Path, _Source] = field(default_factory=dict)
    _first: tuple[str, np.dtype[Any]] | None = None  # a file, and the type of all files

    @property
    def pixels(self) -> PixelFormat:
        """The format, with the declared range or that of the type."""
        full, declared = self.choices.type_format(), self.choices.declared_range()
        if declared is None:
            return full
        is_mapped = self._first is not None and self._first[1] != full.dtype
        stored = full.stored_range if is_mapped else declared
        return PixelFormat(full.bands, full.depth, declared, stored)

    @property
    def percentiles(self) -> tuple[float, float] | None:
        """The percentiles of the training pictures that are the range; None if it is known."""
        return self.choices.percentiles

    @property
    def per_band(self) -> bool:
        """Whether each band has percentiles of its own."""
        return self.choices.per_band

    def pictures(self, files: Sequence[Path]) -> list[Path]:
        """Join the files of a scene, and cut pictures into areas, and volumes into slices.

        See :class:`Reader`.
        """
        if self._first is None:
            self._first = _find_type(files, self.choices.type_format().dtype)
        scenes: dict[Path, tuple[Path, ...]] = {file: (file,) for file in files}
        if self.choices.join is not None:
            scenes = join_bands(files, self.choices.bands, self.choices.join)
        made = {}
        for scene, parts in scenes.items():
            for name, area in self.choices.areas.items():
                made[scene.with_name(f"{scene.stem}_{name}{scene.suffix}")] = _Source(parts, area)
            if not self.choices.areas:
                made |= self._slices(scene) or {scene: _Source(parts)}
        self._sources |= made
        return list(made)

    def _slices(self, file: Path) -> dict[Path, _Source]:
        """Return the slices of a volume that are in the slab; none if it is no volume."""
        try:
            with open_picture(file, measured=False) as opened:
                count, depth = len(opened.pages), opened.pages[0].metadata.slices
        except ImageError:
            return {}  # it is reported when it is read
        first, last = (round(end * depth) for end in self.choices.slab)
        name, _ = split_name(file)
        return {
            file.with_name(f"{name}_{number:04}"): _Source((file,), slice=number)
            for number in range(count)
            if depth and first <= number % depth < last
        }

    def read(self, picture: Path, called: str, max_pixels: int) -> NDArray[Any]:
        """Return (H, W, C) of the prepared type; see :class:`Reader`."""
        source = self._sources.get(picture, _Source((picture,)))
        is_one = len(source.files) == 1
        names = [called if is_one else str(file) for file in source.files]
        opened = [
            self._read_file(file, name, max_pixels, source)
            for file, name in zip(source.files, names, strict=True)
        ]
        if len({size for _, size in opened}) > 1:
            sizes = ", ".join(
                f"{name} has {width} x {height}"
                for name, (_, (width, height)) in zip(names, opened, strict=True)
            )
            raise ImageError(f"{called}: its bands differ in size: {sizes} pixels")
        pixels = np.concatenate([part for part, _ in opened], axis=2)
        wanted = self.choices.bands
        if pixels.shape[2] != len(wanted):
            raise ImageError(
                f"{called}: {_counted(pixels.shape[2])}, but data.pixels.bands names {len(wanted)}:"
                f" {', '.join(wanted)}"
            )
        declared = self.choices.declared_range()
        if declared is not None and pixels.dtype != self.pixels.dtype:
            pixels = map_values(pixels, declared, self.pixels.dtype)
        return pixels

    def _read_file(
        self, file: Path, called: str, max_pixels: int, source: _Source
    ) -> tuple[NDArray[Any], tuple[int, int]]:
        """Return the used part of a file, (H, W, C), and the width and height of the file."""
        number = source.slice
        try:
            if number is None and (count := pixel_count(file)) > max_pixels:
                raise ImageError(f"{count:,} pixels, more than the limit of {max_pixels:,}")
            with open_picture(file, measured=False) as opened:
                if number is None:
                    pages = _pages_of_bands(opened.pages, len(self.choices.bands), called)
                else:
                    pages = [opened.pages[number]]
                box = source.box(pages[0].picture)
                bands = len(self.choices.bands)
                values = [_known_values(page.picture, box, bands) for page in pages]
                size = pages[0].picture.width, pages[0].picture.height
            found = np.concatenate(values, axis=2)
            self._check_type(found.dtype)
            return found, size
        except ImageError as error:
            raise ImageError(f"{called}: {str(error).removeprefix(f'{file}: ')}") from error

    def _check_type(self, found: np.dtype[Any]) -> None:
        """Check that the values of a file are those of the set, or can be mapped to them."""
        wanted = self.choices.type_format().dtype
        if self._first is not None and found != self._first[1]:
            name, first = self._first
            raise ImageError(f"{found}, but {name} is {first}; the pictures of a data set have one")
        if found == wanted:
            return
        if found == np.uint8:
            raise ImageError("8 bits a band; take data.pixels.depth=8")
        if self.choices.range is None:
            raise ImageError(
                f"{found}, which a declared range maps to {self.choices.depth} bits; give"
                " data.pixels.range, such as [0, 1]"
            )


def make_reader(choices: Pixels | None) -> Reader:
    """Return the reader of a data set: of 8-bit RGB if there are no choices."""
    return PhotoReader() if choices is None else BandReader(choices)


def map_values(values: NDArray[Any], value_range: ValueRange, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Map a range to all values of an unsigned type; values beyond it are clipped.

    Args:
        values: of any type, (..., C).
        value_range: what becomes 0 and the largest value, for all channels or for each.
        dtype: an unsigned type.
    """
    low, high = map(np.array, value_range)
    largest = float(np.iinfo(dtype).max)
    scaled = (values.astype(np.float64) - low) * (largest / (high - low))
    mapped: NDArray[Any] = np.clip(np.floor(scaled + 0.5), 0, largest).astype(dtype)
    return mapped


def _find_type(files: Sequence[Path], prepared: np.dtype[Any]) -> tuple[str, np.dtype[Any]] | None:
    """Return the type of the pictures, and a file of it: the prepared type if one file has it."""
    first = None
    for file in files:
        found = _type_of(file)
        first = first or found
        if found is not None and found[1] == prepared:
            return found
    return first


def _type_of(file: Path) -> tuple[str, np.dtype[Any]] | None:
    """Return the name of a file and the type of its values; None if it cannot be read."""
    try:
        with open_picture(file, measured=False) as opened:
            return file.name, opened.pages[0].picture.dtype
    except ImageError:
        return None


def _pages_of_bands(pages: list[Page], bands: int, called: str) -> list[Page]:
    """Return the pages that are the bands of one picture, or the first page."""
    pictures = [page.picture for page in pages]
    kinds = {(each.height, each.width, each.dtype, each.channels.count) for each in pictures}
    if len(pages) == bands and len(kinds) == 1 and pictures[0].channels.count == 1:
        return pages
    if len(pages) > 1:
        log.warning("%s: only the first of its %d pictures is read", called, len(pages))
    return pages[:1]


def _known_values(picture: Picture, box: Box, bands: int) -> NDArray[Any]:
    """Return the channels of a part, (H, W, C), without alpha unless it is one of the bands.

    Raises:
        ImageError: if there are values without data, which nobody can train on or measure.
    """
    values = picture.box(box)
    known = picture.known(values)
    if known is not None and not known.all():
        raise ImageError(
            f"{np.count_nonzero(~known):,} of {known.size:,} values are no data; name parts that"
            " have data everywhere in data.pixels.areas, or cut the picture to one"
        )
    if picture.channels.count == bands:
        return values
    return values[:, :, [number for group in picture.channels.groups for number in group]]


def _counted(bands: int) -> str:
    return "1 band" if bands == 1 else f"{bands} bands"
