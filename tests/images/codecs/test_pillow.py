"""The formats that Pillow reads and writes; Pillow itself is asked what it sees in the results."""

import io
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from drnsr.errors import UserError
from drnsr.images.reading import open_picture
from drnsr.upscale.models import OutputSize
from tests.conftest import texture
from tests.images.pictures import bicubic, far

GRAY, RGB = texture(12, 17, 1)[:, :, 0], texture(12, 17)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def read(path):
    with open_picture(path) as file:
        (page,) = file.pages
        return page.picture.rows(0, page.picture.height)


@pytest.mark.parametrize("pixels", [GRAY, RGB], ids=["gray", "RGB"])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif"])
def test_lossless_formats_hold_the_exact_pixels(enlarged, tmp_path, pixels, suffix):
    source = tmp_path / f"a{suffix}"
    Image.fromarray(pixels).save(source)
    made = np.asarray(Image.open(enlarged(source, f"b{suffix}")))
    assert made.dtype == np.uint8
    assert far(made, bicubic(pixels)) <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_hold_nearly_the_same_pixels(enlarged, tmp_path, suffix):
    source = tmp_path / f"a{suffix}"
    smooth = np.uint8(np.add.outer(np.arange(40) * 3, np.arange(50) * 2))[:, :, None].repeat(3, 2)
    Image.fromarray(smooth).save(source, quality=100)
    made = Image.open(enlarged(source, f"b{suffix}"))
    assert made.size == (100, 80)
    assert far(np.asarray(made), bicubic(np.asarray(Image.open(source)))) <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_orientation_is_applied_as_pillow_applies_it(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(RGB).save(tmp_path / f"a{suffix}", exif=exif)
    with Image.open(tmp_path / f"a{suffix}") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read(tmp_path / f"a{suffix}"), upright)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_profile_resolution_and_exif_are_kept(enlarged, tmp_path, suffix):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "a camera"
    exif.get_ifd(0x8769)[0xA002] = 17
    more = {} if suffix == ".webp" else {"dpi": (300, 150)}  # which WebP has in EXIF alone
    source = tmp_path / f"a{suffix}"
    Image.fromarray(RGB).save(source, exif=exif, icc_profile=PROFILE, **more)
    with Image.open(enlarged(source, f"b{suffix}")) as made:
        assert made.size == (24, 34)  # turned by a quarter
        assert made.info["icc_profile"] == PROFILE
        if more:  # what was to the right is down now
            assert made.info["dpi"] == pytest.approx((300, 600), rel=1e-3)
        if suffix != ".tif":
            assert 274 not in made.getexif()
            assert made.getexif()[271] == "a camera"
            assert made.getexif().get_ifd(0x8769)[0xA002] == 24


def test_palettes_become_the_colours_that_they_stand_for(enlarged, tmp_path):
    Image.fromarray(RGB).quantize(8).save(tmp_path / "a.png")
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    made = np.asarray(Image.open(enlarged(tmp_path / "a.png", "b.png")))
    assert far(made, bicubic(shown)) <= 1


def test_a_palette_with_a_transparent_colour_becomes_rgba(tmp_path):
    image = Image.fromarray(RGB).quantize(8)
    image.save(tmp_path / "a.png", transparency=3)
    wanted = np.asarray(Image.open(tmp_path / "a.png").convert("RGBA"))
    assert np.array_equal(read(tmp_path / "a.png"), wanted)
    assert set(np.unique(wanted[:, :, 3])) == {0, 255}


def test_black_and_white_becomes_gray(tmp_path):
    Image.fromarray(GRAY > 120).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png")[:, :, 0], np.where(GRAY > 120, 255, 0))


def test_cmyk_is_converted_with_a_note(enlarged, tmp_path):
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    shown = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))
    made = Image.open(enlarged(tmp_path / "a.jpg", "b.png"))
    assert far(np.asarray(made), bicubic(shown)) <= 1
    assert enlarged.notes == [f"{tmp_path / 'a.jpg'}: CMYK converted to RGB"]


def test_gray_of_16_bits_is_kept_in_pgm(enlarged, tmp_path):
    deep = texture(12, 17, 1).astype(np.uint16)[:, :, 0] * 201
    Image.fromarray(deep).save(tmp_path / "a.pgm")
    made = np.asarray(Image.open(enlarged(tmp_path / "a.pgm", "b.pgm")))
    assert far(made, bicubic(deep)) <= 1
    assert made.max() > 255


def test_colour_of_16_bits_that_pillow_would_cut_is_refused(tmp_path):
    deep = (texture(4, 5).astype(">u2") * 257).tobytes()
    (tmp_path / "a.ppm").write_bytes(b"P6 5 4 65535\n" + deep)
    with pytest.raises(UserError, match=r"a\.ppm: PPM with more than 8 bits a colour"):
        read(tmp_path / "a.ppm")


