"""The interface of a picture format: how its files are recognised, read and written."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drnsr.images.errors import FormatError, ImageError
from drnsr.images.memory import available_memory
from drnsr.images.page import METADATA, MetadataKind, Page, UpscaledPage, is_animation
from drnsr.images.picture import GRAY, GRAY_ALPHA, RGB, RGBA, Channels, full_range

PROVENANCE_KEY = "drnsr"
"""The keyword of the text in which a PNG file stores what made it."""

_HELD_BY_FRAMES = 4.0  # see Codec.held; measured with GIF

MAX_PIXELS = 150_000_000
"""The largest picture that is read as a whole, in pixels: 450 MB of 8-bit RGB."""


@dataclass(frozen=True, kw_only=True)
class Codec(ABC):
    """A picture format.

    Each module of :mod:`drnsr.images.codecs` defines one as ``CODEC``.

    Attributes:
        name: the value of ``--format``; messages show it in upper case.
        suffixes: the file names that are kept when a picture is upscaled; new files get the first.
        read_suffixes: further suffixes by which files are found.
        signatures: the bytes with which a file begins; one of them is enough.
        written_as: the name of the format that is written instead, if this one is only read.
        extra: the extra of the package that reading it needs, if it needs one.
        bits: the depths that a channel can have in a written file.
        alpha: whether it holds transparency.
        max_side: the largest width and height in pixels, if there is a limit.
        is_paged: whether a file holds several pages, of any type of pixels.
        is_folder: whether it is a folder of files.
        is_animated: whether a file holds several pictures with their durations.
        held: the memory that writing takes, divided by the size of the pixels of the result; 0 if
            it is written while it is upscaled.
        is_lossy: whether the pixels of a written file are not quite those that it was given.
        keeps: the metadata that a written file keeps; the loss of all other is reported.
        pillow: Pillow's names of the format, if Pillow reads it.
        in_datasets: whether data sets may contain it (8 bits a channel, read by Pillow).
    """

    name: str
    suffixes: tuple[str, ...] = ()
    read_suffixes: tuple[str, ...] = ()
    signatures: tuple[bytes, ...] = ()
    written_as: str | None = None
    extra: str | None = None
    bits: tuple[int, ...] = (8,)
    alpha: bool = True
    max_side: int | None = None
    is_paged: bool = False
    is_folder: bool = False
    is_animated: bool = False
    held: float = 0.0
    is_lossy: bool = False
    keeps: frozenset[MetadataKind] = frozenset()
    pillow: tuple[str, ...] = ()
    in_datasets: bool = False

    def recognises(self, head: bytes) -> bool:
        """Return whether the first :data:`drnsr.images.reading.HEAD` bytes are of this format."""
        return head.startswith(self.signatures)

    def may_be(self, head: bytes) -> bool:
        """Return whether a file can be of this format that no format recognises.

        It is asked if the file's suffix is one of the format's.
        """
        return False

    @contextmanager
    def open(self, path: Path) -> Iterator[list[Page]]:
        """Open a file; its pixels can be read while it is open.

        Raises:
            ImageError: it is damaged, too large, or of a kind that cannot be upscaled.
        """
        yield self.read(path)

    @abstractmethod
    def read(self, path: Path) -> list[Page]:
        """Return the pages of a file, upright.

        Raises:
            ImageError: see :meth:`open`.
        """

    @abstractmethod
    def pixel_count(self, path: Path) -> int:
        """Return the number of pixels of all pages by the file's header.

        Raises:
            ImageError: it is damaged.
        """

    def provenance(self, path: Path) -> object:
        """Return the text that :meth:`write` stored in a file, or None."""
        return None

    def depth(self, channels: Channels) -> int:
        """Return the largest number of bits that each of these channels can have."""
        return max(self.bits)

    def check(self, pages: Sequence[UpscaledPage]) -> None:
        """Check before the work whether the format can hold its result.

        Raises:
            FormatError: it cannot; the message says which format can.
        """
        label = self.name.upper()
        if self.written_as is not None:
            raise FormatError(f"{label} is read and not written: take --format {self.written_as}")
        if len(pages) > 1 and not (self.is_paged or (self.is_animated and is_animation(pages))):
            raise FormatError(f"{len(pages)} pages, and {label} holds one: take --format tiff")
        for page in pages:
            if page.source.metadata.white_is_zero and not self.is_paged:
                raise FormatError(
                    f"its zero is white, which {label} cannot say: take --format tiff"
                )
            self.check_page(page)
        self._check_memory(pages)

    def _check_memory(self, pages: Sequence[UpscaledPage]) -> None:
        """Refuse before the work what the kernel would end for its memory."""
        held = self.held
        if is_animation(pages) and not self.is_paged:
            held = max(held, _HELD_BY_FRAMES)
        needed, available = held * sum(page.size for page in pages), available_memory()
        if needed > available:
            raise FormatError(
                f"to write it as {self.name.upper()} takes about {needed / 2**30:.1f} GiB of"
                f" memory, and {available / 2**30:.1f} are available: take --format tiff"
            )

    def check_page(self, page: UpscaledPage) -> None:
        """Check the size, channels and type of one page; see :meth:`check`."""
        label = self.name.upper()
        if self.max_side is not None and max(page.width, page.height) > self.max_side:
            raise FormatError(
                f"{page.width} x {page.height} pixels, and {label} holds {self.max_side} a side:"
                " take --format tiff"
            )
        if page.channels.alpha is not None and not self.alpha:
            raise FormatError(f"it has transparency, and {label} holds none: take --format png")
        usual = page.channels in (GRAY, GRAY_ALPHA, RGB, RGBA)
        if not usual or page.source.picture.dtype not in (np.uint8, np.uint16):
            raise FormatError(
                f"{page.channels.count} channels of {page.source.picture.dtype}, which {label} does"
                " not hold: take --format tiff"
            )

    def losses(self, pages: Sequence[UpscaledPage], text: str) -> list[str]:
        """Return what the format cannot hold of pages that it can hold, a message each.

        Args:
            pages: checked by :meth:`check`.
            text: the provenance that is to be stored.
        """
        kinds = {kind for page in pages for kind in page.source.metadata.kinds} - self.keeps
        lost = [name for kind, name in METADATA.items() if kind in kinds]
        return [
            *filter(None, map(self._darkened, pages)),
            *(f"{self.name.upper()} does not hold {kind}" for kind in lost),
        ]

    def _darkened(self, page: UpscaledPage) -> str | None:
        """Return a message for 16 bits with a low white level if only 8 bits are stored."""
        picture = page.source.picture
        white = float(np.max(picture.value_range[1]))
        if picture.dtype != np.uint16 or self.depth(picture.channels) > 8:
            return None
        if white > full_range(picture.dtype)[1] / 4:
            return None
        darker = f"its white, {white:.6g}, is {white / 257:.0f}"
        return f"16 bits become 8, in which {darker}: take --format png"

    @abstractmethod
    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """Write pages, which are upscaled while they are written.

        Args:
            path: the file; its suffix does not matter.
            pages: checked by :meth:`check`.
            text: the provenance, for formats that can store a text.

        Raises:
            OSError: it cannot be written.
        """


def check_size(width: int, height: int, limit: int = MAX_PIXELS, remedy: str = "") -> None:
    """Refuse a picture by the size in its header, before it is decoded.

    Args:
        width: in pixels.
        height: in pixels.
        limit: the largest number of pixels.
        remedy: the rest of the message, such as what to do.

    Raises:
        ImageError: it has more pixels than the limit.
    """
    if width * height > limit:
        raise ImageError(f"{width} x {height} pixels, more than the limit of {limit:,}{remedy}")
