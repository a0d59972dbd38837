"""PNG of 16 bits; two other readers, imagecodecs and rasterio, are asked what is in the files."""

import imagecodecs
import numpy as np
import pytest
import rasterio
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drnsr.errors import UserError
from tests.conftest import texture
from tests.images.pictures import bicubic, far

# With detail in the low byte.
DEEP = (texture(14, 19, 4).astype(np.uint32) * 230 + texture(14, 19, 4, seed=1)).astype(np.uint16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_stay_16_bits(enlarged, tmp_path, channels):
    pixels = DEEP[:, :, :channels].copy()
    if channels in (2, 4):
        pixels[:, :, -1] = 65_535
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels.squeeze()))
    made = imagecodecs.png_decode(enlarged(tmp_path / "a.png", "b.png").read_bytes())
    assert made.dtype == np.uint16
    assert far(made.reshape(28, 38, channels), bicubic(pixels)) <= 1
    assert len(np.unique(made)) > 300  # more than 8 bits can tell apart
    with rasterio.open(tmp_path / "b.png") as other:
        assert np.array_equal(other.read(), np.moveaxis(made.reshape(28, 38, channels), 2, 0))


def test_a_deep_file_that_is_cut_is_reported(enlarged, tmp_path):
    content = imagecodecs.png_encode(DEEP[:, :, :3].copy())
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"a\.png: damaged or truncated"):
        enlarged(tmp_path / "a.png", "b.png")


def test_every_chunk_is_whole(enlarged, tmp_path):
    Image.fromarray(texture(9, 9)).save(tmp_path / "a.png", dpi=(96, 96), icc_profile=b"profile")
    made = Image.open(enlarged(tmp_path / "a.png", "b.png"))
    made.verify()  # Pillow compares each chunk with its checksum
    assert made.info["icc_profile"] == b"profile"
    assert made.info["dpi"] == pytest.approx((192, 192), rel=1e-3)
    assert '"model": "bicubic.safetensors"' in made.info["drnsr"]


def chunks_of(path):
    """Every chunk of a PNG file, as the specification lays them out."""
    content, place, found = path.read_bytes(), 8, []
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        found.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += length + 12
    return found


def test_texts_and_statements_of_colour_are_kept(enlarged, tmp_path):
    said = PngInfo()
    said.add_text("parameters", "a photo\nSteps: 20")
    said.add_text("packed", "b" * 300, zip=True)
    said.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>", "de", "Äpfel")
    colour = [
        (b"gAMA", (100_000).to_bytes(4, "big")),
        (b"cHRM", b"".join(n.to_bytes(4, "big") for n in range(1000, 9000, 1000))),
        (b"cICP", bytes([9, 16, 0, 1])),
    ]
    for name, content in colour:
        said.add(name, content)
    Image.fromarray(texture(9, 9)).save(tmp_path / "a.png", pnginfo=said)
    kept = {b"tEXt", b"zTXt", b"iTXt", b"gAMA", b"cHRM", b"cICP"}
    before = [chunk for chunk in chunks_of(tmp_path / "a.png") if chunk[0] in kept]
    assert len(before) == 6
    made = enlarged(tmp_path / "a.png", "b.png")
    after = chunks_of(made)
    assert set(before) <= set(after)
    names = [name for name, _ in after]
    assert names.index(b"gAMA") < names.index(b"IDAT")
    Image.open(made).verify()
    again = chunks_of(enlarged(made, "c.png"))
    assert [name for name, _ in again].count(b"iTXt") == 2  # theirs, and the new one of ours
