"""Transparency, bits and orders of bits that formats state in ways of their own.

imagecodecs (libpng), rasterio (libtiff), OpenCV and Pillow are asked what is in the files.
"""

import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from drnsr.images.reading import open_picture
from tests.conftest import texture
from tests.images.pictures import bicubic, far


def read(path):
    with open_picture(path) as file:
        picture = file.pages[0].picture
        return picture.rows(0, picture.height), picture.channels, file.pages[0]


def png(path, bits, rows, transparent):
    """A gray PNG of rows that are packed already, with a tRNS chunk."""

    def chunk(name, content):
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    width = len(rows[0]) * 8 // bits
    header = struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), (b"tRNS", struct.pack(">H", transparent)), (b"IDAT", pixels)]
    content = b"".join(chunk(*each) for each in [*chunks, (b"IEND", b"")])
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize(("bits", "transparent"), [(1, 1), (2, 2), (4, 5), (8, 77), (16, 1234)])
def test_the_transparent_gray_of_a_png_becomes_alpha(enlarged, tmp_path, bits, transparent):
    values = np.arange(64 * 16).reshape(16, 64) % min(1 << bits, 100)
    values[4:8] = transparent
    digits = (values[:, :, None] >> np.arange(bits)[::-1]) & 1
    png(tmp_path / "a.png", bits, [np.packbits(row).tobytes() for row in digits], transparent)
    pixels, channels, _ = read(tmp_path / "a.png")
    assert channels.alpha == 1
    largest = np.iinfo(pixels.dtype).max
    assert np.array_equal(pixels[:, :, 1] == 0, values == transparent)
    assert set(np.unique(pixels[:, :, 1])) <= {0, largest}
    made = imagecodecs.png_decode(enlarged(tmp_path / "a.png", "b.png").read_bytes())
    assert made.shape == (32, 128, 2)
    assert far(made[:, :, 1:], bicubic(pixels[:, :, 1:])) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_transparency_of_a_bmp_is_read(enlarged, tmp_path, mode):
    pixels = texture(12, 13, 4)
    Image.fromarray(pixels).convert(mode).save(tmp_path / "a.png", dpi=(96, 96))
    made = Image.open(enlarged(tmp_path / "a.png", "b.bmp"))
    assert made.mode == "RGBA"
    assert made.info["dpi"] == pytest.approx((192, 192), rel=1e-3)
    wanted = Image.open(enlarged(tmp_path / "a.png", "c.png")).convert("RGBA")
    assert np.array_equal(np.asarray(made), np.asarray(wanted))
    other = cv2.imread(str(tmp_path / "b.bmp"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cv2.cvtColor(other, cv2.COLOR_BGRA2RGBA), np.asarray(wanted))
    again = Image.open(enlarged(tmp_path / "b.bmp", "d.bmp"))
    assert again.mode == "RGBA"
    assert again.size == (52, 48)


@pytest.mark.parametrize("extra", [["unassalpha", "unspecified"], ["unspecified", "unassalpha"]])
def test_alpha_beside_a_band_is_kept(enlarged, tmp_path, extra):
    pixels = texture(16, 18, 5)
    alpha = 3 + extra.index("unassalpha")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=extra)
    made = tifffile.TiffFile(enlarged(tmp_path / "a.tif", "b.tif")).pages[0]
    assert [int(kind) for kind in made.extrasamples] == [
        {"unassalpha": 2, "unspecified": 0}[each] for each in extra
    ]
    bands = [0, 1, 2, 7 - alpha]
    hidden = pixels[:, :, alpha] == 0
    assert not hidden.any()
    assert far(made.asarray()[:, :, bands], bicubic(pixels[:, :, bands])) <= 1


def test_12_bits_become_16_and_white_stays_white(enlarged, tmp_path):
    pixels = (texture(17, 20).astype(np.uint16) * 16) + 15
    pixels[:4] = 4095
    packed = imagecodecs.packints_encode(pixels.reshape(17, -1), 12, runlen=60)
    write_tiff(tmp_path / "a.tif", packed, 12, 17, 20)
    found, _, page = read(tmp_path / "a.tif")
    exact = pixels * (65_535 / 4095)
    assert far(found, exact) <= 0.5
    assert any("12 bits become 16" in note for note in page.notes)
    made = tifffile.imread(enlarged(tmp_path / "a.tif", "b.tif"))
    assert made.dtype == np.uint16
    assert made[:4].min() > 65_000


