"""Each format keeps metadata or reports that they are lost."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drnsr.images.codecs import CODECS, writable
from tests.conftest import texture


@pytest.mark.parametrize("name", sorted({*writable()} - {"dicom"}))  # DICOM is made of DICOM alone
def test_metadata_are_kept_or_reported_as_lost(enlarged, tmp_path, name):
    keeps = CODECS[name].keeps
    said, exif = PngInfo(), Image.Exif()
    said.add_text("parameters", "Steps: 20")
    exif[271] = "a maker"
    picture = Image.fromarray(texture(9, 9))
    picture.save(tmp_path / "a.png", pnginfo=said, exif=exif, icc_profile=b"profile" * 20)
    made = enlarged(tmp_path / "a.png", f"b{CODECS[name].suffixes[0]}")
    told = " ".join(enlarged.notes)
    assert ("EXIF" in told) == ("exif" not in keeps)
    assert ("colour profile" in told) == ("icc" not in keeps)
    assert ("texts" in told) == ("png_chunks" not in keeps)
    if name in ("jxl",):
        return  # Pillow does not read it
    with Image.open(made) as seen:
        assert (seen.info.get("icc_profile") == b"profile" * 20) == ("icc" in keeps)
        assert (seen.getexif().get(271) == "a maker") == ("exif" in keeps)


def test_a_lost_georeference_is_reported(enlarged, tmp_path):
    tag = (33550, "d", 3, (10.0, 10.0, 0.0), False)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 9), np.uint8), extratags=[tag])
    enlarged(tmp_path / "a.tif", "b.png")
    assert "PNG does not hold the georeference" in " ".join(enlarged.notes)
