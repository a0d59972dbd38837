"""The page in a real browser."""

import base64
import io
import re
import signal
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from skimage import data

from drnsr.demo.tasks import MAX_BYTES
from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH
from drnsr.networks import VDSR
from drnsr.weights.native import Origin, save_model
from tests.demo.browser import CHROMEDRIVER, CHROMIUM, PATIENCE, served, visitor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM.exists() and CHROMEDRIVER.exists()),
        reason=f"needs {CHROMIUM} and {CHROMEDRIVER}",
    ),
]


@pytest.fixture
def temporary(tmp_path):
    """Where the server has its temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def picture(tmp_path):
    """A photograph of 160 x 100 pixels."""
    path = tmp_path / "a cat.png"
    Image.fromarray(data.chelsea()[80:180, 100:260]).save(path)
    return path


@pytest.fixture
def rubbish(tmp_path):
    path = tmp_path / "rubbish.png"
    path.write_bytes(b"this is no picture")
    return path


@pytest.fixture
def model(tmp_path):
    """A small network of three scales."""
    path = tmp_path / "vdsr.safetensors"
    save_model(path, VDSR(scales=[2, 3, 4], num_features=4, num_layers=3), Origin())
    return str(path)


def test_a_picture_is_enlarged_compared_and_downloaded(temporary, picture, rubbish, model):
    with served("--model", model, temporary=temporary) as (address, _), visitor(address) as person:
        person.upload(picture)
        person.wait(lambda: person.find_all(".stage img"))
        person.choose_model("drnsr-x2")
        person.press("Upscale")
        person.wait(lambda: person.find_all(".slider"))
        assert "320 x 200 pixels" in person.find(".facts").text
        handle = person.find(".slider input")
        handle.send_keys(Keys.ARROW_LEFT * 20)
        clip = person.find(".slider .after").value_of_css_property("clip-path")
        assert clip == "inset(0px 0px 0px 30%)"
        made = person.download()
        assert made.name == "a cat_x2.png"
        assert Image.open(made).size == (320, 200)

        person.upload(rubbish)
        person.wait(lambda: person.find(".alert").text)
        assert person.find(".alert").text.startswith("rubbish.png: not a picture")
        assert person.find_all(".slider")  # the page goes on

        person.choose_model(model)
        person.press("x3")
        person.press("Upscale")
        person.wait(lambda: "480 x 300 pixels" in person.find(".facts").text)
        assert person.find(".alert").text == ""
        assert Image.open(person.download()).size == (480, 300)
        # Of what was shown before nothing is left, nor of the file that was no picture.
        gone = {"a cat_x2.png", "rubbish.png"}
        person.wait(lambda: gone.isdisjoint(path.name for path in files(temporary)))

        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", person.driver.page_source)
        assert not [e for e in person.driver.get_log("browser") if e["level"] == "SEVERE"]
        assert person.hosts() == {urlsplit(address).netloc}
        person.driver.execute_script("fetch('http://elsewhere.invalid/').catch(() => {})")
        person.wait(lambda: person.hosts() == {"elsewhere.invalid"})  # it would have been seen


def test_it_can_be_used_from_the_keyboard(temporary, picture):
    with served(temporary=temporary) as (address, _), visitor(address) as person:
        person.wait(lambda: person.find_all(".invitation"))
        names = []
        for _ in range(3):
            person.focus().send_keys(Keys.TAB)
            names.append(person.focus().text or person.focus().accessible_name)
        assert names == ["Choose a picture", "Model", "x2"]
        person.upload(picture)
        person.wait(lambda: person.focus().text == "Upscale")
        person.focus().send_keys(Keys.ENTER)
        person.wait(lambda: person.find_all(".slider"))
        for name in ("Across", "Down"):
            before = pixels_shown(person)
            place = person.find(f"[role=slider][aria-label={name}]")
            at_start = float(place.get_attribute("aria-valuenow")) < 50
            handle = person.find(f"[aria-label={name}] [tabindex]")
            handle.send_keys(Keys.PAGE_UP if at_start else Keys.PAGE_DOWN)
            person.wait(lambda before=before: pixels_shown(person) != before)


def test_a_click_in_the_picture_shows_the_pixels_there(temporary, picture):
    with served(temporary=temporary) as (address, _), visitor(address) as person:
        person.upload(picture)
        person.press("Upscale")
        person.wait(lambda: person.find_all(".slider"))
        made = np.asarray(Image.open(person.download()))
        corners = {
            (-1, -1): made[:CROP_HEIGHT, :CROP_WIDTH],
            (1, 1): made[-CROP_HEIGHT:, -CROP_WIDTH:],
        }
        for (x, y), wanted in corners.items():
            whole = person.find(".whole")
            offset = x * (whole.size["width"] // 2 - 2), y * (whole.size["height"] // 2 - 2)
            ActionChains(person.driver).move_to_element_with_offset(
                whole, *offset
            ).click().perform()
            person.wait(lambda wanted=wanted: pixels_shown(person) == wanted.tolist())


def test_what_is_dropped_is_taken(temporary):
    with served(temporary=temporary) as (address, _), visitor(address) as person:
        person.wait(lambda: person.find_all(".invitation"))
        person.driver.execute_script(
            """const dropped = new DataTransfer();
            dropped.items.add(new File(["no picture"], "dropped.png"));
            const event = new DragEvent("drop", {dataTransfer: dropped, bubbles: true});
            document.body.dispatchEvent(event);"""
        )
        person.wait(lambda: person.find(".alert").text.startswith("dropped.png: not a picture"))


def test_a_file_that_is_too_large_is_not_sent(temporary, tmp_path):
    with (tmp_path / "large.tif").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with served(temporary=temporary) as (address, _), visitor(address) as person:
        person.wait(lambda: person.find_all(".invitation"))
        person.upload(tmp_path / "large.tif")
        person.wait(lambda: person.find(".alert").text == "That file is larger than 100 MB.")


def test_nothing_is_left_when_the_page_is_closed(temporary, picture):
    with served(temporary=temporary) as (address, _), visitor(address) as person:
        person.upload(picture)
        person.press("Upscale")
        person.wait(lambda: person.find_all(".slider"))
        assert {"a cat.png", "a cat_x2.png"} <= {path.name for path in files(temporary)}
        person.driver.get("about:blank")
        person.wait(lambda: not files(temporary))


@pytest.fixture
def large(tmp_path):
    """A picture that takes long enough to be stopped on the way."""
    path = tmp_path / "large.jpg"
    Image.fromarray(data.astronaut()).resize((2000, 2000)).save(path)
    return path


def test_work_can_be_stopped(temporary, large):
    with served(temporary=temporary) as (address, _), visitor(address) as person:
        person.upload(large)
        person.press("Upscale")
        person.wait(lambda: "%" in person.find(".waiting").text)
        person.press("Stop")
        person.wait(lambda: person.button("Upscale").is_enabled())
        assert not person.find_all(".slider")
        assert {path.name for path in files(temporary)} == {"large.jpg", "picture.png"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_nothing_is_left(temporary, large, number, code):
    with served(temporary=temporary) as (address, process), visitor(address) as person:
        person.upload(large)
        person.press("Upscale")
        person.wait(lambda: "%" in person.find(".waiting").text)
        assert files(temporary)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == code
        assert rest == ""
        assert not files(temporary)
        assert not list(temporary.glob("drnsr-demo-*"))


def pixels_shown(person):
    """Of the model, in the part that is shown pixel by pixel."""
    source = person.find_all("figure img")[1].get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))).tolist()


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]