@pytest.mark.parametrize("bits", [8, 16])
def test_the_reversed_bits_of_fill_order_2_are_read(tmp_path, bits):
    pixels = texture(9, 11).astype(f"<u{bits // 8}") * (257 if bits == 16 else 1)
    turned = imagecodecs.bitorder_encode(pixels.tobytes())
    write_tiff(tmp_path / "a.tif", turned, bits, 9, 11, order=2)
    with rasterio.open(tmp_path / "a.tif") as other:
        assert np.array_equal(other.read(), pixels.transpose(2, 0, 1))
    assert np.array_equal(read(tmp_path / "a.tif")[0], pixels)


def write_tiff(path, content, bits, height, width, order=1):
    """An RGB TIFF of one strip that is coded already."""
    tags = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 146), (259, 3, 1, 1)),
        *((262, 3, 1, 2), (266, 3, 1, order), (273, 4, 1, 152), (277, 3, 1, 3)),
        *((278, 4, 1, height), (279, 4, 1, len(content)), (284, 3, 1, 1)),
    ]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    head = (b"II*\0" + struct.pack("<I", 8) + directory + b"\0" * 4).ljust(146, b"\0")
    assert len(head) == 146
    path.write_bytes(head + struct.pack("<3H", bits, bits, bits) + bytes(content))


def test_a_bmp_of_5_6_and_5_bits_is_read(enlarged, tmp_path):
    values = np.arange(8 * 6, dtype="<u2").reshape(6, 8) * 1300
    header = struct.pack("<IiiHHIIiiII", 40, 8, 6, 1, 16, 3, values.nbytes, 0, 0, 0, 0)
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    start = 14 + len(header) + len(masks)
    head = struct.pack("<2sIHHI", b"BM", start + values.nbytes, 0, 0, start)
    (tmp_path / "a.bmp").write_bytes(head + header + masks + values[::-1].tobytes())
    pixels, _, _ = read(tmp_path / "a.bmp")
    fields = np.stack([values >> 11 & 31, values >> 5 & 63, values & 31], axis=2)
    assert far(pixels, fields / np.array([31, 63, 31]) * 255) <= 1
    assert Image.open(enlarged(tmp_path / "a.bmp", "b.bmp")).size == (16, 12)


def test_more_than_a_megabyte_of_icc_is_kept(enlarged, tmp_path):
    profile = np.random.default_rng(0).bytes(1_500_000)
    Image.fromarray(texture(9, 9)).save(tmp_path / "a.png", icc_profile=profile)
    assert Image.open(enlarged(tmp_path / "a.png", "b.png")).info["icc_profile"] == profile


def test_other_frames_of_a_deep_animation_are_reported(enlarged, tmp_path):
    frames = (texture(9, 9, 6).reshape(2, 9, 9, 3).astype(np.uint16)) * 257
    (tmp_path / "a.png").write_bytes(imagecodecs.apng_encode(frames, delay=100))
    enlarged(tmp_path / "a.png", "b.png")
    assert "only the first of its pictures" in enlarged.notes[0]


@pytest.mark.parametrize("mode", ["1", "P"])
def test_pages_of_one_bit_and_with_palettes_are_upscaled(enlarged, tmp_path, mode):
    pages = [Image.fromarray(texture(14, 15, seed=n)).convert(mode) for n in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    enlarged(tmp_path / "a.tif", "b.tif")
    made = tifffile.TiffFile(tmp_path / "b.tif").pages
    assert len(made) == 3
    assert not any("EXIF" in note for note in enlarged.notes)  # there is none
    for page, source in zip(made, pages, strict=True):
        wanted = bicubic(np.asarray(source.convert("L" if mode == "1" else "RGB")))
        assert far(page.asarray(), wanted) <= 1
