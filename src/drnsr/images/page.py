"""A page of a picture file: its pixels, its metadata, and the same page upscaled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from drnsr.images.picture import Channels, Picture, Pixels, concatenate_rows

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header
    from pydicom import FileDataset

MetadataKind = Literal[
    "icc",
    "resolution",
    "exif",
    "xmp",
    "iptc",
    "description",
    "georeference",
    "png_chunks",
    "duration",
    "dicom",
    "nifti",
    "exr",
]

METADATA: dict[MetadataKind, str] = {
    "icc": "the colour profile",
    "resolution": "the resolution",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "description": "the description of TIFF",
    "georeference": "the georeference",
    "png_chunks": "the texts and statements of colour of PNG",
    "duration": "the timing of its pictures",
    "dicom": "the attributes of DICOM",
    "nifti": "the header of NIfTI",
    "exr": "the attributes of OpenEXR",
}
"""The kinds of metadata, each a field of :class:`Metadata`, and their names in messages."""

PNG_XMP = b"XML:com.adobe.xmp\0"
"""The beginning of a text of PNG that is XMP."""

_LARGEST_RESOLUTION = 1e7  # a larger one could not be written once it is multiplied by the scale

Unit = Literal["none", "inch", "cm"]

TiffTag = tuple[int, int, int, object, bool]
"""A tag as tifffile takes it: code, type, count, value, and whether only the first page has it."""


@dataclass(frozen=True)
class Resolution:
    """The number of pixels per unit of length, horizontally and vertically."""

    x: float
    y: float
    unit: Unit = "inch"

    @classmethod
    def parse(cls, x: object, y: object, unit: Unit = "inch") -> "Resolution | None":
        """Return the resolution that a file states; None if it is zero, NaN or the like."""
        try:
            right, down = float(x), float(y)  # type: ignore[arg-type]
        except (TypeError, ValueError, ArithmeticError):
            return None
        is_valid = all(0 < each < _LARGEST_RESOLUTION for each in (right, down))
        return cls(right, down, unit) if is_valid else None

    def per_inch(self) -> tuple[float, float] | None:
        """Return it in dots per inch; None if it states the shape of a pixel alone."""
        factor = {"none": None, "inch": 1.0, "cm": 2.54}[self.unit]
        return None if factor is None else (self.x * factor, self.y * factor)


@dataclass(frozen=True)
class Metadata:
    """The metadata of a page that is kept when it is upscaled.

    Attributes:
        icc: the colour profile of the pixels.
        resolution: it is multiplied by the scale.
        exif: without an orientation, because the pixels are upright.
        xmp: a packet of XMP, without an orientation.
        iptc: a block of IPTC-IIM.
        tiff_tags: the tags of a GeoTIFF that do not change with the size.
        georeference: the TIFF tags that map pixels to the ground; they change with the size.
        description: the ImageDescription of a TIFF, such as the XML of a microscope.
        white_is_zero: whether zero is white, in a gray TIFF or DICOM.
        compression: of a TIFF, if it is lossless.
        dicom: all attributes of a DICOM file.
        nifti: the header of a NIfTI file, with its extensions.
        slices: if the page is a slice of a volume, the number of its slices; else 0. The slices of
            a volume follow one another, and the volumes of a file, too.
        png_chunks: name and content of the chunks of a PNG that state its colours, and its texts.
        exr: attributes of OpenEXR by name, without those that follow from the pixels; its windows
            change with the size.
        duration: of a frame of an animation, in milliseconds.
        loops: how often an animation is shown; 0 is forever.
    """

    icc: bytes | None = None
    resolution: Resolution | None = None
    exif: Image.Exif | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    tiff_tags: tuple[TiffTag, ...] = ()
    georeference: tuple[TiffTag, ...] = ()
    description: str | None = None
    white_is_zero: bool = False
    compression: int | None = None
    dicom: "FileDataset | None" = None
    nifti: "Nifti1Header | None" = None
    slices: int = 0
    exr: Mapping[str, Any] | None = None
    png_chunks: tuple[tuple[bytes, bytes], ...] = ()
    duration: float | None = None
    loops: int = 0

    @property
    def kinds(self) -> list[MetadataKind]:
        """The kinds of :data:`METADATA` that the page has."""
        kinds: list[MetadataKind] = [k for k in METADATA if getattr(self, k) not in (None, ())]
        if all(content.startswith(PNG_XMP) for _, content in self.png_chunks):
            return [kind for kind in kinds if kind != "png_chunks"]  # XMP is a kind of its own
        return kinds


@dataclass(frozen=True)
class Page:
    """One picture of a file.

    Attributes:
        picture: the pixels.
        metadata: what the file says about them.
        notes: what was converted or left out in reading, for the user.
    """

    picture: Picture
    metadata: Metadata
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpscaledPage:
    """An upscaled page, whose rows are computed when they are read.

    Attributes:
        height: in pixels.
        width: in pixels.
        source: the page that was upscaled; its channels, type and metadata hold for this one.
        rows: bands (n, width, C) from top to bottom.
    """

    height: int
    width: int
    source: Page
    rows: Iterator[Pixels] = field(repr=False)

    @property
    def channels(self) -> Channels:
        """The meaning of the channels."""
        return self.source.picture.channels

    def pixels(self) -> Pixels:
        """Return all rows together, (height, width, C)."""
        shape = (self.height, self.width, self.channels.count)
        return concatenate_rows(self.rows, shape, self.source.picture.dtype)

    @property
    def size(self) -> int:
        """The size of the pixels in bytes."""
        return self.height * self.width * self.channels.count * self.source.picture.dtype.itemsize

    @property
    def growth(self) -> tuple[float, float]:
        """The ratio of its width and height to those of the source."""
        picture = self.source.picture
        return self.width / picture.width, self.height / picture.height

    @property
    def resolution(self) -> Resolution | None:
        """The source's resolution, multiplied by :attr:`growth`."""
        before = self.source.metadata.resolution
        if before is None:
            return None
        x, y = self.growth
        return Resolution(before.x * x, before.y * y, before.unit)


def is_animation(pages: Sequence[UpscaledPage]) -> bool:
    """Return whether the pages are frames that follow one another in time."""
    return len(pages) > 1 and pages[0].source.metadata.duration is not None
