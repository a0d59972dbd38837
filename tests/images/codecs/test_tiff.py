"""TIFF of any kind; tifffile, rasterio and Pillow are asked what they see in the results."""

import io
import struct
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image, TiffImagePlugin
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine, RPCTransformer, from_origin

from drnsr.errors import UserError
from drnsr.images.backends import tiff_file, tiff_tiles
from drnsr.images.codecs import tiff
from drnsr.images.picture import Box
from drnsr.images.reading import open_picture, pixel_count
from drnsr.images.resize import upscale
from tests.conftest import texture
from tests.images.pictures import bicubic, far

RGB = texture(70, 90)
DEEP = (texture(70, 90, 5).astype(np.uint32) * 230 + texture(70, 90, 5, seed=1)).astype(np.uint16)

LAYOUTS = {
    "plain": {},
    "strips": {"rowsperstrip": 7},
    "lzw": {"compression": "lzw", "rowsperstrip": 16, "predictor": True},
    "deflate": {"compression": "zlib", "rowsperstrip": 64},
    "zstd": {"compression": "zstd", "rowsperstrip": 9},
    "tiles": {"tile": (32, 16)},
    "packed tiles": {"tile": (16, 48), "compression": "lzw"},
    "planes": {"planarconfig": "separate", "rowsperstrip": 11},
    "planes of tiles": {"planarconfig": "separate", "tile": (16, 32), "compression": "zlib"},
    "big": {"bigtiff": True},
    "big end first": {"byteorder": ">"},
    "big end first, packed": {"byteorder": ">", "compression": "lzw", "rowsperstrip": 5},
}


def write(path, pixels, *, bigtiff=False, byteorder=None, **how):
    planes = np.moveaxis(pixels, -1, 0) if how.get("planarconfig") == "separate" else pixels
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as writer:
        writer.write(planes, photometric=how.pop("photometric", "rgb"), metadata=None, **how)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pixels", [RGB, DEEP[:, :, :3]], ids=["8", "16"])
def test_rows_of_every_layout_are_those_that_tifffile_reads_whole(tmp_path, layout, pixels):
    write(tmp_path / "a.tif", pixels, **LAYOUTS[layout])
    whole = tifffile.imread(tmp_path / "a.tif")
    if LAYOUTS[layout].get("planarconfig") == "separate":
        whole = np.moveaxis(whole, 0, -1)
    with open_picture(tmp_path / "a.tif") as file:
        picture = file.pages[0].picture
        for top, bottom in ((0, 70), (0, 1), (33, 34), (10, 50), (5, 20), (69, 70)):
            assert np.array_equal(picture.rows(top, bottom), whole[top:bottom])
        for box in (Box(0, 70, 0, 90), Box(10, 50, 47, 49), Box(33, 34, 15, 80)):
            part = whole[box.top : box.bottom, box.left : box.right]
            assert np.array_equal(picture.box(box), part)


@pytest.mark.parametrize("in_tiles", [False, True])
@pytest.mark.parametrize("tile", [32, "off"])
def test_16_bits_and_bands_stay_what_they_are(enlarged, tmp_path, monkeypatch, in_tiles, tile):
    monkeypatch.setattr(tiff, "_IN_MEMORY", 0 if in_tiles else 1 << 28)
    monkeypatch.setattr(tiff_tiles, "_SIDES", (64,))
    write(tmp_path / "a.tif", DEEP, photometric="minisblack", planarconfig="contig")
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif", tile=tile))
    assert made.dtype == np.uint16
    assert far(made, bicubic(DEEP)) <= 1
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.is_tiled == in_tiles


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.float32, np.float64, np.float16])
def test_other_types_are_seen_between_their_least_and_largest(enlarged, tmp_path, dtype):
    heights = (texture(20, 24, 1)[:, :, 0].astype(np.float64) * 3 - 100).clip(
        0 if dtype == np.uint32 else None
    )
    heights = heights.astype(dtype)
    write(tmp_path / "a.tif", heights, photometric="minisblack")
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert made.dtype == dtype
    span = float(heights.max()) - float(heights.min())
    rounding = 1 if dtype in (np.int16, np.uint32) else 2e-3 * span if dtype == np.float16 else 0
    assert far(made, bicubic(heights)) <= rounding + 1e-5 * span


