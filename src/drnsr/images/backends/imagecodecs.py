"""The formats that imagecodecs decodes, which keeps more than 8 bits a channel."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from drnsr.images.backends.pillow import upright
from drnsr.images.codec import Codec, check_size
from drnsr.images.errors import ImageError
from drnsr.images.metadata.exif import SOFTWARE, read_exif
from drnsr.images.metadata.xmp import upright_xmp
from drnsr.images.page import Metadata, Page, Resolution, Unit
from drnsr.images.picture import Pixels, from_array

_MOST_CHANNELS = 4
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _CM = 282, 283, 296, 3  # of EXIF


@dataclass(frozen=True, kw_only=True)
class ImagecodecsCodec(Codec):
    """A format that imagecodecs decodes in memory."""

    held: float = 9.0

    @abstractmethod
    def decode(self, content: bytes) -> Pixels:
        """Decode a whole file to (H, W) or (H, W, C); it may raise what imagecodecs raises."""

    @abstractmethod
    def header_size(self, path: Path) -> tuple[int, int]:
        """Return width and height in pixels by the header of a file.

        Raises:
            ImageError: it does not state them.
        """

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        check_size(*self.header_size(path), remedy=f" for {self.name.upper()}; TIFF has none")
        content = path.read_bytes()
        try:
            pixels = self.decode(content)
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise ImageError(f"damaged or truncated ({error})") from error
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or pixels.shape[2] > _MOST_CHANNELS:
            raise ImageError("several pictures in one file, which cannot be read: split it")
        metadata, orientation, notes = self.packets(content).parsed()
        upright_pixels = upright(pixels, orientation)
        return [Page(from_array(upright_pixels), metadata, notes + self.notes(path))]

    def packets(self, content: bytes) -> "Packets":
        """Return the metadata of a whole file."""
        return Packets()

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        exif = self.packets(path.read_bytes()).parsed()[0].exif
        return None if exif is None else exif.get(SOFTWARE)

    def notes(self, path: Path) -> tuple[str, ...]:
        """Return notes about what of a file is not read."""
        return ()

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        width, height = self.header_size(path)
        return width * height


@dataclass(frozen=True)
class Packets:
    """Metadata as they stand in a file.

    Attributes:
        icc: the colour profile.
        exif: with or without ``Exif`` and two zeros before it.
        xmp: a packet of XMP.
        turned: whether the decoder has applied the orientation.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    turned: bool = False

    def parsed(self) -> tuple[Metadata, int, tuple[str, ...]]:
        """Return the metadata, the orientation still to be applied, and notes of what is lost."""

        def load() -> Image.Exif:
            exif = Image.Exif()
            if self.exif:
                exif.load(self.exif)
            return exif

        exif, orientation, notes = read_exif(load)
        resolution = None
        if exif is not None:
            unit: Unit = "cm" if exif.get(_RESOLUTION_UNIT) == _CM else "inch"
            x, y = exif.get(_X_RESOLUTION), exif.get(_Y_RESOLUTION)
            sides = (y, x) if orientation > 4 and not self.turned else (x, y)
            resolution = Resolution.parse(*sides, unit)
        xmp = upright_xmp(self.xmp) if self.xmp else None
        metadata = Metadata(icc=self.icc, resolution=resolution, exif=exif, xmp=xmp)
        return metadata, 1 if self.turned else orientation, notes
