"""OpenEXR: linear light in floats of 16 and 32 bits, by the library of the format's authors."""

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drnsr.errors import SignalError
from drnsr.images.backends.alpha import divided_by_alpha
from drnsr.images.codec import PROVENANCE_KEY, Codec, check_size
from drnsr.images.errors import FormatError, ImageError
from drnsr.images.page import Metadata, Page, UpscaledPage
from drnsr.images.picture import GRAY, GRAY_ALPHA, RGB, RGBA, Channels, from_array, mean_light
from drnsr.images.pixel_file import stored

if TYPE_CHECKING:
    import OpenEXR

_SIGNATURE = b"\x76\x2f\x31\x01"
_COLOURS = {("R", "G", "B", "A"): RGBA, ("R", "G", "B"): RGB, ("Y", "A"): GRAY_ALPHA, ("Y",): GRAY}
_CHROMA = frozenset({"RY", "BY"})
_FLAT = frozenset({"scanlineimage", "tiledimage"})
_MOST_VALUES = 600_000_000  # of all channels and parts, which are read together: 2.4 GB

# Attributes that follow from the pixels, or from the way in which they are stored.
_STRUCTURE = frozenset(
    {"channels", "chunkCount", "compression", "dwaCompressionLevel", "lineOrder", "multiView"}
    | {"name", "preview", "tiles", "type", "version", PROVENANCE_KEY}
)
_DATA_WINDOW, _DISPLAY_WINDOW, _DENSITY = "dataWindow", "displayWindow", "xDensity"
_DEFAULTS: dict[str, Any] = {
    "pixelAspectRatio": 1.0,
    "screenWindowWidth": 1.0,
    "screenWindowCenter": (0.0, 0.0),
}


@dataclass(frozen=True, kw_only=True)
class ExrCodec(Codec):
    """OpenEXR; of a file with several parts, the first one."""

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        _check(self._open(path, header_only=True))
        parts = self._open(path).parts
        planes = {name: channel.pixels for name, channel in parts[0].channels.items()}
        names, channels = _colours(planes)
        pixels = np.stack([planes[name] for name in names], axis=2)  # the wider of their types
        notes: tuple[str, ...] = ()
        if others := sorted(planes.keys() - set(names)):
            notes += (f"left out: the channels {', '.join(others)}",)
        if tuple(names) not in _COLOURS:
            notes += (f"the channel {names[0]} is taken for gray",)
        if len(parts) > 1:
            notes += (f"only the first of its {len(parts)} parts is read",)
        if channels.alpha is not None:  # colour is multiplied by it
            if (pixels[:, :, :-1][pixels[:, :, -1] == 0] != 0).any():
                notes += ("colour of transparent pixels, such as glow, is left out",)
            pixels = divided_by_alpha(pixels, channels.alpha)
        light = mean_light(pixels[:, :, : channels.colour]) if tuple(names) in _COLOURS else None
        picture = replace(from_array(pixels, channels), light=light)
        return [Page(stored(picture), Metadata(exr=_attributes(parts[0].header)), notes)]

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        width, height = _size(self._open(path, header_only=True).parts[0])
        return width * height

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        return self._open(path, header_only=True).parts[0].header.get(PROVENANCE_KEY)

    def check_page(self, page: UpscaledPage) -> None:
        """See :meth:`Codec.check_page`."""
        dtype = page.source.picture.dtype
        if page.channels not in _COLOURS.values() or dtype not in (np.float16, np.float32):
            raise FormatError(
                f"{page.channels.count} channels of {dtype}, and EXR is written from gray or RGB of"
                " float16 or float32: take --format tiff"
            )

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """See :meth:`Codec.write`."""
        page = pages[0]
        pixels = page.pixels()
        if page.channels.alpha is not None:
            pixels[:, :, :-1] *= pixels[:, :, -1:]
        names = next(names for names, channels in _COLOURS.items() if channels == page.channels)
        planes = {name: pixels[:, :, place].copy() for place, name in enumerate(names)}
        library = self._library()
        header = _upscaled_attributes(page) | {
            "compression": library.ZIP_COMPRESSION,
            "type": library.scanlineimage,
            PROVENANCE_KEY: text,
        }
        with path.open("wb") as file:
            library.File(header, planes).write(file)

    def _open(self, path: Path, *, header_only: bool = False) -> "OpenEXR.File":
        library = self._library()
        printed = io.StringIO()
        with path.open("rb") as file, redirect_stdout(printed):
            try:
                found = library.File(file, separate_channels=True, header_only=header_only)
            except (SignalError, MemoryError):
                raise
            except Exception as error:  # it reports damage by errors of several types
                raise ImageError(f"damaged or truncated ({error})") from error
        if not found.parts:  # pixels that cannot be read
            reason = printed.getvalue().strip().rpartition(" - ")[2]
            raise ImageError(f"damaged or truncated ({reason})")
        return found

    def _library(self) -> Any:  # noqa: ANN401
        try:
            import OpenEXR
        except ImportError as error:
            raise ImageError(f"OpenEXR, which needs: pip install 'drnsr[{self.extra}]'") from error
        return OpenEXR