def test_16_bits_are_rounded_for_a_format_of_8(enlarged, tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "a.png")
    made = np.asarray(Image.open(enlarged(tmp_path / "a.png", "b.bmp")))
    assert (made == round(40_000 / 65_535 * 255)).all()


@pytest.mark.parametrize(
    ("mode", "name", "message"),
    [
        ("RGBA", "b.jpg", "it has transparency, and JPEG holds none: take --format png"),
        ("F", "b.jpg", "1 channels of float32, which JPEG does not hold: take --format tiff"),
        ("F", "b.png", "1 channels of float32, which PNG does not hold: take --format tiff"),
    ],
)
def test_what_a_format_cannot_hold_is_reported_before_the_work(
    enlarged, tmp_path, mode, name, message
):
    Image.fromarray(RGB).convert(mode).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match=message):
        enlarged(tmp_path / "a.tif", name)
    assert not (tmp_path / name).exists()


def test_more_pixels_than_webp_has_are_reported(enlarged, tmp_path):
    Image.fromarray(np.zeros((2, 9000, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="18000 x 4 pixels, and WEBP holds 16383 a side"):
        enlarged(tmp_path / "a.png", "b.webp")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".ppm", ".tif"])
def test_a_cut_file_is_reported_in_one_line(tmp_path, suffix):
    buffer = io.BytesIO()
    name = {".jpg": "jpeg", ".tif": "tiff"}.get(suffix, suffix[1:])
    Image.fromarray(texture(60, 70)).save(buffer, name)
    (tmp_path / f"a{suffix}").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(UserError, match=rf"a\{suffix}: damaged") as error:
        read(tmp_path / f"a{suffix}")
    assert "\n" not in str(error.value)


def bomb(path):
    """A PNG whose header promises 60,000 x 60,000 pixels."""
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, "png")
    content = bytearray(buffer.getvalue())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    bomb(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: .*3600000000 pixels|60000 x 60000 pixels"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "an empty file"), (b"GIF89a", "GIF that is damaged"), (b"\x00" * 200, "not a")],
)
def test_a_file_that_is_not_a_picture_is_named(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.png: {message}"):
        read(tmp_path / "a.png")


def test_a_jpeg_that_is_called_png_is_read(tmp_path, enlarged):
    Image.fromarray(RGB).save(tmp_path / "a.png", "jpeg")
    with Image.open(enlarged(tmp_path / "a.png", "b.png")) as made:
        assert made.format == "PNG"


def test_opaque_parts_get_no_dark_fringe(enlarged, tmp_path):
    y, x = np.mgrid[:40, :40]
    disc = (y - 20) ** 2 + (x - 18) ** 2 < 150
    pixels = np.zeros((40, 40, 4), np.uint8)  # black where nothing is seen
    pixels[disc] = (250, 240, 230, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    made = np.asarray(Image.open(enlarged(tmp_path / "a.png", "b.png"))).astype(int)
    seen = made[:, :, 3] > 0
    assert np.abs(made[seen][:, :3] - (250, 240, 230)).max() <= 1
    assert 0.9 < (made[:, :, 3] / 255).sum() / (4 * disc.sum()) < 1.1
    assert far(made[:, :, 3], bicubic(pixels[:, :, 3])) <= 1


def test_a_factor_shrinks_the_next_larger_scale_exactly(enlarged, tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    twice = np.asarray(Image.open(enlarged(tmp_path / "a.png", "b.png")))
    part = np.asarray(Image.open(enlarged(tmp_path / "a.png", "c.png", OutputSize(factor=1.5))))
    assert part.shape == (18, 26, 3)  # 25.5 is rounded
    wanted = Image.fromarray(twice[:, :, 1].astype(np.float32), "F").resize(
        (26, 18), Image.Resampling.BICUBIC
    )
    # Pillow leaves pixels beyond the border out, and does not round between the passes.
    assert far(part[3:-3, 3:-3, 1], np.asarray(wanted)[3:-3, 3:-3]) <= 1.5


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float16, np.float32, np.uint32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", ["jpg", "webp", "bmp", "ppm", "png"])
def test_types_that_a_format_does_not_hold_are_reported(
    enlarged, tmp_path, dtype, channels, ending
):
    pixels = texture(8, 9, channels).squeeze().astype(dtype)
    how = {"photometric": "rgb"} if channels == 3 else {}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **how)
    message = (
        f"{channels} channels of {np.dtype(dtype)}, which .* does not hold: take --format tiff"
    )
    with pytest.raises(UserError, match=message):
        enlarged(tmp_path / "a.tif", f"b.{ending}")
