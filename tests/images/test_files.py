import os
import struct
import zlib
from functools import partial

import imagecodecs
import numpy as np
import pytest
from cv2 import imwrite
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.images.encoding import encode_png, write_png
from drnsr.images.errors import ImageError
from drnsr.images.files import (
    FORMATS,
    SUFFIXES,
    read_image,
)
from tests.conftest import texture


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_gives_back_the_pixels_that_were_written(tmp_path, channels):
    image = texture(7, 9, channels)
    write_png(tmp_path / "deep" / "picture.png", image)
    assert_array_equal(read_image(tmp_path / "deep" / "picture.png"), image)
    assert (tmp_path / "deep/picture.png").read_bytes() == encode_png(image)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["picture.png"]


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)]
)
def test_every_8_bit_mode_becomes_gray_or_rgb(tmp_path, mode, channels):
    Image.new(mode, (5, 4)).save(tmp_path / "picture.png")
    assert read_image(tmp_path / "picture.png").shape == (4, 5, channels)


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (5, 4)).save(tmp_path / "picture.jpg")
    assert read_image(tmp_path / "picture.jpg").shape == (4, 5, 3)


def test_exif_orientation_is_applied(tmp_path):
    picture = Image.fromarray(texture(4, 6))
    exif = picture.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    picture.save(tmp_path / "a.png", exif=exif)
    assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(texture(4, 6), -1))


def test_a_truncated_png_is_named(tmp_path):
    whole = encode_png(texture(64, 64))
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"cut\.png: damaged or truncated"):
        read_image(tmp_path / "cut.png")


def test_a_text_file_named_png_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ImageError, match=r"notes\.png: not a picture"):
        read_image(tmp_path / "notes.png")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_16_bits_are_refused_and_not_cut_to_8(tmp_path, suffix, shape):
    file = tmp_path / f"deep{suffix}"
    imwrite(str(file), np.full(shape, 300, np.uint16))
    with pytest.raises(ImageError, match=r"deep.*: more than 8 bits a channel"):
        read_image(file)


@pytest.mark.parametrize(
    ("encode", "depth"),
    [
        (partial(imagecodecs.jpeg2k_encode, level=0), 16),
        (partial(imagecodecs.jpeg2k_encode, level=0, codecformat="j2k"), 12),
        (partial(imagecodecs.avif_encode, bitspersample=10), 10),
        (partial(imagecodecs.avif_encode, bitspersample=12), 12),
    ],
    ids=["jp2", "j2k", "avif 10", "avif 12"],
)
def test_deep_jpeg2000_and_avif_are_refused_and_those_of_8_bits_read(tmp_path, encode, depth):
    shallow = texture(32, 40)
    deep = shallow.astype(np.uint16) << (depth - 8)
    file = tmp_path / "picture"
    file.write_bytes(encode(deep))
    with pytest.raises(ImageError, match="more than 8 bits a channel"):
        read_image(file)
    reader = partial(encode.func, **{k: v for k, v in encode.keywords.items() if "bits" not in k})
    # What imagecodecs writes, by other libraries than Pillow's, comes out as it was.
    file.write_bytes(reader(shallow))
    assert_array_equal(read_image(file), shallow)


def test_the_suffixes_are_those_that_pillow_gives_the_formats():
    Image.init()
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS}
    assert known - SUFFIXES == {".pfm"}  # floating point, which is no picture of 8 bits
    assert known >= SUFFIXES
    assert set(FORMATS) <= set(Image.OPEN)


def test_the_first_picture_of_an_animation_is_read_with_a_warning(tmp_path, caplog):
    frames = [Image.fromarray(texture(8, 9, seed=seed)).convert("P") for seed in range(3)]
    file = tmp_path / "moving.gif"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    assert_array_equal(read_image(file), np.asarray(frames[0].convert("RGB")))
    assert caplog.messages == [f"{file}: only the first of its 3 pictures is read"]


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png: an empty file"):
        read_image(tmp_path / "empty.png")


def test_no_other_program_is_asked_to_open_a_file(tmp_path):
    """Pillow draws PostScript by Ghostscript."""
    file = tmp_path / "a.eps"
    file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match="not a picture in a format that is known here"):
        read_image(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png: No such file"):
        read_image(tmp_path / "gone.png")


def test_a_pipe_and_a_folder_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")  # to read it would wait for ever
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ImageError, match=rf"{name}\.png: no regular file"):
            read_image(tmp_path / f"{name}.png")


def png_that_claims(width, height):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [100_000, 13_000])  # beyond Pillow's limit, and within it
def test_a_header_that_states_too_many_pixels_is_refused_before_decoding(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(png_that_claims(side, side))
    # Decoding would find the pixels missing, and say that instead.
    with pytest.raises(ImageError, match=r"bomb\.png: .*pixels.*limit"):
        read_image(tmp_path / "bomb.png")


def test_the_caller_sets_the_limit_of_pixels(tmp_path):
    write_png(tmp_path / "picture.png", texture(10, 10))
    assert read_image(tmp_path / "picture.png", max_pixels=100).shape == (10, 10, 3)
    with pytest.raises(ImageError, match="10 x 10 pixels, more than the limit of 99"):
        read_image(tmp_path / "picture.png", max_pixels=99)