def _size(part: "OpenEXR.Part") -> tuple[int, int]:
    """Return width and height in pixels."""
    (left, top), (right, bottom) = (map(int, corner) for corner in part.header[_DATA_WINDOW])
    return right - left + 1, bottom - top + 1


def _check(found: "OpenEXR.File") -> None:
    """Refuse by the header what is too large, or has no single value for each pixel.

    Raises:
        ImageError: it is refused.
    """
    values = 0
    for part in found.parts:
        width, height = _size(part)
        check_size(width, height, remedy=" for EXR; TIFF has none")
        values += width * height * len(part.header["channels"])
    if values > _MOST_VALUES:
        raise ImageError(f"{values:,} values in all channels, more than {_MOST_VALUES:,}")
    header = found.parts[0].header
    if header["type"].name not in _FLAT:
        raise ImageError("deep pixels, with several values each: flatten it first")
    names = {channel.name for channel in header["channels"]}
    if names >= _CHROMA:
        raise ImageError("luminance and chroma: make it RGB first")
    if any((channel.xSampling, channel.ySampling) != (1, 1) for channel in header["channels"]):
        raise ImageError("channels with fewer pixels than the others: make them equal first")


def _colours(planes: Mapping[str, Any]) -> tuple[Sequence[str], Channels]:
    """Return the names of the channels that are upscaled, in order, and their meaning.

    Raises:
        ImageError: none is known as a colour, and there are several.
    """
    floats = [name for name, plane in planes.items() if plane.dtype.kind == "f"]
    for names, channels in _COLOURS.items():
        if set(names) <= set(floats):
            return names, channels
    if len(floats) == 1:  # such as depth
        return floats, GRAY
    raise ImageError(
        f"no channels R, G, B or Y of floats, but {', '.join(sorted(planes))}: keep one of them"
    )


def _attributes(header: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the attributes that are kept; None if all have their usual values."""
    kept = {name: value for name, value in header.items() if name not in _STRUCTURE}
    unusual = {
        name: value
        for name, value in kept.items()
        if name not in _DEFAULTS or not np.array_equal(value, _DEFAULTS[name])
    }
    windows = (_DATA_WINDOW, _DISPLAY_WINDOW)
    first, second = (np.array(header[name]) for name in windows)
    has_usual_windows = np.array_equal(first, second) and not first[0].any()
    return None if has_usual_windows and unusual.keys() == {*windows} else kept


def _upscaled_attributes(page: UpscaledPage) -> dict[str, Any]:
    """Return the attributes of the source with windows and density for the new size."""
    attributes = dict(page.source.metadata.exr or {})
    size = np.array([page.width, page.height])
    if _DATA_WINDOW in attributes:
        growth = np.array(page.growth)
        start = (attributes[_DATA_WINDOW][0] * growth).round()
        attributes[_DATA_WINDOW] = _window(start, start + size - 1)
        first, last = attributes[_DISPLAY_WINDOW]
        attributes[_DISPLAY_WINDOW] = _window(first * growth, (last + 1.0) * growth - 1)
    if _DENSITY in attributes:
        attributes[_DENSITY] *= page.growth[0]
    return attributes


def _window(first: Any, last: Any) -> tuple[Any, Any]:  # noqa: ANN401
    return first.round().astype(np.int32), last.round().astype(np.int32)


CODEC = ExrCodec(
    name="exr",
    suffixes=(".exr",),
    signatures=(_SIGNATURE,),
    extra="exr",
    bits=(16, 32),
    held=2.0,
    keeps=frozenset({"exr"}),
)
