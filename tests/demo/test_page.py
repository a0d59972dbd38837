"""The page in a browser."""

import base64
import io
import os
import re
import signal
from contextlib import suppress
from pathlib import Path
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
    """The folder of the server's temporary files."""
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
def invalid(tmp_path):
    path = tmp_path / "invalid.png"
    path.write_bytes(b"this is not a picture")
    return path


@pytest.fixture
def model(tmp_path):
    """A small model with three scales."""
    path = tmp_path / "vdsr.safetensors"
    save_model(path, VDSR(scales=[2, 3, 4], num_features=4, num_layers=3), Origin())
    return str(path)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server for tests that need none of their own."""
    with served(temporary=tmp_path_factory.mktemp("temporary")) as (address, _):
        yield address


def test_a_picture_is_upscaled_compared_and_downloaded(temporary, picture, invalid, model):
    with served("--model", model, temporary=temporary) as (address, _), visitor(address) as user:
        user.upload(picture)
        user.wait(lambda: user.find_all(".stage img"))
        user.choose_model("drnsr-x2")
        assert user.find(".panel > .soft").text.startswith("For clean pictures")
        user.press("Upscale")
        user.wait(lambda: user.find_all(".slider"))
        assert "320 x 200 pixels" in user.find(".facts").text
        handle = user.find(".slider input")
        handle.send_keys(Keys.ARROW_LEFT * 20)
        clip = user.find(".slider .after").value_of_css_property("clip-path")
        assert clip == "inset(0px 0px 0px 30%)"
        result = user.download()
        assert result.name == "a cat_x2.png"
        assert Image.open(result).size == (320, 200)

        user.upload(invalid)
        user.wait(lambda: user.find(".alert").text)
        assert user.find(".alert").text.startswith("invalid.png: not a picture")
        assert user.find_all(".slider")  # the page can be used further

        user.choose_model(model)
        user.press("x3")
        assert user.find(".panel > .soft").text == ""
        user.press("Upscale")
        user.wait(lambda: "480 x 300 pixels" in user.find(".facts").text)
        assert user.find(".alert").text == ""
        assert Image.open(user.download()).size == (480, 300)
        # The files of the first result and of the invalid upload are removed.
        removed = {"a cat_x2.png", "invalid.png"}
        user.wait(lambda: removed.isdisjoint(path.name for path in files(temporary)))

        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", user.driver.page_source)
        assert not [e for e in user.driver.get_log("browser") if e["level"] == "SEVERE"]
        assert user.hosts() == {urlsplit(address).netloc}
        user.driver.execute_script("fetch('http://elsewhere.invalid/').catch(() => {})")
        user.wait(lambda: "Content Security Policy" in str(user.driver.get_log("browser")))
        user.driver.execute_script("location = 'http://elsewhere.invalid/'")
        user.wait(lambda: user.hosts() == {"elsewhere.invalid"})  # it is noticed


def test_it_can_be_used_from_the_keyboard(address, picture):
    with visitor(address) as user:
        user.wait(lambda: user.find_all(".invitation"))
        names = []
        for _ in range(3):
            user.focus().send_keys(Keys.TAB)
            names.append(user.focus().text or user.focus().accessible_name)
        assert names == ["Choose a picture", "Model", "x2"]
        user.upload(picture)
        user.wait(lambda: user.focus().text == "Upscale")
        user.focus().send_keys(Keys.ENTER)
        user.wait(lambda: user.find_all(".slider"))
        for name in ("Across", "Down"):
            before = magnified_pixels(user)
            place = user.find(f"[role=slider][aria-label={name}]")
            at_start = float(place.get_attribute("aria-valuenow")) < 50
            handle = user.find(f"[aria-label={name}] [tabindex]")
            handle.send_keys(Keys.PAGE_UP if at_start else Keys.PAGE_DOWN)
            user.wait(lambda before=before: magnified_pixels(user) != before)


def test_a_click_in_the_picture_moves_the_crop(address, picture):
    with visitor(address) as user:
        user.upload(picture)
        user.press("Upscale")
        user.wait(lambda: user.find_all(".slider"))
        result = np.asarray(Image.open(user.download()))
        corners = {
            (-1, -1): result[:CROP_HEIGHT, :CROP_WIDTH],
            (1, 1): result[-CROP_HEIGHT:, -CROP_WIDTH:],
        }
        for (x, y), expected in corners.items():
            whole = user.find(".whole")
            offset = x * (whole.size["width"] // 2 - 2), y * (whole.size["height"] // 2 - 2)
            ActionChains(user.driver).move_to_element_with_offset(whole, *offset).click().perform()
            user.wait(lambda expected=expected: magnified_pixels(user) == expected.tolist())


def test_a_dropped_file_is_uploaded(address):
    with visitor(address) as user:
        user.wait(lambda: user.find_all(".invitation"))
        user.driver.execute_script(
            """const dropped = new DataTransfer();
            dropped.items.add(new File(["no picture"], "dropped.png"));
            const event = new DragEvent("drop", {dataTransfer: dropped, bubbles: true});
            document.body.dispatchEvent(event);"""
        )
        user.wait(lambda: user.find(".alert").text.startswith("dropped.png: not a picture"))


def test_a_file_that_is_too_large_is_not_uploaded(address, tmp_path):
    with (tmp_path / "large.tif").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with visitor(address) as user:
        user.wait(lambda: user.find_all(".invitation"))
        user.upload(tmp_path / "large.tif")
        user.wait(lambda: user.find(".alert").text == "That file is larger than 100 MB.")


def test_all_files_are_removed_when_the_page_is_closed(temporary, picture):
    with served(temporary=temporary) as (address, _), visitor(address) as user:
        user.upload(picture)
        user.press("Upscale")
        user.wait(lambda: user.find_all(".slider"))
        assert {"a cat.png", "a cat_x2.png"} <= {path.name for path in files(temporary)}
        user.driver.get("about:blank")
        user.wait(lambda: not files(temporary))


@pytest.fixture
def large(tmp_path):
    """A picture that takes long enough to be stopped."""
    path = tmp_path / "large.jpg"
    Image.fromarray(data.astronaut()).resize((2000, 2000)).save(path)
    return path


def test_a_task_can_be_stopped(temporary, large):
    with served(temporary=temporary) as (address, _), visitor(address) as user:
        user.upload(large)
        user.press("Upscale")
        user.wait(lambda: "%" in user.find(".waiting").text)
        user.press("Stop")
        user.wait(lambda: user.button("Upscale").is_enabled())
        assert not user.find_all(".slider")
        assert {path.name for path in files(temporary)} == {"large.jpg", "picture.png"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux")
def test_a_picture_that_hangs_blocks_no_other_page_and_ends_with_the_server(
    temporary, large, picture
):
    served_here = served(temporary=temporary)
    with served_here as (address, process), visitor(address) as user, visitor(address) as other:
        user.upload(large)
        user.press("Upscale")
        user.wait(lambda: "%" in user.find(".waiting").text)
        [busy, *_] = sorted(workers(process.pid), key=processor_seconds, reverse=True)
        os.kill(busy, signal.SIGSTOP)  # as a decoder that never returns
        other.upload(picture)
        other.press("Upscale")
        other.wait(lambda: other.find_all(".slider"))
        assert user.find(".waiting").is_displayed()
        process.terminate()
        assert process.wait(PATIENCE) == 143
        assert not list(temporary.glob("drnsr-demo-*"))
        assert not Path(f"/proc/{busy}").exists()


def workers(server):
    """Return the processes that a server has started to work."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == server and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def processor_seconds(process):
    return sum(
        map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13])
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_server_and_all_files_are_removed(temporary, large, number, code):
    with served(temporary=temporary) as (address, process), visitor(address) as user:
        user.upload(large)
        user.press("Upscale")
        user.wait(lambda: "%" in user.find(".waiting").text)
        assert files(temporary)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == code
        assert all(line.startswith("precision: ") for line in rest.splitlines())
        assert not files(temporary)
        assert not list(temporary.glob("drnsr-demo-*"))


def magnified_pixels(user):
    """Return the pixels of the model's magnified crop."""
    source = user.find_all("figure img")[1].get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))).tolist()


def files(folder):
    """Return all files but the lock by which the server owns its folder."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
