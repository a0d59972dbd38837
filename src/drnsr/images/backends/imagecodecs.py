"""The formats that imagecodecs decodes, which keeps more than 8 bits a channel."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

from drnsr.images.codec import Codec, check_size
from drnsr.images.errors import ImageError
from drnsr.images.page import Metadata, Page
from drnsr.images.picture import Pixels, from_array

_MOST_CHANNELS = 4


@dataclass(frozen=True, kw_only=True)
class ImagecodecsCodec(Codec):
    """A format that imagecodecs decodes in memory."""

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
        """Read a file; its metadata are not read, which is noted.

        Raises:
            ImageError: it is damaged, too large, or of a kind that cannot be upscaled.
        """
        check_size(*self.header_size(path), remedy=f" for {self.name.upper()}; TIFF has none")
        try:
            pixels = self.decode(path.read_bytes())
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise ImageError(f"damaged or truncated ({error})") from error
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or pixels.shape[2] > _MOST_CHANNELS:
            raise ImageError("several pictures in one file, which cannot be read: split it")
        return [Page(from_array(pixels), Metadata(), self.notes(path))]

    def notes(self, path: Path) -> tuple[str, ...]:
        """Return notes about what of a file is not read."""
        return ("profiles and EXIF of this format are not kept",)

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        width, height = self.header_size(path)
        return width * height
