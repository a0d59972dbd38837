"""RGB of video against the equations of BT.601, BT.709 and BT.2020, worked out in float64 here."""

import av
import numpy as np
import pytest

from drnsr.video.colour import MATRICES, Colours, matrix_of, range_of
from drnsr.video.files import VideoError

# The weights of red and blue in luma: BT.601 item 2.5.1, BT.709 item 3.2, BT.2020 table 4.
WEIGHTS = {6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}

# Colour bars of 75 % and some other colours.
BARS = [
    *((0.75, 0.75, 0.75), (0.75, 0.75, 0), (0, 0.75, 0.75), (0, 0.75, 0), (0.75, 0, 0.75)),
    *((0.75, 0, 0), (0, 0, 0.75), (0, 0, 0), (1, 1, 1), (0.31, 0.62, 0.17), (0.9, 0.2, 0.5)),
]


def levels(rgb, number, bits, full_range):
    """The three levels of a colour: BT.709 items 3.2 to 4.6, BT.2020 table 5; H.273 if full."""
    kr, kb = WEIGHTS[number]
    red, green, blue = rgb
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    unit, largest = 2 ** (bits - 8), 2**bits - 1
    if full_range:
        exact = [luma * largest, *(each * largest + 128 * unit for each in chroma)]
    else:
        exact = [luma * 219 * unit + 16 * unit, *(e * 224 * unit + 128 * unit for e in chroma)]
    return [min(round(each), largest) for each in exact]


def colour_of(yuv, number, bits, full_range):
    """The inverse of levels."""
    kr, kb = WEIGHTS[number]
    unit, largest = 2 ** (bits - 8), 2**bits - 1
    spans = (largest, largest) if full_range else (219 * unit, 224 * unit)
    luma = (yuv[0] - (0 if full_range else 16 * unit)) / spans[0]
    blue, red = ((each - 128 * unit) / spans[1] for each in yuv[1:])
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.clip([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], 0, 1)


def planes(frame, bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    return [np.frombuffer(plane, dtype) for plane in frame.planes]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p12le"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("number", WEIGHTS)
def test_colours_are_those_of_the_standards_and_come_back(pixel_format, number, full_range):
    bits = max(part.bits for part in av.VideoFormat(pixel_format).components)
    white = 255 if bits == 8 else 65535
    colours = Colours(MATRICES[number], full_range=full_range, is_deep=bits > 8, size=(16, 8))
    for rgb in BARS:
        wanted = levels(rgb, number, bits, full_range)
        frame = av.VideoFrame(16, 8, pixel_format)
        for plane, level in zip(planes(frame, bits), wanted, strict=True):
            plane[:] = level
        found = colours.to_rgb(frame)
        assert found.dtype == (np.uint8 if bits == 8 else np.uint16)
        assert np.abs(found - colour_of(wanted, number, bits, full_range) * white).max() <= 0.51
        back = colours.to_frame(found, pixel_format)
        # RGB of 8 bits has fewer steps than YUV of 8 bits in its full range, and the rounded levels
        # of a colour without red, green or blue lie outside of RGB.
        tolerance = 1 if (full_range and bits == 8) or min(rgb) == 0 or max(rgb) == 1 else 0
        for plane, level in zip(planes(back, bits), wanted, strict=True):
            assert abs(int(plane[0]) - level) <= tolerance
        assert (int(back.colorspace), int(back.color_range)) == (number, 1 + full_range)


@pytest.mark.parametrize("full_range", [False, True])
def test_gray_keeps_its_levels(full_range):
    colours = Colours(MATRICES[1], full_range=full_range, is_deep=False, size=(16, 16))
    frame = av.VideoFrame(16, 16, "gray")
    (plane,) = planes(frame, 8)
    plane[: 16 * frame.planes[0].line_size] = 100
    wanted = 100 if full_range else (100 - 16) / 219 * 255
    found = colours.to_rgb(frame)
    assert np.abs(found - wanted).max() <= 0.5
    assert planes(colours.to_frame(found, "gray"), 8)[0][0] == 100


def test_what_a_frame_does_not_say():
    frame = av.VideoFrame(16, 16, "yuv420p")
    assert matrix_of(frame, is_hd=False).kr == 0.299  # as players take it
    assert matrix_of(frame, is_hd=True).kr == 0.2126
    assert not range_of(frame)
    assert range_of(av.VideoFrame(16, 16, "yuvj420p"))
    frame.colorspace = 14
    with pytest.raises(VideoError, match="ICtCp"):
        matrix_of(frame, is_hd=True)
