"""Draw the picture of docs/degradations.md.

    python docs/degradation_grid.py docs/degradations.jpg

A crop of the astronaut (NASA, public domain) at scale 2, degraded several times, each with the
steps that were drawn. The LR pixels are shown three times as large.
"""

import sys

import numpy as np
from PIL import Image
from skimage.data import astronaut

from drnsr.config.compose import load_option
from drnsr.degradation.drawing import apply_steps, draw_steps
from drnsr.degradation.parameters import Degradation
from drnsr.images.resize import downscale
from drnsr.reporting.drawing import INK, draw_text, magnify

CROP = (slice(20, 180), slice(150, 310))  # the face
SCALE, ENLARGED, COLUMNS = 2, 3, 4
SIDE = 80 * ENLARGED
LINE, GAP = 15, 12


def cell(lr: np.ndarray, lines: list[str]) -> Image.Image:
    """Return an LR crop with lines of text below it."""
    made = Image.new("RGB", (SIDE, SIDE + LINE * (len(lines) + 1)), "white")
    made.paste(magnify(Image.fromarray(lr), ENLARGED))
    for number, line in enumerate(lines):
        draw_text(made, (0, SIDE + 4 + LINE * number), line, 12, INK, SIDE)
    return made


def degraded(name: str, seed: int, hr: np.ndarray) -> Image.Image:
    """Return a crop after the steps of a seed, which stand below it."""
    degradation = Degradation(**load_option("degradation", name))
    random = np.random.default_rng(seed)
    steps = draw_steps(degradation, random)
    lr = apply_steps(steps, hr, SCALE, random)
    return cell(lr, [f"{name} {seed}", *map(str, steps)])


def main() -> None:
    """Draw a row of `realistic` after bicubic, and a row of `second_order`."""
    hr = astronaut()[CROP]
    first = [cell(downscale(hr, SCALE), ["bicubic"])]
    first += [degraded("realistic", seed, hr) for seed in range(COLUMNS - 1)]
    second = [degraded("second_order", seed, hr) for seed in range(COLUMNS)]
    heights = [max(each.height for each in row) for row in (first, second)]
    page = Image.new("RGB", ((SIDE + GAP) * COLUMNS - GAP, sum(heights)), "white")
    for row, top in ((first, 0), (second, heights[0])):
        for column, each in enumerate(row):
            page.paste(each, (column * (SIDE + GAP), top))
    page.save(sys.argv[1], quality=88, subsampling=0)


if __name__ == "__main__":
    main()
