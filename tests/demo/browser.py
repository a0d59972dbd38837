"""End-to-end tests of the demo: `drnsr demo` in a process of its own, and Chromium."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.conftest import PROJECT, free_port

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
PATIENCE = 300.0  # seconds; a busy machine is much slower than an idle one

_QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)

# Schemes of URLs that cause no network traffic.
_LOCAL_SCHEMES = ("about", "blob", "chrome", "chrome-untrusted", "data")


@contextmanager
def served(*arguments: str, temporary: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `drnsr demo` on a free port; yield its URL and the process."""
    port = free_port()
    program = "from drnsr.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "TMPDIR": str(temporary)}
    environment.pop("PYTEST_CURRENT_TEST", None)  # NiceGUI changes its behaviour in tests
    process = subprocess.Popen(
        [sys.executable, "-c", program, "demo", "--port", str(port), *arguments],
        env=environment,
        cwd=temporary,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"http://127.0.0.1:{port} (Ctrl-C ends it)\n"
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


class Visitor:
    """A user of the page, who acts in Chromium."""

    def __init__(self, driver: webdriver.Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def upload(self, file: Path) -> None:
        self.find("input[type=file]").send_keys(str(file))

    def press(self, text: str) -> None:
        self.wait(lambda: self.button(text).is_enabled())
        self.button(text).click()

    def choose_model(self, name: str) -> None:
        self.find(".q-select").click()
        self.wait(lambda: [each for each in self.find_all(".q-item") if each.text == name])
        [item] = [each for each in self.find_all(".q-item") if each.text == name]
        item.click()

    def download(self) -> Path:
        """Press the download button and return the complete file."""
        link = self.find("a[download]")
        file = self.downloads / link.get_attribute("download")
        link.click()
        self.wait(file.exists)  # an incomplete file has another name
        return file

    def focus(self):
        return self.driver.switch_to.active_element

    def button(self, text: str):
        return self.driver.find_element(
            By.XPATH, f"//*[contains(@class, 'q-btn') and normalize-space()='{text}']"
        )

    def find(self, css: str):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def find_all(self, css: str):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def wait(self, condition):
        """Wait until a condition is true, and return its value."""
        return WebDriverWait(self.driver, PATIENCE, 0.1).until(lambda _: condition())

    def hosts(self) -> set[str]:
        """Return the hosts that the browser has contacted since the last call."""
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                urls.append(message["params"]["url"])
        return {urlsplit(url).netloc for url in urls if urlsplit(url).scheme not in _LOCAL_SCHEMES}


@contextmanager
def visitor(
    address: str, width: int = 1280, height: int = 900, ready: str = "input[type=file]"
) -> Iterator[Visitor]:
    """Open a URL in Chromium with a new profile and this window size.

    Args:
        address: the URL.
        width: of the window.
        height: of the window.
        ready: selects what the page has once it is built.
    """
    with TemporaryDirectory() as profile, TemporaryDirectory() as downloads:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for argument in (*_QUIET, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": downloads})
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
        try:
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            driver.get(address)
            user = Visitor(driver, Path(downloads))
            user.wait(lambda: user.find_all(ready))
            yield user
        finally:
            driver.quit()
