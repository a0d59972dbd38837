"""Formats of the web, of games and of telephones, and animations; Pillow and imagecodecs look."""

import importlib.util
from functools import partial

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageSequence

from drnsr.errors import UserError
from drnsr.images.reading import open_picture, pixel_count
from drnsr.upscale.jobs import plan
from tests.conftest import texture
from tests.images.pictures import bicubic, far

RGB = texture(22, 26)
WITHOUT_LOSS = {"qoi": 1, "tga": 1, "jp2": 1}
WITH_LOSS = {"avif": 40, "jxl": 40}


def source(path):
    """A file of the format that the suffix says, by another program than ours."""
    if path.suffix == ".jxl":
        path.write_bytes(imagecodecs.jpegxl_encode(RGB, lossless=True))
    elif path.suffix == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(RGB, reversible=True, codecformat="jp2"))
    elif path.suffix == ".avif":
        path.write_bytes(imagecodecs.avif_encode(RGB))
    else:
        Image.fromarray(RGB).save(path)


def pixels_of(path):
    return (
        imagecodecs.jpegxl_decode(path.read_bytes())
        if path.suffix == ".jxl"
        else (np.asarray(Image.open(path).convert("RGB")))
    )


@pytest.mark.parametrize("suffix", [*WITHOUT_LOSS, *WITH_LOSS])
def test_a_format_is_read_and_written(enlarged, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    source(path)
    made = enlarged(path, f"b.{suffix}")
    wanted = bicubic(RGB)
    assert far(pixels_of(made), wanted) <= (WITHOUT_LOSS | WITH_LOSS)[suffix]
    assert np.abs(pixels_of(made) - wanted).mean() < 4
    assert far(pixels_of(enlarged(path, "b.png")), wanted) <= (40 if suffix == "avif" else 1)


@pytest.mark.parametrize("suffix", ["jp2", "jxl"])
def test_16_bits_stay_16(enlarged, tmp_path, suffix):
    deep = RGB.astype(np.uint16) * 255 + RGB[::-1]
    encode = {"jp2": imagecodecs.jpeg2k_encode, "jxl": imagecodecs.jpegxl_encode}[suffix]
    how = {"reversible": True, "codecformat": "jp2"} if suffix == "jp2" else {"lossless": True}
    (tmp_path / f"a.{suffix}").write_bytes(encode(deep, **how))
    made = imagecodecs.png_decode(enlarged(tmp_path / f"a.{suffix}", "b.png").read_bytes())
    assert made.dtype == np.uint16
    assert far(made, bicubic(deep)) <= 1
    assert enlarged(tmp_path / f"a.{suffix}", f"c.{suffix}").stat().st_size > 0


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_of_more_than_8_bits_is_read_with_them(enlarged, tmp_path, bits):
    smooth = np.add.outer(np.arange(22) * 20, np.arange(26) * 16).astype(np.uint16)
    smooth = np.minimum(smooth, (1 << bits) - 1)[:, :, None].repeat(3, 2)
    (tmp_path / "a.avif").write_bytes(
        imagecodecs.avif_encode(smooth, bitspersample=bits, level=100)
    )
    decoded = imagecodecs.avif_decode((tmp_path / "a.avif").read_bytes())
    made = imagecodecs.png_decode(enlarged(tmp_path / "a.avif", "b.png").read_bytes())
    assert made.dtype == np.uint16
    step = 65_535 / ((1 << bits) - 1)
    assert far(made, bicubic((decoded * step).round().astype(np.uint16))) <= 1
    assert len(np.unique(made)) > 256
    assert f"{bits} bits become 16" in " ".join(enlarged.notes)
    enlarged(tmp_path / "a.avif", "c.avif")
    assert "AVIF is written with 8 bits" in " ".join(enlarged.notes)


def test_jpeg_2000_of_9_to_15_bits_is_read_as_16(enlarged, tmp_path):
    deep = texture(22, 26).astype(np.uint16) << 2  # of 10 bits
    coded = imagecodecs.jpeg2k_encode(deep, reversible=True, bitspersample=10, codecformat="jp2")
    (tmp_path / "a.jp2").write_bytes(coded)
    made = imagecodecs.png_decode(enlarged(tmp_path / "a.jp2", "b.png").read_bytes())
    assert far(made, bicubic((deep * (65_535 / 1023)).round().astype(np.uint16))) <= 1
    assert "10 bits become 16" in " ".join(enlarged.notes)


def test_a_deep_animated_avif_has_8_bits(enlarged, tmp_path):
    """Asked for one of its frames, imagecodecs ends the process."""
    frames = np.stack([RGB, RGB[::-1]]).astype(np.uint16) << 2
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(frames, bitspersample=10))
    assert Image.open(enlarged(tmp_path / "a.avif", "b.avif")).n_frames == 2
    assert "10 bits of an animation become 8" in " ".join(enlarged.notes)


def test_a_palette_with_alpha_keeps_it(enlarged, tmp_path):
    image = Image.new("P", (8, 8))
    image.putpalette([200, 10, 10, 0, 10, 200, 10, 255] + [0] * 1016, "RGBA")
    image.paste(1, (4, 0, 8, 8))
    image.save(tmp_path / "a.tga")
    assert Image.open(tmp_path / "a.tga").palette.mode == "RGBA"
    made = np.asarray(Image.open(enlarged(tmp_path / "a.tga", "b.png")))
    assert made[8, 2, 3] == 0
    assert made[8, 14].tolist() == [10, 200, 10, 255]


