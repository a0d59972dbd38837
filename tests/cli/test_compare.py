"""`drnsr upscale --compare`: a comparison for each image, and a self-contained page for several."""

import base64
import io
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from drnsr.cli import main
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network that adds noise to bicubic, and a working folder."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    save_model(tmp_path / "noisy.safetensors", network, Origin())
    return tmp_path / "noisy.safetensors"


def run(*arguments):
    main(["upscale", *map(str, arguments), "--out", "out", "--compare"])


class Page(HTMLParser):
    """The references of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.texts, self.scripts = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links += [found[name] for name in ("href",) if name in found]
        self.images += [found[name] for name in ("src", "srcset") if name in found]
        self.scripts += tag in ("script", "link")

    def handle_data(self, data):
        self.texts.append(data)


def decoded(address):
    kind, _, content = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def read_page(tmp_path):
    return Page((tmp_path / "out/index.html").read_text(encoding="utf-8"))


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir())


def test_one_image_gets_a_comparison(model, tmp_path):
    Image.fromarray(texture(60, 80)).save("a.png")
    run("a.png", "--model", model)
    assert names(tmp_path) == ["a_x2.png", "a_x2_compare.png"]


def test_several_images_get_a_self_contained_page(model, tmp_path, picture_folder):
    odd = "<i>5% & more</i>".replace("/", "") + ".png"
    (picture_folder / "below").mkdir()
    Image.fromarray(texture(90, 120)).save(picture_folder / "below" / odd)
    run(picture_folder, "--model", model)
    page = read_page(tmp_path)
    assert page.scripts == 0
    assert len(page.images) == 5 * 3
    for address in page.images:
        with decoded(address) as image:
            assert max(image.size) <= 208
    linked = [unquote(link) for link in page.links]
    assert len(linked) == 5 * 2
    for link in linked:
        assert (tmp_path / "out" / link).is_file()
    assert any(link.startswith("below/<i>5% & more") for link in linked)
    written = " ".join(page.texts)
    assert "<i>5% & more" in written  # as text, and not as an element
    assert "120 x 90 to 240 x 180 pixels" in written
    assert {"bicubic", "noisy"} <= set(page.texts)


def test_before_and_after_are_bicubic_and_the_model(model, tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        Image.fromarray(texture(72, 96, seed=seed)).save(f"{name}.png")
    run("a.png", "b.png", "--model", model)
    with Image.open(tmp_path / "out/a_x2.png") as made:
        after = np.asarray(made).astype(int)
    before, shown = (
        np.asarray(decoded(each)).astype(int) for each in read_page(tmp_path).images[:2]
    )
    assert before.shape == shown.shape == after.shape  # all of it is shown
    # The difference is that of JPEG with quality 90 for noise.
    assert np.abs(shown - after).mean() < 5 < np.abs(before - after).mean()


def test_the_same_command_resumes(model, tmp_path, picture_folder, capsys):
    run(picture_folder, "--model", model)
    page = (tmp_path / "out/index.html").read_bytes()
    drawn = (tmp_path / "out/picture1_x2_compare.png").read_bytes()
    (tmp_path / "out/picture0_x2_compare.png").write_bytes(b"kept")
    (tmp_path / "out/picture1_x2_compare.png").unlink()
    (tmp_path / "out/picture2_x2.png").unlink()
    run(picture_folder, "--model", model)
    assert "1 upscaled" in capsys.readouterr().out
    assert (tmp_path / "out/index.html").read_bytes() == page
    assert (tmp_path / "out/picture0_x2_compare.png").read_bytes() == b"kept"
    assert (tmp_path / "out/picture1_x2_compare.png").read_bytes() == drawn


def test_results_of_another_model_are_not_compared(model, tmp_path, picture_folder, capsys):
    run(picture_folder, "--model", model)
    for path in (tmp_path / "out").glob("*_compare.png"):
        path.unlink()
    Image.fromarray(texture(8, 8)).save("out/picture2_x2.png")  # it says nothing
    other = DRNSR(scale=2, num_features=4, num_blocks=1)
    save_model(tmp_path / "other.safetensors", other, Origin())
    main(
        [
            "upscale",
            str(picture_folder / "picture3.png"),
            "--model",
            "other.safetensors",
            "--out",
            "out",
            "--overwrite",
        ]
    )
    run(picture_folder, "--model", model)
    message = capsys.readouterr().err.replace("\n", "")
    assert re.search(
        r"picture2_x2\.png: was there, and does not say that this model made it", message
    )
    assert "picture3_x2.png: was there" in message
    assert len(read_page(tmp_path).images) == 2 * 3
    assert len(list((tmp_path / "out").glob("*_compare.png"))) == 2


def test_a_page_of_another_program_is_not_overwritten(model, tmp_path, picture_folder):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/index.html").write_text("my own page")
    with pytest.raises(SystemExit, match=r"index\.html: drnsr did not make it: take another --out"):
        run(picture_folder, "--model", model)
    assert names(tmp_path) == ["index.html"]
    assert (tmp_path / "out/index.html").read_text() == "my own page"


def test_images_with_the_same_name_get_a_comparison_each(model, tmp_path):
    Image.fromarray(texture(20, 30)).save("a.png")
    tifffile.imwrite("a.tif", texture(20, 30, seed=1))
    run("a.png", "a.tif", "--model", model)
    assert names(tmp_path) == [
        *("a_x2.png", "a_x2.png_compare.png", "a_x2.tif", "a_x2.tif_compare.png", "index.html")
    ]


def test_a_damaged_image_is_reported_and_the_others_are_compared(model, tmp_path, picture_folder):
    (picture_folder / "picture0.png").write_bytes(b"not a picture")
    with pytest.raises(SystemExit, match=r"error: 1 of 4 could not be upscaled: .*picture0\.png"):
        run(picture_folder, "--model", model)
    assert len(read_page(tmp_path).images) == 3 * 3


def test_no_comparison_is_written_without_the_option(model, tmp_path, picture_folder):
    main(["upscale", str(picture_folder), "--model", str(model), "--out", "out"])
    assert names(tmp_path) == [f"picture{number}_x2.png" for number in range(4)]
