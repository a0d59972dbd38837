"""A picture file: its pages, what stands beside their pixels, and what a written one needs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from PIL import Image

from drnsr.errors import UserError
from drnsr.images.picture import Channels, Picture, Pixels, gathered

if TYPE_CHECKING:
    from pydicom import FileDataset

Format = Literal[
    "png",
    "jpeg",
    "webp",
    "tiff",
    "bmp",
    "ppm",
    "dicom",
    "avif",
    "gif",
    "jp2",
    "jxl",
    "qoi",
    "tga",
    "ico",
    "dds",
    "hdr",
    "heif",
]

SUFFIXES: dict[str, Format] = {
    ".png": "png",
    ".apng": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".ppm": "ppm",
    ".pgm": "ppm",
    ".pnm": "ppm",
    ".dcm": "dicom",
    ".avif": "avif",
    ".gif": "gif",
    ".jp2": "jp2",
    ".j2k": "jp2",
    ".jxl": "jxl",
    ".qoi": "qoi",
    ".tga": "tga",
    ".ico": "ico",
    ".dds": "dds",
    ".hdr": "hdr",
    ".heic": "heif",
    ".heif": "heif",
}
"""The formats by their suffixes in lower case."""

PAGED: tuple[Format, ...] = ("tiff", "dicom")
"""The formats with several pages."""

ANIMATED: tuple[Format, ...] = ("gif", "webp", "png", "avif")
"""The formats with pictures that follow one another in time."""

READ_ONLY: dict[Format, Format] = {"ico": "png", "dds": "png", "hdr": "tiff", "heif": "png"}
"""The formats that are read alone, and what is written instead."""

_LARGEST_RESOLUTION = 1e7  # so that it can be written even when it has grown

Unit = Literal["none", "inch", "cm"]

TiffTag = tuple[int, int, int, object, bool]
"""As tifffile takes it: code, type, count, value, and whether it is for the first page alone."""


class FormatError(UserError):
    """What a format cannot hold, or a file that is not of the format that it should be."""


@dataclass(frozen=True)
class Resolution:
    """How many pixels lie on a length, to the right and down."""

    x: float
    y: float
    unit: Unit = "inch"

    @classmethod
    def of(cls, x: object, y: object, unit: Unit = "inch") -> "Resolution | None":
        """What a file says, where that makes sense; None for zero, NaN and the like."""
        try:
            right, down = float(x), float(y)  # type: ignore[arg-type]
        except (TypeError, ValueError, ArithmeticError):
            return None
        makes_sense = all(0 < each < _LARGEST_RESOLUTION for each in (right, down))
        return cls(right, down, unit) if makes_sense else None

    def per_inch(self) -> tuple[float, float] | None:
        """In dots an inch; None where no length is meant."""
        factor = {"none": None, "inch": 1.0, "cm": 2.54}[self.unit]
        return None if factor is None else (self.x * factor, self.y * factor)


@dataclass(frozen=True)
class Metadata:
    """What stands beside the pixels and is kept.

    Attributes:
        icc: the colour profile that the pixels are meant in.
        resolution: which grows with the picture.
        exif: without an orientation, for the pixels are upright.
        tiff_tags: those of the file that any enlarged copy keeps as they are.
        georeference: TIFF tags that tie pixels to the ground, and change with the picture's size.
        description: TIFF's text, maybe XML of a microscope.
        white_is_zero: of a gray TIFF or DICOM.
        compression: of a TIFF, where it is without loss.
        dicom: all that a DICOM file says.
        png_chunks: of a PNG, name and content: its own statements of colour, and its texts.
        duration: of a picture of an animation in milliseconds.
        loops: how often an animation is shown; 0 is for ever.
    """

    icc: bytes | None = None
    resolution: Resolution | None = None
    exif: Image.Exif | None = None
    tiff_tags: tuple[TiffTag, ...] = ()
    georeference: tuple[TiffTag, ...] = ()
    description: str | None = None
    white_is_zero: bool = False
    compression: int | None = None
    dicom: "FileDataset | None" = None
    png_chunks: tuple[tuple[bytes, bytes], ...] = ()
    duration: float | None = None
    loops: int = 0


@dataclass(frozen=True)
class Page:
    """One picture of a file.

    Attributes:
        picture: its pixels.
        metadata: what stands beside.
        notes: what was not taken as it is, for the person to know.
    """

    picture: Picture
    metadata: Metadata
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpscaledPage:
    """An enlarged page, its rows made as they are asked for.

    Attributes:
        height: in pixels.
        width: in pixels.
        source: what it was made from: the type and meaning of its pixels, and its size.
        rows: bands (n, width, C) from top to bottom.
    """

    height: int
    width: int
    source: Page
    rows: Iterator[Pixels] = field(repr=False)

    @property
    def channels(self) -> Channels:
        """What they are."""
        return self.source.picture.channels

    def pixels(self) -> Pixels:
        """All rows together, (height, width, C)."""
        shape = (self.height, self.width, self.channels.count)
        return gathered(self.rows, shape, self.source.picture.dtype)

    @property
    def size(self) -> int:
        """Of the pixels in bytes."""
        return self.height * self.width * self.channels.count * self.source.picture.dtype.itemsize

    @property
    def growth(self) -> tuple[float, float]:
        """How many times wider and higher it is than its source."""
        picture = self.source.picture
        return self.width / picture.width, self.height / picture.height

    @property
    def resolution(self) -> Resolution | None:
        """The source's, grown as the picture."""
        before = self.source.metadata.resolution
        if before is None:
            return None
        x, y = self.growth
        return Resolution(before.x * x, before.y * y, before.unit)
