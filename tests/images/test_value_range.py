"""What is seen as black and white where the type of the pixels does not say it."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from drnsr.images.files import read_image
from drnsr.images.reading import open_picture
from drnsr.images.resize import downscale
from drnsr.inference.upscaler import Upscaler
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from tests.conftest import PROJECT, texture
from tests.images.pictures import bicubic, far


def seen(path, asked=None):
    with open_picture(path, asked) as file:
        return [page.picture.value_range for page in file.pages]


def low(white, height=70, width=90, channels=1):
    """A picture of 16 bits between 0 and white, both of which it has."""
    pixels = texture(height, width, channels).astype(np.float64)
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()) * white
    return pixels.round().astype(np.uint16).squeeze()


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_one_pixel_in_ten_thousand_may_lie_beyond_either_end(tmp_path, dtype):
    # 200,000 pixels, of which 20 may be cut off; of each value there are 400.
    values = np.arange(100, 600, dtype=dtype).repeat(400)
    np.random.default_rng(0).shuffle(values)
    pixels = values.reshape(400, 500)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    assert seen(tmp_path / "a.tif") == [(100, 599)]
    hot = pixels.copy()
    hot.flat[:20] = np.iinfo(dtype).max
    hot.flat[-20:] = np.iinfo(dtype).min
    tifffile.imwrite(tmp_path / "a.tif", hot)
    assert seen(tmp_path / "a.tif") == [(100, 599)]
    hot.flat[20] = np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", hot)
    assert seen(tmp_path / "a.tif") == [(100, np.iinfo(dtype).max)]


@pytest.mark.parametrize("how", [{}, {"compression": "zlib", "rowsperstrip": 5}])
def test_a_large_picture_is_looked_at_in_bands(tmp_path, monkeypatch, how):
    monkeypatch.setattr("drnsr.images.picture.BAND_PIXELS", 900)
    tifffile.imwrite(tmp_path / "a.tif", low(1000), **how)
    assert seen(tmp_path / "a.tif") == [(0, 1000)]


def test_pages_of_one_type_are_seen_alike_and_alpha_is_not_a_colour(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(low(300), metadata=None)
        opaque = np.full((70, 90, 1), 65_535, np.uint16)
        rgba = np.concatenate([low(900, channels=3), opaque], axis=2)
        writer.write(rgba, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
        writer.write(texture(9, 9), photometric="rgb", metadata=None)
        writer.write(np.float32([[1, 4], [2, np.nan]]), metadata=None)
    assert seen(tmp_path / "a.tif") == [(0, 900), (0, 900), (0, 255), (1, 4)]
    assert seen(tmp_path / "a.tif", (5, 50)) == [(5, 50)] * 4


@pytest.mark.parametrize(("level", "wanted"), [(0, (0, 0)), (65_535, (65_535, 65_535))])
def test_a_picture_of_one_value_stays_as_it_is(enlarged, tmp_path, level, wanted):
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), level, np.uint16))
    assert seen(tmp_path / "a.tif") == [wanted]
    assert (tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif")) == level).all()


def test_stars_on_a_black_sky_are_not_taken_as_outliers(tmp_path):
    sky = np.zeros((300, 300), np.uint16)
    sky[::150, ::150] = 700
    tifffile.imwrite(tmp_path / "a.tif", sky)
    assert seen(tmp_path / "a.tif") == [(0, 700)]


@pytest.mark.parametrize("white", [255, 400, 1000, 3000, 65_535])
@pytest.mark.parametrize("tile", [32, "off"])
def test_values_come_back_in_their_own_units(enlarged, tmp_path, white, tile):
    pixels = low(white, channels=3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif", tile=tile))
    assert far(made, bicubic(pixels)) <= 1
    message = f"0 is taken as black and {white} as white (--range sets other values)"
    assert enlarged.notes == ([f"{tmp_path / 'a.tif'}: {message}"] if white < 65_535 else [])


def test_values_of_16_bits_come_back_in_png_and_pgm(enlarged, tmp_path):
    pixels = low(500)
    for name in ("a.png", "a.pgm"):
        Image.fromarray(pixels).save(tmp_path / name)
        assert seen(tmp_path / name) == [(0, 500)]
        assert seen(tmp_path / name, (0, 900)) == [(0, 900)]
        made = np.asarray(Image.open(enlarged(tmp_path / name, f"b{name[1:]}")))
        assert far(made, bicubic(pixels)) <= 1
    Image.fromarray(texture(9, 9)).save(tmp_path / "c.png")
    assert seen(tmp_path / "c.png", (0, 900)) == [(0, 255)]


def test_files_arrays_and_images_are_enlarged_alike(tmp_path):
    pixels = low(700)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    work = UpscaleSpec(Models.shipped(RuntimeOptions()), OutputSize(scale=2))
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", work, lambda _: None, lambda _: None)
    made = tifffile.imread(tmp_path / "b.tif")
    upscaler = Upscaler.from_pretrained("drnsr-x2")
    assert np.array_equal(upscaler(pixels), made)
    assert np.array_equal(np.asarray(upscaler(Image.fromarray(pixels))), made)


@pytest.mark.parametrize(("white", "message"), [(1000, True), (60_000, False)])
def test_low_values_that_8_bits_would_make_black_are_reported(enlarged, tmp_path, white, message):
    tifffile.imwrite(tmp_path / "a.tif", low(white))
    made = np.asarray(Image.open(enlarged(tmp_path / "a.tif", "b.bmp")))
    assert abs(int(made.max()) - white / 257) < 8
    note = f"{tmp_path / 'a.tif'}: 16 bits become 8, in which its white, 1000, is 4"
    assert any(each.startswith(note) for each in enlarged.notes) == message
    enlarged.notes.clear()
    enlarged(tmp_path / "a.tif", "b.png")
    assert not any("become 8" in each for each in enlarged.notes)


@pytest.mark.parametrize("offset", [0, 4_000_000_000])
def test_values_far_from_zero_keep_their_differences(enlarged, tmp_path, offset):
    pixels = low(200).astype(np.uint32) + np.uint32(offset)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert far(made, bicubic(pixels)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("white", [255, 400, 1000, 1500, 3000, 65_535])
def test_a_shipped_model_loses_nothing_on_low_values(tmp_path, white):
    wanted = read_image(PROJECT / "docs/small.png").astype(np.float64)
    wanted = wanted[: len(wanted) // 2 * 2, : wanted.shape[1] // 2 * 2] / 255 * white
    tifffile.imwrite(
        tmp_path / "a.tif",
        downscale(wanted, 2).round().clip(0, white).astype(np.uint16),
        photometric="rgb",
    )
    models = Models.shipped(RuntimeOptions())
    error = {}
    for asked in (None, (0, white), (0, 65_535)):
        work = UpscaleSpec(models, OutputSize(scale=2), asked)
        upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", work, lambda _: None, lambda _: None)
        error[asked] = np.mean((tifffile.imread(tmp_path / "b.tif") - wanted)[8:-8, 8:-8] ** 2)
    gain = {asked: 10 * np.log10(value / error[None]) for asked, value in error.items()}
    assert gain[(0, white)] >= -0.1
    if white <= 1500:
        assert gain[(0, 65_535)] > 1
