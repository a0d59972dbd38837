"""The libraries that read pictures stay silent while `drnsr upscale` reports about odd files."""

from contextlib import nullcontext

import numpy as np
import OpenEXR
import pytest
import tifffile
from PIL import Image

from drnsr.cli import main
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture


def tiff_with_bad_tags(path):
    """Which tifffile logs, a line for each."""
    tifffile.imwrite(
        path, texture(8, 8, 1)[:, :, 0], extratags=[(65000, "s", 0, "a text", False)] * 2
    )
    content = bytearray(path.read_bytes())
    start = content.index((65000).to_bytes(2, "little"))
    content[start + 2 : start + 4] = b"\xff\xff"  # a type that does not exist
    path.write_bytes(content)


def damaged_palette(path):
    """Of which libtiff complains, behind Pillow."""
    Image.fromarray(texture(64, 64, 1)[:, :, 0]).convert("P").save(path, compression="tiff_lzw")
    with tifffile.TiffFile(path) as file:
        start, count = file.pages.first.dataoffsets[0], file.pages.first.databytecounts[0]
    content = bytearray(path.read_bytes())
    content[start + 4 : start + count] = b"\xff" * (count - 4)
    path.write_bytes(content)


def truncated_exr(path):
    """Of which OpenEXR complains, and its module for Python prints, too."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Y": np.random.rand(40, 8).astype(np.float32)}).write(str(path))
    path.write_bytes(path.read_bytes()[:-30])


def nan_tiff(path):
    """Of which numpy warns."""
    values = np.full((8, 8), np.nan, np.float32)
    values[0, 0] = 3.4e38
    tifffile.imwrite(path, values)


ODD = {
    "tags.tif": tiff_with_bad_tags,
    "palette.tif": damaged_palette,
    "light.exr": truncated_exr,
    "nan.tif": nan_tiff,
}


def test_only_our_lines_are_printed(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    save_model(
        tmp_path / "m.safetensors", DRNSR(scale=2, num_features=4, num_blocks=1), Origin("c" * 64)
    )
    (tmp_path / "in").mkdir()
    for name, make in ODD.items():
        make(tmp_path / "in" / name)
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["upscale", "in", "--model", "m.safetensors", "--out", "o", "--device", "cpu"])
    printed = capfd.readouterr()
    assert printed.out.startswith("o: ")
    assert printed.out.count("\n") == 1
    lines = [line for line in printed.err.splitlines() if line.strip() and "MP/s" not in line]
    assert all(line.startswith("in/") for line in lines), lines
    assert "error: 2 of 4 could not be upscaled:\n  in/light.exr: damaged" in caught.value.code
    assert "in/palette.tif: damaged" in caught.value.code
    # They print indeed, if they are let.
    monkeypatch.setattr("drnsr.upscale.quiet.quiet_c_libraries", nullcontext)
    with pytest.raises(SystemExit):
        main(["upscale", "in", "--model", "m.safetensors", "--out", "p", "--device", "cpu"])
    noise = capfd.readouterr().err
    assert all(text in noise for text in ("not yet in table", "EXR_ERR")), noise