def test_a_range_is_taken_as_it_is_given(tmp_path):
    write(tmp_path / "a.tif", np.float32([[1, 2], [3, 4]]), photometric="minisblack")
    with open_picture(tmp_path / "a.tif") as file:
        assert file.pages[0].picture.value_range == (1, 4)
    with open_picture(tmp_path / "a.tif", (0, 10)) as file:
        assert file.pages[0].picture.value_range == (0, 10)


def test_nan_and_infinity_stay_where_they_were_and_spread_no_further(enlarged, tmp_path):
    level = np.full((20, 20), 7.5, np.float32)
    level[0, 0] = 5  # or there would be no range
    level[8:11, 9] = np.nan
    level[15, 15] = np.inf
    write(tmp_path / "a.tif", level, photometric="minisblack")
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert np.array_equal(np.isnan(made), np.isnan(level).repeat(2, 0).repeat(2, 1))
    assert np.array_equal(np.isinf(made), np.isinf(level).repeat(2, 0).repeat(2, 1))
    assert np.abs(made[8:][np.isfinite(made[8:])] - 7.5).max() < 1e-5


def geotiff(path, pixels, transform, *, nodata=None, point=False):
    profile = {
        "driver": "GTiff",
        "count": pixels.shape[0],
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "dtype": pixels.dtype,
        "crs": "EPSG:32632",
        "transform": transform,
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile) as file:
        if point:
            file.update_tags(AREA_OR_POINT="Point")
        file.write(pixels)


@pytest.mark.parametrize("point", [False, True])
@pytest.mark.parametrize(
    "transform",
    [from_origin(500_000, 5_400_000, 10, 20), Affine(8, 3, 500_000, 2, -9, 5_400_000)],
    ids=["north up", "turned"],
)
def test_a_georeferenced_picture_covers_the_same_ground(enlarged, tmp_path, transform, point):
    bands = DEEP.clip(5_000, 60_000)  # far from the value for no data
    geotiff(tmp_path / "a.tif", np.moveaxis(bands, 2, 0), transform, nodata=0, point=point)
    with (
        rasterio.open(tmp_path / "a.tif") as before,
        rasterio.open(enlarged(tmp_path / "a.tif", "b.tif")) as made,
    ):
        assert made.crs == before.crs == "EPSG:32632"
        assert (made.width, made.height, made.count) == (180, 140, 5)
        assert made.nodata == 0
        for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
            x, y = (corner[0] * before.width, corner[1] * before.height)
            there = made.transform @ (2 * x, 2 * y)
            assert there == pytest.approx(before.transform @ (x, y), abs=1e-6)
        assert made.tags().get("AREA_OR_POINT") == before.tags().get("AREA_OR_POINT")
        assert far(np.moveaxis(made.read(), 0, 2), bicubic(bands)) <= 1


def test_pixels_without_data_stay_so_and_spread_no_further(enlarged, tmp_path):
    ground = np.full((1, 30, 30), 1200, np.int16)
    ground[0, 0, :] = 1000
    ground[0, 10:20, 5:9] = -9999
    geotiff(tmp_path / "a.tif", ground, from_origin(0, 0, 1, 1), nodata=-9999)
    with rasterio.open(enlarged(tmp_path / "a.tif", "b.tif")) as made:
        pixels = made.read(1)
    hole = (ground[0] == -9999).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(pixels == -9999, hole)
    assert np.abs(pixels[8:][~hole[8:]] - 1200).max() <= 1


