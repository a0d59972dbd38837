"""PNG of 16 bits; two other readers, imagecodecs and rasterio, are asked what is in the files."""

import imagecodecs
import numpy as np
import pytest
import rasterio
from PIL import Image

from drnsr.errors import UserError
from tests.conftest import texture
from tests.formats.conftest import bicubic, far

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


def test_a_deep_file_that_is_cut_is_told(enlarged, tmp_path):
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
