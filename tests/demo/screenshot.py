"""Make the screenshot of the README: `python -m tests.demo.screenshot docs/demo.png`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from skimage import data

from tests.demo.browser import served, visitor

_LOADED = """return [...document.images].every(image => image.complete && image.naturalWidth)
  && document.fonts.status === "loaded";"""


def main(path: Path) -> None:
    """Upscale the astronaut by two with the shipped model."""
    with TemporaryDirectory() as folder:
        picture = Path(folder, "astronaut.png")
        Image.fromarray(data.astronaut()).save(picture)
        with served(temporary=Path(folder)) as (address, _), visitor(address, 1280, 900) as user:
            user.upload(picture)
            user.press("Upscale")
            user.wait(lambda: user.find_all(".slider"))
            user.wait(lambda: user.driver.execute_script(_LOADED))
            user.driver.save_screenshot(str(path))
    # Round the colours to steps of six, which is invisible and halves the size of the file.
    colours = np.asarray(Image.open(path).convert("RGB")).astype(int)
    coarse = ((colours + 3) // 6 * 6).clip(0, 255).astype(np.uint8)
    Image.fromarray(coarse).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
