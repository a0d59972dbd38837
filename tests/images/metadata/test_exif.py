"""EXIF that is damaged or large: the picture is enlarged, and what is lost is reported."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import texture

FOLDER, GPS, MAKER_NOTE, USER_COMMENT = 0x8769, 0x8825, 0x927C, 0x9286
RGB = Image.fromarray(texture(12, 14))


def broken(exif: bytes) -> bytes:
    """X resolution (282) becomes a text, as some programs write it."""
    place = exif.index(b"\x01\x1a\x00\x05")
    return exif[: place + 2] + b"\x00\x02\x00\x00\x00\x04300\x00" + exif[place + 12 :]


def test_only_a_tag_that_cannot_be_written_is_left_out(enlarged, tmp_path):
    exif = Image.Exif()
    exif[271], exif[282] = "a maker", 300.0
    exif.get_ifd(FOLDER)[36867] = "2020:01:01 10:00:00"
    exif.get_ifd(GPS)[1] = "N"
    RGB.save(tmp_path / "a.jpg", exif=broken(exif.tobytes()))
    with Image.open(tmp_path / "a.jpg") as image:
        assert isinstance(image.getexif()[282], str)
    made = Image.open(enlarged(tmp_path / "a.jpg", "b.jpg")).getexif()
    assert made[271] == "a maker"
    assert made.get_ifd(FOLDER)[36867] == "2020:01:01 10:00:00"
    assert made.get_ifd(GPS)[1] == "N"
    assert enlarged.notes == [f"{tmp_path / 'a.jpg'}: EXIF with damaged tags, left out: 282"]


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("content", [b"Exif\0\0nothing", b"II*\0\xff\xff\xff\xff", b"MM\0*"])
def test_damaged_exif_does_not_stop_the_upscaling(enlarged, tmp_path, kind, content):
    RGB.save(tmp_path / f"a.{kind}", exif=content)
    made = Image.open(enlarged(tmp_path / f"a.{kind}", f"b.{kind}"))
    assert made.size == (28, 24)


LARGE = {
    "little more": ({MAKER_NOTE: 64_900}, []),
    "maker's note": ({MAKER_NOTE: 65_480}, ["the maker's note in EXIF"]),
    "comment": (
        {MAKER_NOTE: 100, USER_COMMENT: 65_480},
        ["the maker's note and the user's comment"],
    ),
    "other": ({36867: 65_480}, ["EXIF, left out"]),
}


@pytest.mark.parametrize("case", LARGE)
def test_exif_larger_than_jpeg_holds_is_reduced(enlarged, tmp_path, case):
    exif = Image.Exif()
    exif[271] = "a maker"
    sizes, message = LARGE[case]
    for tag, size in sizes.items():
        exif.get_ifd(FOLDER)[tag] = "x" * size if tag == 36867 else b"x" * size
    RGB.save(tmp_path / "a.png", exif=exif)
    made = Image.open(enlarged(tmp_path / "a.png", "b.jpg")).getexif()
    assert (271 in made) == (case != "other")
    left = {tag for tag in sizes if tag in made.get_ifd(FOLDER)}
    assert left == (set(sizes) if case == "little more" else set())
    assert len(enlarged.notes) == len(message)
    for note, start in zip(enlarged.notes, message, strict=True):
        assert note.startswith(f"{tmp_path / 'a.png'}: {start}")


@pytest.mark.parametrize("dpi", [(0, 0), (1e9, 1e9), (40_000, 40_000), (0.01, 0.01)])
def test_a_resolution_that_a_format_cannot_hold_stops_nothing(enlarged, tmp_path, dpi):
    exif = Image.Exif()
    exif[282], exif[283], exif[296] = dpi[0], dpi[1], 2
    for kind in ("jpg", "tif", "png"):
        RGB.save(tmp_path / f"a.{kind}", exif=exif)
        for other in ("jpg", "tif", "png", "bmp", "webp"):
            made = np.asarray(Image.open(enlarged(tmp_path / f"a.{kind}", f"{kind}.{other}")))
            assert made.shape == (24, 28, 3)