def test_pages_are_enlarged_one_by_one_and_previews_left_out(enlarged, tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(RGB[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        writer.write(DEEP[:30, :, 0], photometric="minisblack", metadata=None)
    assert pixel_count(tmp_path / "a.tif") == 70 * 90 + 30 * 90
    with tifffile.TiffFile(enlarged(tmp_path / "a.tif", "b.tif")) as file:
        first, second = (page.asarray() for page in file.pages)
    assert far(first, bicubic(RGB)) <= 1
    assert far(second, bicubic(DEEP[:30, :, 0])) <= 1
    with pytest.raises(UserError, match="2 pages, and PNG holds one: take --format tiff"):
        enlarged(tmp_path / "a.tif", "c.png")


def test_the_pixel_size_of_a_microscope_is_divided_by_the_scale(enlarged, tmp_path):
    how = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "axes": "YX"}
    tifffile.imwrite(tmp_path / "a.ome.tif", DEEP[:, :, 0], metadata=how, ome=True)
    with tifffile.TiffFile(enlarged(tmp_path / "a.ome.tif", "b.ome.tif")) as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert far(file.series[0].asarray(), bicubic(DEEP[:, :, 0])) <= 1
    assert (pixels["SizeX"], pixels["SizeY"]) == (180, 140)
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"]) == (0.125, 0.25)


def test_metadata_of_a_tiff_are_kept(enlarged, tmp_path):
    write(
        tmp_path / "a.tif",
        RGB,
        resolution=(100, 50),
        resolutionunit="centimeter",
        iccprofile=b"a profile",
        description="a note",
        compression="lzw",
        extratags=[(700, 1, 5, b"<xmp>", True)],
    )
    with tifffile.TiffFile(enlarged(tmp_path / "a.tif", "b.tif")) as file:
        page = file.pages.first
        assert page.resolution == (200, 100)
        assert page.resolutionunit == tifffile.RESUNIT.CENTIMETER
        assert page.iccprofile == b"a profile"
        assert page.description == "a note"
        assert page.compression == tifffile.COMPRESSION.LZW
        assert bytes(page.tags[700].value) == b"<xmp>"


def test_colour_that_was_multiplied_by_alpha_is_divided_with_a_note(enlarged, tmp_path):
    alpha = np.uint8([[0, 51, 255]]).repeat(6, 0).repeat(4, 1)
    pixels = np.stack([np.uint8(alpha / 255 * 200)] * 3 + [alpha], axis=2)
    write(tmp_path / "a.tif", pixels, extrasamples=["assocalpha"])
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif")).astype(int)
    assert np.abs(made[made[:, :, 3] > 0][:, :3] - 200).max() <= 1
    assert "colour multiplied by alpha" in enlarged.notes[0]


def test_white_that_is_zero_stays_so(enlarged, tmp_path):
    write(tmp_path / "a.tif", RGB[:, :, 0], photometric="miniswhite")
    assert (
        far(
            np.asarray(Image.open(enlarged(tmp_path / "a.tif", "b.tif"))),
            255 - bicubic(RGB[:, :, 0]),
        )
        <= 1
    )


@pytest.mark.parametrize("layout", ["plain", "lzw", "packed tiles"])
def test_a_cut_file_leaves_nothing_behind(enlarged, tmp_path, layout):
    write(tmp_path / "a.tif", DEEP[:, :, :3], **LAYOUTS[layout])
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UserError, match=r"a\.tif: damaged") as error:
        enlarged(tmp_path / "a.tif", "b.tif")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_strips_that_do_not_fit_in_memory_are_refused(tmp_path, monkeypatch):
    from drnsr.images.backends import tiff_rows

    monkeypatch.setattr(tiff_rows, "_LARGEST_SEGMENT", 1000)
    write(tmp_path / "a.tif", RGB, compression="lzw", rowsperstrip=70)
    with (
        pytest.raises(UserError, match="strips or tiles of 0 MiB, which do not fit in memory"),
        open_picture(tmp_path / "a.tif"),
    ):
        pass


def test_complex_pixels_are_refused(tmp_path):
    write(tmp_path / "a.tif", np.zeros((4, 4), np.complex64), photometric="minisblack")
    with (
        pytest.raises(UserError, match=r"a\.tif: pixels of kind complex64"),
        open_picture(tmp_path / "a.tif"),
    ):
        pass


def jpeg_tiffs(folder):
    """The same picture, compressed as JPEG by three programs in their several ways."""
    image = Image.fromarray(RGB)
    image.save(folder / "pillow.tif", compression="jpeg", quality=95)
    image.convert("L").save(folder / "gray.tif", compression="jpeg", quality=95)
    for name, how in {
        "strips": {"rowsperstrip": 16},
        "tiles": {"tile": (32, 48)},
        "planes": {"planarconfig": "separate", "tile": (32, 32)},
    }.items():
        write(folder / f"{name}.tif", RGB, compression="jpeg", **how)
    for name, colour in {"ycbcr": "YCBCR", "rgb": "RGB"}.items():
        how = {"tiled": True, "blockxsize": 32, "blockysize": 16, "jpeg_quality": 95}
        profile = {"height": 70, "width": 90, "count": 3, "dtype": "uint8", "driver": "GTiff"}
        with rasterio.open(
            folder / f"gdal {name}.tif", "w", compress="jpeg", photometric=colour, **how, **profile
        ) as file:
            file.write(np.moveaxis(RGB, 2, 0))
    return sorted(folder.glob("*.tif"))


def test_jpeg_compressed_tiff_is_read(enlarged, tmp_path):
    paths = jpeg_tiffs(tmp_path)
    assert len(paths) == 7
    for path in paths:
        with Image.open(path) as image:
            image.load()
            before = np.asarray(image)
            if image.mode == "YCbCr":
                before = np.asarray(image.convert("RGB"))
        assert far(before, RGB.mean(2) if before.ndim == 2 else RGB) < 60  # as it was written
        made = tifffile.imread(enlarged(path, f"made/{path.name}"))
        assert far(made, bicubic(before)) <= 2, path.name  # decoders differ by one


def test_a_tile_that_states_more_pixels_than_its_page_is_not_decoded(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RGB[:16, :16, 0]).save(buffer, "JPEG")
    jpeg = bytearray(buffer.getvalue())
    size = jpeg.index(b"\xff\xc0") + 5
    for side, message in ((65_500, "exceeds limit"), (2_000, "16 x 16 pixels holds 2000 x 2000")):
        jpeg[size : size + 4] = struct.pack(">HH", side, side)
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            how = {"shape": (16, 16), "dtype": "u1", "tile": (16, 16), "compression": "jpeg"}
            writer.write(iter([bytes(jpeg)]), **how)
        with open_picture(tmp_path / "a.tif") as file, pytest.raises(UserError, match=message):
            file.pages[0].picture.rows(0, 16)


@pytest.mark.parametrize("text", ["0.1 µm", "Höhe über Normalnull", "写真", "a\u00a0b"])
def test_texts_of_any_script_are_kept(enlarged, tmp_path, text):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        tags = [(42112, 2, None, f"<GDALMetadata>{text}</GDALMetadata>".encode(), True)]
        writer.write(
            RGB, photometric="rgb", metadata=None, description=text.encode(), extratags=tags
        )
    with tifffile.TiffFile(enlarged(tmp_path / "a.tif", "b.tif")) as file:
        assert file.pages.first.description == text
        assert file.pages.first.tags.valueof(42112) == f"<GDALMetadata>{text}</GDALMetadata>"
    with Image.open(tmp_path / "b.tif") as image:
        assert image.tag_v2[270].encode("latin1").decode() == text  # Pillow knows no UTF-8


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd", "lzma", "packbits"])
def test_integers_of_64_bits_are_upscaled(enlarged, tmp_path, dtype, compression):
    limits = np.iinfo(dtype)
    pixels = texture(20, 24, 1)[:, :, 0].astype(np.float64) / 255 * 2.0**63
    pixels = (pixels + float(limits.min)).astype(dtype)
    pixels[0, 0], pixels[-1, -1] = limits.min, limits.max
    write(tmp_path / "a.tif", pixels, photometric="minisblack", compression=compression)
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert made.dtype == dtype
    wanted = upscale(pixels.astype(np.float64)[:, :, None], 2)[:, :, 0]
    inside = wanted.clip(float(limits.min), float(limits.max))
    assert np.abs(made.astype(np.float64) - inside).max() <= 2.0**64 * 1e-5


def ifd(tags, following, *, big=False):
    number, entry, offset = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    packed = struct.pack(f"<{number}", len(tags))
    packed += b"".join(struct.pack(f"<{entry}", *tag) for tag in tags)
    return packed + struct.pack(f"<{offset}", following)


ONE_PIXEL = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 0)]
ONE_PIXEL += [(279, 4, 1, 1)]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("length", [1, 2, 150])
def test_a_looped_chain_of_pages_is_refused(tmp_path, big, length):
    start = 16 if big else 8
    size = len(ifd(ONE_PIXEL, 0, big=big))
    places = [start + number * size for number in range(length)]
    header = struct.pack("<2sHHHQ", b"II", 43, 8, 0, start) if big else b"II*\0\x08\0\0\0"
    pages = b"".join(ifd(ONE_PIXEL, place, big=big) for place in [*places[1:], places[0]])
    (tmp_path / "a.tif").write_bytes(header + pages)
    with (
        pytest.raises(UserError, match=r"a\.tif: damaged \(its chain of pages is a circle\)"),
        open_picture(tmp_path / "a.tif"),
    ):
        pass
    assert pixel_count(tmp_path / "a.tif") == 0


