"""The static metadata of HDR10: the display of the grading, and the brightest pixels."""

import struct
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from drnsr.video.decoding import side_data

# FFmpeg's AVMasteringDisplayMetadata: ten fractions and two flags; AVContentLightMetadata.
_MASTERING, _LIGHT = struct.Struct("=20i2i"), struct.Struct("=2I")

# The units of H.265, D.3.28: of chromaticity, and of luminance in candelas a square metre.
_CHROMATICITY, _LUMINANCE = 50_000, 10_000


@dataclass(frozen=True)
class Hdr10:
    """What is known of the metadata.

    Attributes:
        mastering: x and y of red, green, blue and white, the least and the largest luminance of
            the display; None if the video does not say.
        light: the largest luminance of a pixel, and the largest mean of a frame; None likewise.
    """

    mastering: tuple[Fraction, ...] | None = None
    light: tuple[int, int] | None = None

    def x265_params(self) -> str:
        """Return the options of x265 that write it, each after a colon."""
        text = ""
        if self.mastering is not None:
            colours = [round(each * _CHROMATICITY) for each in self.mastering[:8]]
            least, largest = (round(each * _LUMINANCE) for each in self.mastering[8:])
            text += f":hdr10=1:master-display={_placed(colours, largest, least)}"
        if self.light is not None:
            text += f":max-cll={self.light[0]},{self.light[1]}"
        return text

    def svt_params(self) -> str:
        """Return the options of SVT-AV1 that write it, each after a colon."""
        text = ""
        if self.mastering is not None:
            numbers = [f"{float(each):.5f}" for each in self.mastering]
            text += f":mastering-display={_placed(numbers[:8], numbers[9], numbers[8])}"
        if self.light is not None:
            text += f":content-light={self.light[0]},{self.light[1]}"
        return text


def _placed(colours: "list[int] | list[str]", largest: object, least: object) -> str:
    pairs = [f"({colours[at]},{colours[at + 1]})" for at in range(0, 8, 2)]
    red, green, blue, white = pairs
    return f"G{green}B{blue}R{red}WP{white}L({largest},{least})"


def read_hdr10(frame: VideoFrame) -> Hdr10:
    """Return the metadata of a frame."""
    found = {each.type.name: bytes(each) for each in side_data(frame)}
    mastering, light = None, None
    if (content := found.get("MASTERING_DISPLAY_METADATA")) is not None:
        *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(content)
        if has_primaries and has_luminance and all(numbers[1::2]):
            mastering = tuple(map(Fraction, numbers[::2], numbers[1::2]))
    if (content := found.get("CONTENT_LIGHT_LEVEL")) is not None:
        light = _LIGHT.unpack_from(content)
    return Hdr10(mastering, light)
