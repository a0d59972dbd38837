"""Large pictures are read and written by rows; Pillow and libpng know the right bytes."""

import io
import subprocess
import sys
import weakref
from itertools import pairwise
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from drnsr.images import picture, pixel_file
from drnsr.images.backends.tiff_tiles import iter_tiles
from drnsr.images.codecs import codec_of_suffix
from drnsr.images.page import Metadata, Page, UpscaledPage
from drnsr.images.picture import concatenate_rows, from_array
from drnsr.images.pixel_file import PixelFile, iter_thin
from drnsr.images.reading import open_picture
from drnsr.images.resample import resize_rows
from tests.conftest import texture

BAND = 37


@pytest.fixture
def large(monkeypatch):
    """Let pictures of a few pixels be handled as large ones, in bands of a few rows."""
    monkeypatch.setattr(pixel_file, "HELD_BYTES", 0)
    for module in (picture, pixel_file):
        monkeypatch.setattr(module, "BAND_PIXELS", 500)


def upscaled(pixels: np.ndarray, bands=None) -> UpscaledPage:
    height, width = pixels.shape[:2]
    bands = bands or (pixels[top : top + BAND] for top in range(0, height, BAND))
    return UpscaledPage(height, width, Page(from_array(pixels), Metadata()), bands)


def image_data(content: bytes) -> bytes:
    return content[content.index(b"IDAT") - 4 :]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_a_large_picture_has_the_rows_that_pillow_reads(tmp_path, mode, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    if mode == "I;16":
        image = Image.fromarray(texture(61, 83, 1)[:, :, 0].astype(np.uint16) * 250)
    else:
        image = Image.fromarray(texture(61, 83)).convert(mode)
    image.save(tmp_path / "a.png", exif=exif)
    with open_picture(tmp_path / "a.png") as file:
        found = file.pages[0].picture
        made = np.concatenate([found.rows(top, top + 1) for top in range(found.height)])
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))
    wanted = np.asarray(upright.convert("RGB") if mode == "P" else upright)
    assert made.dtype == wanted.dtype
    assert np.array_equal(made, wanted.reshape(made.shape))


@pytest.mark.usefixtures("large")
def test_a_large_picture_without_room_for_temporary_files_stays_in_memory(tmp_path, monkeypatch):
    Image.fromarray(texture(61, 83)).save(tmp_path / "a.png")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with open_picture(tmp_path / "a.png") as file:
        assert np.array_equal(file.pages[0].picture.rows(0, 61), texture(61, 83))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_has_the_bytes_of_libpng(tmp_path, channels, dtype):
    noise = np.random.default_rng(0).integers(0, 9, (300, 200, channels))
    slope = np.add.outer(np.arange(300), np.arange(200))[:, :, None] * np.arange(1, channels + 1)
    pixels = (slope + noise).astype(dtype)
    codec_of_suffix(".png").write(tmp_path / "a.png", [upscaled(pixels)], "")
    whole = bytes(imagecodecs.png_encode(pixels[:, :, 0] if channels == 1 else pixels))
    made = (tmp_path / "a.png").read_bytes()
    assert made.startswith(whole[:33])
    assert image_data(made) == image_data(whole)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 4), (3000, 1, 1), (2, 3, 2)])
def test_thin_png(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    codec_of_suffix(".png").write(tmp_path / "a.png", [upscaled(pixels)], "")
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(shape), pixels)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_has_the_bytes_of_pillow(tmp_path, channels):
    pixels = texture(301, 203, channels)
    page, codec = upscaled(pixels), codec_of_suffix(".jpg")
    codec.write(tmp_path / "a.jpg", [page], "by a test")
    whole = io.BytesIO()
    options = codec.save_options(page, "by a test")
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(whole, "JPEG", **options)
    assert (tmp_path / "a.jpg").read_bytes() == whole.getvalue()


def test_png_is_written_while_its_rows_are_computed(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 1000, 3), np.uint8)
    sizes = []

    def bands():
        for top in range(0, 400, 100):
            yield pixels[top : top + 100]
            sizes.append((tmp_path / "a.png").stat().st_size)

    codec_of_suffix(".png").write(tmp_path / "a.png", [upscaled(pixels, bands())], "")
    assert all(later - earlier > 200_000 for earlier, later in pairwise(sizes))


SIZE = (24, 20)
CONSUMERS = {
    "tiles": lambda bands: list(iter_tiles(bands, 16)),
    "array": lambda bands: concatenate_rows(bands, (*SIZE, 1), np.dtype(np.uint8)),
    "file": PixelFile,
    "resized": lambda bands: list(resize_rows(bands, SIZE, (30, 33))),
    "thin": lambda bands: list(iter_thin(bands, SIZE[1])),
}


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_band_is_freed_before_the_next_one_is_computed(consumer):
    def bands():
        previous = lambda: None  # noqa: E731
        for _ in range(3):
            assert previous() is None
            band = np.zeros((8, SIZE[1], 1), np.uint8)
            previous = weakref.ref(band)
            yield band
            del band

    CONSUMERS[consumer](bands())


def test_a_failure_leaves_no_temporary_file(tmp_path):
    def bands():
        yield texture(5, 7)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        PixelFile(bands(), tmp_path)
    assert list(tmp_path.iterdir()) == []


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from drnsr.images.codecs import codec_of_suffix
from drnsr.images.page import Metadata, Page, UpscaledPage
from drnsr.images.picture import RGB, Picture
from drnsr.images.reading import open_picture

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

def write(path, height):
    band = np.zeros((200, 6000, 3), np.uint8)
    source = Picture(height, 6000, band.dtype, RGB, (0, 255), lambda top, bottom: band)
    bands = (band for _ in range(height // 200))
    page = UpscaledPage(height, 6000, Page(source, Metadata()), bands)
    codec_of_suffix(path.suffix).write(path, [page], "")

def read(path):
    with open_picture(path) as file:
        for top in range(0, file.pages[0].picture.height, 200):
            file.pages[0].picture.rows(top, top + 200)

path = Path(sys.argv[1])
peaks = []
for height in (400, 4000):
    write(path, height)
    peaks.append(peak())
for height in (400, 4000):
    write(path, height)
    read(path)
    peaks.append(peak())
print(*peaks)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux states the peak")
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_memory_does_not_grow_with_the_picture(tmp_path, suffix):
    call = [sys.executable, "-c", PROGRAM, str(tmp_path / f"a{suffix}")]
    output = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    small, written, _, read = map(float, output.split())
    pixels = 4000 * 6000 / 2**20
    assert written - small < pixels  # a third of the array, a quarter of Pillow's image
    assert read - small < 5 * pixels  # Pillow decodes into four bytes a pixel; an array has three
