"""What each format keeps of what stands beside the pixels: kept, or told to be lost."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drnsr.images.writing import KEPT_BY
from tests.conftest import texture

SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp", "tiff": "tif", "avif": "avif"}
SUFFIXES |= {name: name for name in ("bmp", "ppm", "gif", "jp2", "jxl", "qoi", "tga")}


@pytest.mark.parametrize("name", SUFFIXES)
def test_what_is_not_kept_is_told(enlarged, tmp_path, name):
    said, exif = PngInfo(), Image.Exif()
    said.add_text("parameters", "Steps: 20")
    exif[271] = "a maker"
    picture = Image.fromarray(texture(9, 9))
    picture.save(tmp_path / "a.png", pnginfo=said, exif=exif, icc_profile=b"profile" * 20)
    made = enlarged(tmp_path / "a.png", f"b.{SUFFIXES[name]}")
    told = " ".join(enlarged.notes)
    assert ("EXIF" in told) == (name not in KEPT_BY["exif"])
    assert ("colour profile" in told) == (name not in KEPT_BY["icc"])
    assert ("texts" in told) == (name != "png")
    if name in ("jxl",):
        return  # Pillow does not read it
    with Image.open(made) as seen:
        assert (seen.info.get("icc_profile") == b"profile" * 20) == (name in KEPT_BY["icc"])
        assert (seen.getexif().get(271) == "a maker") == (name in KEPT_BY["exif"])


def test_a_lost_georeference_is_told(enlarged, tmp_path):
    tag = (33550, "d", 3, (10.0, 10.0, 0.0), False)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 9), np.uint8), extratags=[tag])
    enlarged(tmp_path / "a.tif", "b.png")
    assert "PNG does not hold the georeference" in " ".join(enlarged.notes)
