"""What the channels and values of a data set are, and of the network that was trained on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from drnsr.images.picture import RGB, Channels, Limit, ValueRange

Depth = Literal[8, 16]


@dataclass(frozen=True)
class PixelFormat:
    """The channels and values of pictures; 8-bit RGB by default.

    Attributes:
        bands: the name of each channel.
        depth: the bits of a prepared value, which is an unsigned integer.
        value_range: the values in a file that a network sees as 0 and 1, for all bands or for each;
            values outside are allowed and are not clipped to it.
        stored_range: the prepared values of these two. They are the same for unsigned integers of a
            file, which are stored as they are. Other values are mapped to all of the prepared type.
    """

    bands: tuple[str, ...] = ("red", "green", "blue")
    depth: Depth = 8
    value_range: ValueRange = (0.0, 255.0)
    stored_range: ValueRange = (0.0, 255.0)

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.bands)

    @property
    def text(self) -> str:
        """The bands and bits in words."""
        names = ", ".join(self.bands[:8]) + ", ..." * (len(self.bands) > 8)
        plural = "s" if self.channels > 1 else ""
        return f"{self.channels} band{plural} of {self.depth} bits ({names})"

    @property
    def text_with_range(self) -> str:
        """The bands, bits and range in words."""
        black, white = map(_text, self.value_range)
        return f"{self.text}, black is {black} and white {white}"

    @property
    def shown(self) -> tuple[int, ...]:
        """The channels that stand for red, green and blue on a screen, or the one that is gray.

        They are those of these names; otherwise the first three, or the first one.
        """
        names = [band.lower() for band in self.bands]
        for wanted in (("red", "green", "blue"), ("r", "g", "b")):
            if all(name in names for name in wanted):
                return tuple(names.index(name) for name in wanted)
        return (0, 1, 2) if self.channels >= 3 else (0,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a prepared value."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def layout(self) -> Channels:
        """The channels of a picture: three are RGB, and otherwise each is a band."""
        return RGB if self.channels == 3 else Channels(tuple((n,) for n in range(self.channels)))

    def to_json(self) -> dict[str, Any]:
        """Return the attributes for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PixelFormat":
        """Return the format of which a JSON file, maybe from elsewhere, has the attributes.

        Raises:
            LookupError, TypeError, ValueError: if it has not.
        """
        depth, bands = content["depth"], tuple(map(str, content["bands"]))
        if depth not in (8, 16) or not bands:
            raise ValueError(str(content))
        seen, stored = (
            _parse_range(content[name], len(bands)) for name in ("value_range", "stored_range")
        )
        return cls(bands, depth, seen, stored)


def _parse_range(content: Sequence[Any], bands: int) -> ValueRange:
    """Return a range for all bands, or for each.

    Raises:
        TypeError, ValueError: if it is none.
    """
    low, high = (
        tuple(map(float, each)) if isinstance(each, Sequence) else float(each) for each in content
    )
    black, white = np.array(low), np.array(high)
    if black.shape != white.shape or black.shape not in ((), (bands,)):
        raise ValueError(str(content))
    if not (np.isfinite([black, white]).all() and (black < white).all()):
        raise ValueError(str(content))
    return low, high


def _text(limit: Limit) -> str:
    return ", ".join(f"{each:g}" for each in (limit if isinstance(limit, tuple) else (limit,)))


RGB8 = PixelFormat()
"""The format of photographs."""


def described_pixels(content: Mapping[str, Any]) -> PixelFormat:
    """Return the format that a JSON object has under ``pixels``; without it, :data:`RGB8`.

    Raises:
        LookupError, TypeError, ValueError: as :meth:`PixelFormat.from_json`.
    """
    return PixelFormat.from_json(content["pixels"]) if "pixels" in content else RGB8


def full_format(bands: tuple[str, ...], depth: Depth) -> PixelFormat:
    """Return the format whose range is that of its type."""
    limits = (0.0, float(2**depth - 1))
    return PixelFormat(bands, depth, limits, limits)
