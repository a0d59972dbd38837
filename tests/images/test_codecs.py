"""The registry of formats; a format of our own is one object that all commands know."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.cli import main
from drnsr.errors import UserError
from drnsr.images.codec import Codec
from drnsr.images.codecs import CODECS, codec_of_content, codec_of_suffix
from drnsr.images.page import Metadata, Page
from drnsr.images.picture import from_array
from drnsr.images.reading import pixel_count
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture


@dataclass(frozen=True, kw_only=True)
class PamCodec(Codec):
    """Netpbm's PAM, RGB of 8 bits."""

    def read(self, path):
        head, _, pixels = path.read_bytes().partition(b"ENDHDR\n")
        fields = dict(line.split() for line in head.splitlines()[1:])
        shape = int(fields[b"HEIGHT"]), int(fields[b"WIDTH"]), int(fields[b"DEPTH"])
        return [Page(from_array(np.frombuffer(pixels, np.uint8).reshape(shape)), Metadata())]

    def pixel_count(self, path):
        picture = self.read(path)[0].picture
        return picture.height * picture.width

    def write(self, path, pages, text):
        pixels = pages[0].pixels()
        head = "P7\nWIDTH {1}\nHEIGHT {0}\nDEPTH {2}\nMAXVAL 255\nENDHDR\n"
        path.write_bytes(head.format(*pixels.shape).encode() + pixels.tobytes())


@pytest.fixture
def pam(monkeypatch):
    codec = PamCodec(name="pam", suffixes=(".pam",), signatures=(b"P7\n",))
    monkeypatch.setitem(CODECS, "pam", codec)
    return codec


def test_a_new_format_is_read_written_and_reports_what_it_loses(pam, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "m.safetensors", DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    exif = Image.Exif()
    exif[271] = "a maker"
    Image.fromarray(texture(9, 11)).save("a.png", exif=exif)
    call = ["upscale", "--model", "m.safetensors", "--out"]
    main([*call, "png", "a.png"])
    main([*call, "pam", "a.png", "--format", "pam"])
    assert "PAM does not hold EXIF" in capsys.readouterr().err
    assert pixel_count(tmp_path / "pam/a_x2.pam") == 18 * 22
    assert_array_equal(
        pam.read(tmp_path / "pam/a_x2.pam")[0].picture.rows(0, 18), Image.open("png/a_x2.png")
    )
    main([*call, "again", "pam"])  # a folder
    assert (tmp_path / "again/a_x2_x2.pam").is_file()
    pages = [Image.fromarray(texture(8, 8, seed=n)) for n in range(2)]
    pages[0].save("b.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(SystemExit, match="2 pages, and PAM holds one: take --format tiff"):
        main([*call, "pam", "b.tif", "--format", "pam"])


def test_no_two_formats_share_a_suffix_or_a_signature():
    suffixes = [s for codec in CODECS.values() for s in codec.suffixes + codec.read_suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
    for codec in CODECS.values():
        for signature in codec.signatures:
            others = [c.name for c in CODECS.values() if c.recognises(signature.ljust(132, b"\0"))]
            assert others == [codec.name]
    assert codec_of_suffix(".JPG") is CODECS["jpeg"]
    assert codec_of_suffix(".txt") is None
    assert codec_of_content(b"a text", ".png") is None


def test_formats_that_are_only_read_name_the_one_that_is_written(enlarged, tmp_path):
    for codec in CODECS.values():
        if codec.written_as is not None:
            assert CODECS[codec.written_as].written_as is None
    Image.fromarray(texture(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: ICO is read and not written: take --format png"):
        enlarged(tmp_path / "a.png", "b.ico")
