"""`drnsr info` on images that do not say what made them."""

import numpy as np
import pytest
from PIL import Image

from drnsr.cli import main
from drnsr.images.codecs import writable
from tests.conftest import texture


@pytest.mark.parametrize("name", sorted({*writable(), "dds"} - {"dicom", "jxl"}))
def test_an_image_without_provenance_is_described(tmp_path, capsys, name):
    path = tmp_path / f"a.{'j2k' if name == 'jp2' else name}"
    kind = {"jp2": "JPEG2000"}.get(name, name.upper())
    Image.fromarray(texture(30, 20)).save(path, kind)
    main(["info", str(path)])
    (line,) = capsys.readouterr().out.splitlines()
    wanted = f"{name.upper()}, 20 x 30 pixels; nothing in it says what made it"
    assert line.partition(":")[2].strip() == wanted


def test_pages_are_counted(tmp_path, capsys):
    pages = [Image.fromarray(np.full((8, 9), gray, np.uint8)) for gray in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    main(["info", str(tmp_path / "a.tif")])
    assert "TIFF, 3 x 9 x 8 pixels;" in capsys.readouterr().out


def test_a_damaged_image_is_named(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(texture(30, 20)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SystemExit, match=r"a\.png: damaged or truncated"):
        main(["info", str(path)])


def test_another_file_is_not_a_model(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(SystemExit, match=r"a\.txt: not a readable PyTorch file"):
        main(["info", str(tmp_path / "a.txt")])