def test_a_dib_of_the_clipboard_is_a_bmp_without_its_first_header(enlarged, tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.dib", "dib")
    assert not (tmp_path / "a.dib").read_bytes().startswith(b"BM")
    assert far(np.asarray(Image.open(enlarged(tmp_path / "a.dib", "b.png"))), bicubic(RGB)) <= 1


SIZES = [(1, 1), (8, 16), (256, 256), (300, 200), (640, 360), (1, 700), (13, 900)]


@pytest.mark.parametrize("suffix", ["jp2", "jxl", "hdr", "avif"])
def test_the_size_is_read_from_the_header(tmp_path, monkeypatch, suffix):
    encode = {
        "jp2": partial(imagecodecs.jpeg2k_encode, codecformat="jp2"),
        "jxl": imagecodecs.jpegxl_encode,
        "hdr": lambda pixels: imagecodecs.rgbe_encode(pixels.astype(np.float32)),
        "avif": imagecodecs.avif_encode,
    }[suffix]
    for height, width in SIZES:
        content = encode(np.full((height, width, 3), 77, np.uint8))
        (tmp_path / f"a.{suffix}").write_bytes(content)
        assert pixel_count(tmp_path / f"a.{suffix}") == height * width
    monkeypatch.setattr("drnsr.images.codec.check_size.__defaults__", (1000, ""))
    cut = content if suffix == "avif" else content[: len(content) // 2]  # decoding would fail
    (tmp_path / f"b.{suffix}").write_bytes(cut)
    with (
        pytest.raises(UserError, match="900 x 13 pixels, more than the limit of 1,000"),
        open_picture(tmp_path / f"b.{suffix}"),
    ):
        pass


def test_jpeg_xl_in_a_container_is_read(tmp_path):
    content = imagecodecs.jpegxl_encode(RGB, usecontainer=True)
    assert content[4:8] == b"JXL "
    (tmp_path / "a.jxl").write_bytes(content)
    assert pixel_count(tmp_path / "a.jxl") == 22 * 26
    with open_picture(tmp_path / "a.jxl") as file:
        assert file.pages[0].picture.width == 26


@pytest.mark.parametrize(("suffix", "becomes"), [("ico", ".png"), ("dds", ".png")])
def test_formats_that_are_only_read_become_png(enlarged, tmp_path, suffix, becomes):
    square = Image.fromarray(texture(32, 32, 4))
    square.save(tmp_path / f"a.{suffix}", **({"sizes": [(32, 32)]} if suffix == "ico" else {}))
    (job,) = plan(
        [str(tmp_path / f"a.{suffix}")], tmp_path / "o", "_x2", None, overwrite=False
    ).jobs
    assert job.target.suffix == becomes
    assert Image.open(enlarged(tmp_path / f"a.{suffix}", "b.png")).size == (64, 64)


def test_radiance_becomes_a_tiff_of_floats(enlarged, tmp_path):
    light = (RGB.astype(np.float32) + 1) / 16
    (tmp_path / "a.hdr").write_bytes(imagecodecs.rgbe_encode(light))
    (job,) = plan([str(tmp_path / "a.hdr")], tmp_path / "o", "_x2", None, overwrite=False).jobs
    assert job.target.suffix == ".tif"
    made = tifffile.imread(enlarged(tmp_path / "a.hdr", "b.tif"))
    assert made.dtype == np.float32
    light = imagecodecs.rgbe_decode((tmp_path / "a.hdr").read_bytes()).astype(np.float64)
    mean = np.exp(np.log(light).mean())  # the logarithm of light is upscaled
    assert far(made, np.sinh(bicubic(np.arcsinh(light / mean))) * mean) < 0.01


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_keep_their_pictures_and_times(enlarged, tmp_path, suffix):
    times = [40, 250, 90]
    frames = [Image.new("RGB", (20, 16), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(
        tmp_path / f"a.{suffix}",
        **{"save_all": True, "append_images": frames[1:], "duration": times, "loop": 3},
        **({"lossless": True} if suffix == "webp" else {}),
    )
    made = Image.open(enlarged(tmp_path / f"a.{suffix}", f"b.{suffix}"))
    assert made.n_frames == 3
    assert made.info["loop"] == 3
    seen = [
        (f.convert("RGB").getpixel((9, 9)), f.info["duration"])
        for f in ImageSequence.Iterator(made)
    ]
    for (colour, time), wanted, length in zip(seen, frames, times, strict=True):
        assert far(np.array([[colour]]), np.array([[wanted.getpixel((9, 9))]])) <= 4
        assert time == length
    with pytest.raises(UserError, match="3 pages, and JPEG holds one"):
        enlarged(tmp_path / f"a.{suffix}", "b.jpg")


def test_heic_is_read_or_the_missing_package_named(enlarged, tmp_path):
    path = tmp_path / "a.heic"
    if importlib.util.find_spec("pillow_heif") is None:
        path.write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 200)
        with pytest.raises(UserError, match=r"a\.heic: HEIC, which needs: pip install"):
            enlarged(path, "b.png")
        pytest.skip("pillow-heif is not installed")
    import pillow_heif

    pillow_heif.from_pillow(Image.fromarray(RGB)).save(path, quality=90)
    assert Image.open(enlarged(path, "b.png")).size == (52, 44)
    path.rename(tmp_path / "c.jpg")  # as telephones call it when they send it
    assert pixel_count(tmp_path / "c.jpg") == 22 * 26
    assert Image.open(enlarged(tmp_path / "c.jpg", "d.png")).size == (52, 44)
