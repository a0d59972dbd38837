"""The estimate of a JPEG's quality, for files that Pillow (libjpeg) wrote."""

import os

import numpy as np
import pytest
from PIL import Image

from drnsr.upscale.jpeg_quality import jpeg_quality


@pytest.mark.parametrize("quality", [30, 50, 75, 85, 90, 95])
def test_libjpegs_quality_is_found(tmp_path, quality):
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    image = Image.fromarray(pixels)
    for name, variant, sampling in (
        ("a", image, 2),
        ("b", image, 0),
        ("c", image.convert("L"), -1),
    ):
        file = tmp_path / f"{name}.jpg"
        variant.save(file, quality=quality, subsampling=sampling)
        assert jpeg_quality(file) == quality


def test_tables_of_another_program_are_judged_by_how_coarse_they_are(tmp_path):
    image = Image.new("RGB", (16, 16), "teal")
    for step, fits in ((1, lambda q: q == 100), (3, lambda q: q > 90), (60, lambda q: q < 60)):
        image.save(tmp_path / "a.jpg", qtables=[[step] * 64, [step] * 64])
        assert fits(jpeg_quality(tmp_path / "a.jpg"))


def test_what_is_no_jpeg_has_no_quality(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00")
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")  # nobody writes to it: to open it would never end
    for name in ("a.png", "cut.jpg", "empty.jpg", "missing.jpg", "pipe.jpg"):
        assert jpeg_quality(tmp_path / name) is None