def test_counts_are_held_against_the_file(tmp_path, monkeypatch):
    def refused(content, message):
        (tmp_path / "a.tif").write_bytes(content)
        with (
            pytest.raises(UserError, match=message),
            open_picture(tmp_path / "a.tif") as file,
        ):
            file.pages[0].picture.rows(0, 1)

    start = b"II*\0\x08\0\0\0"
    refused(start + b"\xff\x0f" + bytes(60), "have more tags than fit")
    # Pages over each other, each of which is counted.
    refused(start + ifd(ONE_PIXEL, 10) * 2, "have more tags than fit|damaged")
    for size in ((70_000, 3), (2**31, 2**31), (0, 5), (5, 0)):
        tags = [(256, 4, 1, size[0]), (257, 4, 1, size[1]), *ONE_PIXEL[2:], (278, 4, 1, 1)]
        tags += [(259, 3, 1, 5)]
        refused(start + ifd(sorted(tags), 0), "damaged|do not fit")
    many = [(code, kind, 2**31, value) for code, kind, _, value in ONE_PIXEL]
    refused(start + ifd(many, 0), "TIFF that is damaged, or of a kind that is not read")


@pytest.mark.parametrize(("bits", "channels"), [(2, 3), (4, 3), (3, 1), (6, 1)])
def test_few_bits_become_8(enlarged, tmp_path, bits, channels):
    values = texture(9, 12, channels) >> (8 - bits)
    kind = "rgb" if channels == 3 else "minisblack"
    pixels = values if channels == 3 else values[:, :, 0]
    tifffile.imwrite(tmp_path / "a.tif", pixels, bitspersample=bits, photometric=kind)
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    wanted = bicubic((values * (255 / (2**bits - 1))).round().astype(np.uint8))
    assert far(made.reshape(wanted.shape), wanted) <= 1


