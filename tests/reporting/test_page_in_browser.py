"""The report in a real browser: what people do with it."""

import pytest
from selenium.webdriver.common.keys import Keys

from drnsr.reporting.page import script_of
from tests.demo.browser import CHROMEDRIVER, CHROMIUM, visitor
from tests.reporting.pages import circumstances, complete_page, page, rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM.exists() and CHROMEDRIVER.exists()),
        reason=f"needs {CHROMIUM} and {CHROMEDRIVER}",
    ),
]

_COLOURS = """return [getComputedStyle(document.body).backgroundColor,
  getComputedStyle(document.querySelector('.chart text')).fill]"""


def lightness(colour):
    numbers = colour.partition("(")[2].rstrip(")").split(",")[:3]
    return sum(map(float, numbers)) / 3


def width_of(user, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    user.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return user.driver.execute_script("return document.documentElement.scrollWidth")


def media(user, medium, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    emulated = {"media": medium, "features": features}
    user.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)


def test_the_page_is_used_and_printed(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(complete_page(tmp_path, script="times/0.js"))
    (tmp_path / "times").mkdir()
    (tmp_path / "times/0.js").write_text(script_of(circumstances()))
    with visitor(file.as_uri(), ready=".command button") as user:
        # What differs from run to run comes from the file beside the page.
        shown = user.find("main").text
        for text in ("95 s", "r1", "CPU seconds per output megapixel"):
            assert text in shown
        assert "has no times" not in shown
        assert user.hosts() == {""}  # the file alone
        # Nothing is wider than the window but what scrolls by itself.
        assert [width_of(user, width) for width in (390, 1280)] == [390, 1280]

        media(user, "screen", "light")
        background, text = map(lightness, user.driver.execute_script(_COLOURS))
        assert background - text > 150
        media(user, "screen", "dark")
        background, text = map(lightness, user.driver.execute_script(_COLOURS))
        assert text - background > 150

        handle = user.find(".slider input")
        handle.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        moved = user.driver.execute_script(
            "return getComputedStyle(document.querySelector('.slider')).getPropertyValue('--at')"
        )
        assert moved == "52%"

        user.driver.execute_cdp_cmd(
            "Browser.grantPermissions",
            {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
        )
        user.find(".command button").click()
        user.wait(lambda: user.find(".command button").text == "Copied")
        copied = user.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0])"
        )
        assert copied == "drnsr reproduce <r1>"

        details = "return [...document.querySelectorAll('details')].map(each => each.open)"
        assert not any(user.driver.execute_script(details))
        user.driver.execute_cdp_cmd("Page.printToPDF", {})
        assert all(user.driver.execute_script(details))
        media(user, "print", "dark")
        background, text = map(lightness, user.driver.execute_script(_COLOURS))
        assert background - text > 150
        assert not user.find(".command button").is_displayed()


def test_a_page_of_one_picture_with_a_long_name_fits_a_phone(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page(rows=rows({"x" * 120 + ".png": 1.0}, "y" * 80)))
    with visitor(file.as_uri(), 390, ready=".command button") as user:
        assert width_of(user, 390) == 390
