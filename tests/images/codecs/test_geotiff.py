"""Masks, overviews and what is said of bands of a GeoTIFF; GDAL writes and reads them."""

import os

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.transform import from_origin

from drnsr.errors import UserError
from drnsr.images.backends import tiff_tiles
from drnsr.images.backends.gdal import is_whole
from drnsr.images.codecs import tiff
from drnsr.images.reading import open_picture
from drnsr.images.resize import upscale
from drnsr.inference import tiling
from drnsr.upscale.models import OutputSize
from tests.conftest import texture

BANDS = texture(70, 90, 4).astype(np.uint16) * 200 + 5_000
MEANINGS = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.nir)


def write_scene(path, pixels, mask=None, **profile):
    profile = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_400_000, 10, 10)} | profile
    height, width, count = pixels.shape
    shape = {"height": height, "width": width, "count": count, "dtype": pixels.dtype}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", **shape, **profile) as file,
    ):
        file.write(np.moveaxis(pixels, 2, 0))
        file.update_tags(satellite="Aqua")
        file.descriptions = [f"band {number}" for number in range(count)]
        file.scales, file.offsets = [1e-4] * count, [-0.1] * count
        if count == 4:
            file.colorinterp = MEANINGS
        if mask is not None:
            file.write_mask(mask)


@pytest.fixture
def holed():
    mask = np.ones((70, 90), bool)
    mask[:20, :30] = False
    mask[41, 55] = False
    return mask


@pytest.mark.parametrize("target", [None, OutputSize(size=(165, 120))], ids=["x2", "any size"])
def test_an_internal_mask_and_what_is_said_of_bands_are_kept(
    enlarged, tmp_path, monkeypatch, holed, target
):
    monkeypatch.setattr(tiff, "_IN_MEMORY", 0)
    monkeypatch.setattr(tiff_tiles, "_SIDES", (64,))
    garbage = np.where(holed[:, :, None], BANDS, 65_535).astype(np.uint16)
    write_scene(tmp_path / "a.tif", garbage, holed, compress="lzw", tiled=True, blockxsize=16,
                blockysize=32)  # fmt: skip
    with rasterio.open(enlarged(tmp_path / "a.tif", "b.tif", target)) as made:
        width, height = target.size if target else (180, 140)
        assert made.mask_flag_enums == ([MaskFlags.per_dataset],) * 4
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in ((height, 70), (width, 90))
        )
        assert np.array_equal(made.dataset_mask() > 0, holed[rows][:, columns])
        assert (made.count, made.descriptions[3]) == (4, "band 3")
        assert made.scales == (1e-4,) * 4
        assert made.offsets == (-0.1,) * 4
        assert made.colorinterp == MEANINGS
        assert made.compression.value == "LZW"
        assert made.tags()["satellite"] == "Aqua"
        assert made.crs == "EPSG:32632"
        assert tuple(made.bounds) == pytest.approx((500_000, 5_399_300, 500_900, 5_400_000))
        pixels = np.moveaxis(made.read(), 0, 2)[made.dataset_mask() > 0]
    # What the mask leaves out does not shine through to its neighbours.
    assert pixels.max() < 60_000
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert [int(page.subfiletype) for page in file.pages] == [0, 4]
        assert file.pages[1].bitspersample == 1
        assert file.pages[0].is_tiled


def test_a_mask_becomes_transparency_of_png(enlarged, tmp_path, holed):
    write_scene(tmp_path / "a.tif", texture(70, 90), holed, photometric="rgb")
    with open_picture(enlarged(tmp_path / "a.tif", "b.png")) as file:
        alpha = file.pages[0].picture.rows(0, 140)[:, :, 3]
    assert np.array_equal(alpha, 255 * holed.repeat(2, 0).repeat(2, 1))


def test_gdal_makes_overviews_of_pixels_and_mask(enlarged, tmp_path, holed):
    big, mask = np.tile(texture(70, 90), (3, 4, 1)), np.tile(holed, (3, 4))
    write_scene(tmp_path / "a.tif", big, mask, photometric="rgb", compress="zstd")
    with rasterio.open(enlarged(tmp_path / "a.tif", "b.tif", overviews=True)) as made:
        assert all(made.overviews(band) == [2, 4] for band in (1, 2, 3))
        whole, known = made.read(1).astype(float), made.dataset_mask() > 0
    with rasterio.open(tmp_path / "b.tif", overview_level=0) as half:
        seen = half.read(1)
        assert np.array_equal(half.dataset_mask() > 0, mask)
    sums, counts = (
        each.reshape(210, 2, 360, 2).sum((1, 3)) for each in (np.where(known, whole, 0), known)
    )
    there = counts > 0
    assert np.abs(seen - sums / np.maximum(counts, 1))[there].max() <= 0.51
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]
    os.truncate(tmp_path / "b.tif", (tmp_path / "b.tif").stat().st_size - 1000)
    assert not is_whole(tmp_path / "b.tif", 2)  # as GDAL leaves it if the disk is full
    with pytest.raises(UserError, match="--overviews is for a TIFF of one page"):
        enlarged(tmp_path / "a.tif", "c.png", overviews=True)


def test_a_very_wide_picture_is_the_same_from_the_temporary_file(enlarged, tmp_path, monkeypatch):
    write_scene(tmp_path / "a.tif", BANDS)
    before = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif", tile=32))
    monkeypatch.setattr(tiling, "_HELD_BAND", 0)
    monkeypatch.setattr(tiling, "BAND_PIXELS", 600)  # three rows
    after = tifffile.imread(enlarged(tmp_path / "a.tif", "c.tif", tile=32))
    assert np.array_equal(before, after)
    assert np.abs(before - upscale(BANDS, 2).astype(float)).max() <= 1