def test_too_many_pages_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_file, "_MOST_PAGES", 3)
    for number, message in ((3, None), (4, "more than 3 pages: split the file")):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for _ in range(number):
                writer.write(RGB[:9, :9], photometric="rgb", metadata=None)
        expected = pytest.raises(UserError, match=message) if message else nullcontext()
        with expected, open_picture(tmp_path / "a.tif") as file:
            assert len(file.pages) == 3


@pytest.fixture(autouse=True)
def no_advice():
    """rasterio warns of files without a georeference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def test_rational_polynomials_grow_with_the_picture(enlarged, tmp_path):
    numbers = [0.0, 0.0, 44.5, 34.5, 10.0, 20.0, 30.0, 45.0, 35.0, 0.1, 0.1, 100.0]
    line = [0.0, 0.0, 1.0, *[0.0] * 17]
    sample = [0.0, 1.0, *[0.0] * 18]
    one = [1.0, *[0.0] * 19]
    tag = (50844, "d", 92, (*numbers, *line, *one, *sample, *one), False)
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", extratags=[tag], metadata=None)
    enlarged(tmp_path / "a.tif", "b.tif")
    places = []
    for name in ("a.tif", "b.tif"):
        with rasterio.open(tmp_path / name) as file, RPCTransformer(file.rpcs) as transformer:
            places.append(transformer.rowcol([20.02], [10.03], zs=[30.0], op=float))
    (row,), (column,) = places[0]
    (grown_row,), (grown_column,) = places[1]
    assert abs(column - 34.5) > 1
    # rasterio takes the corner of a pixel for whole, so that a place grows as the picture does.
    assert grown_row == pytest.approx(row * 2, abs=0.01)
    assert grown_column == pytest.approx(column * 2, abs=0.01)


@pytest.mark.parametrize("mode", ["P", "1", "CMYK"])
def test_the_georeference_of_a_picture_that_becomes_gray_or_rgb_is_kept(enlarged, tmp_path, mode):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33550], tags[33922] = (10.0, 20.0, 0.0), (0.0, 0.0, 0.0, 500.0, 700.0, 0.0)
    for tag in tags:
        tags.tagtype[tag] = 12
    Image.fromarray(RGB).convert(mode).save(tmp_path / "a.tif", tiffinfo=tags)
    with rasterio.open(enlarged(tmp_path / "a.tif", "b.tif")) as made:
        assert made.transform == from_origin(500, 700, 5, 10)
