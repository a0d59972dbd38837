"""The choices about the pixels of a data set that is not 8-bit RGB."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from drnsr.images.picture import ValueRange
from drnsr.images.pixel_format import PixelFormat, full_format

_Fraction = Annotated[float, Field(ge=0, le=1)]
_Percent = Annotated[float, Field(ge=0, le=100)]


def _ascends(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is not None and limits[0] >= limits[1]:
        raise ValueError(f"[{limits[0]:g}, {limits[1]:g}] is not [smallest, largest]")
    return limits


def _is_an_area(area: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = area
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(
            f"{list(area)} is not [left, top, right, bottom] in fractions of width and height"
        )
    return area


def _names_the_band(pattern: str | None) -> str | None:
    if pattern is not None and not ("{scene}" in pattern and "{band}" in pattern):
        raise ValueError(
            f"{pattern!r} has no {{scene}} or no {{band}}; an example: {{scene}}_{{band}}"
        )
    return pattern


_Range = Annotated[tuple[float, float], AfterValidator(_ascends)]


class Pixels(BaseModel):
    """What the pictures of instruments hold, and how they are prepared.

    Attributes:
        bands: the name of each channel, in the order of the file.
        depth: bits of a prepared value.
        range: the values in the files that a network sees as 0 and 1, or a list of them with a pair
            for each band; null for the percentiles, or else for the range of the type. Signed
            integers and floating point need one, and are clipped to it.
        percentiles: the share in percent of the values of the training pictures that are below
            these two values; null for the given range.
        per_band: whether each band has percentiles of its own.
        join: the pattern of names, without suffix, of files with one band each that are one
            picture, such as ``{scene}_{band}``; null if a file has all bands.
        areas: parts of each picture by name, which are pictures of their own: left, top, right and
            bottom in fractions of its width and height; empty for whole pictures.
        slab: the slices of a volume that are pictures: the first one, and the one after the last,
            in fractions of their number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    bands: Annotated[list[str], Field(min_length=1, max_length=512)]
    depth: Literal[8, 16] = 16
    range: _Range | Annotated[list[_Range], Field(min_length=1)] | None = None
    percentiles: Annotated[tuple[_Percent, _Percent] | None, AfterValidator(_ascends)] = None
    per_band: bool = False
    join: Annotated[str | None, AfterValidator(_names_the_band)] = None
    areas: dict[str, Annotated[tuple[float, float, float, float], AfterValidator(_is_an_area)]] = (
        Field(default_factory=dict)
    )
    slab: Annotated[tuple[_Fraction, _Fraction], AfterValidator(_ascends)] = (0.0, 1.0)

    @model_validator(mode="after")
    def _bands_differ(self) -> "Pixels":
        if len(set(self.bands)) < len(self.bands):
            raise ValueError(f"two of the bands {', '.join(self.bands)} have one name")
        if self.range is not None and self.percentiles is not None:
            raise ValueError("give range or percentiles, and set the other to null")
        if isinstance(self.range, list) and len(self.range) != len(self.bands):
            raise ValueError(f"range has {len(self.range)} pairs for {len(self.bands)} bands")
        if self.per_band and self.percentiles is None:
            raise ValueError("per_band is for percentiles; range may be a list of pairs")
        return self

    def declared_range(self) -> ValueRange | None:
        """Return black and white as they are declared; None if they are not."""
        if isinstance(self.range, list):
            return tuple(low for low, _ in self.range), tuple(high for _, high in self.range)
        return self.range

    def type_format(self) -> PixelFormat:
        """Return the format with the range of the prepared type."""
        return full_format(tuple(self.bands), self.depth)
