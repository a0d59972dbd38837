"""Make docs/gallery.md and its pictures: `python -m docs.generate.gallery`.

The pictures are free: those of the data set `sample_test`, from the wheels of scikit-image and
scikit-learn. Each is made smaller, and enlarged again by bicubic interpolation and by models that
come with the package. The crop is the one with the largest error of bicubic interpolation, so that
no model influences the choice.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr import Upscaler
from drnsr.config.compose import compose_benchmarks, load_option
from drnsr.data.registry import fetch_registry
from drnsr.degradation.drawing import apply_steps, draw_steps
from drnsr.degradation.parameters import Degradation
from drnsr.evaluation.metrics import psnr
from drnsr.evaluation.protocol import get_protocol
from drnsr.images.resize import upscale
from drnsr.reporting.drawing import FAINT_INK, INK, draw_text
from drnsr.reporting.pictures import hardest_crop

ROOT = Path(__file__).resolve().parents[2]
PAGE, FOLDER = ROOT / "docs/gallery.md", ROOT / "docs/gallery"

PANEL, GAP, CAPTION = 264, 10, 42
CROP = 66  # pixels of the original: a multiple of 2 and 3; magnified four times
PROTOCOL = get_protocol("paper_y")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """A row of panels: a picture of the benchmark, a scale, and models.

    Attributes:
        picture: the name of the file.
        scale: the factor.
        models: names of shipped models.
        degradation: how LR is made; without one by MATLAB's bicubic alone.
    """

    picture: str
    scale: int
    models: tuple[str, ...]
    degradation: str | None = None

    @property
    def name(self) -> str:
        """The name of the file, without its suffix."""
        return f"{Path(self.picture).stem}_x{self.scale}" + ("_photo" if self.degradation else "")


CLEAN = [
    Row("astronaut.png", 2, ("drnsr-x2",)),
    Row("flower.jpg", 2, ("drnsr-x2",)),
    Row("chelsea.png", 3, ("drnsr-x3",)),
    Row("coffee.png", 4, ("drnsr-x4",)),
]
DEGRADED = [
    Row("astronaut.png", 2, ("drnsr-x2", "drnsr-x2-photo"), "realistic"),
    Row("coffee.png", 4, ("drnsr-x4", "drnsr-x4-photo"), "realistic"),
]
TEXT = """\
# Gallery

Made by `python -m docs.generate.gallery` from free pictures. Each was made smaller, and enlarged
again. The crop is the one with the largest error of bicubic interpolation. PSNR is that of the
whole picture, by [`paper_y`](protocols.md).

## Clean pictures

LR is the bicubic of the original, as in the papers.

{clean}
## Photographs

LR is also blurred, noisy and compressed ([degradation](degradations.md) `realistic`). The models
for clean pictures enlarge the noise with the picture; those for photographs do not.

{degraded}
The cards of [drnsr-x2-photo](../src/drnsr/pretrained/drnsr-x2-photo.md) and
[drnsr-x4-photo](../src/drnsr/pretrained/drnsr-x4-photo.md) have more, and the pages on
[degradations](degradations.md) and [the first run](first_steps.md) too.
"""


def panels(row: Row, original: Pixels) -> Image.Image:
    """Draw bicubic, the models and the original of a row side by side."""
    made = None
    if row.degradation is not None:
        degradation = Degradation(**load_option("degradation", row.degradation))
        random = np.random.default_rng(0)
        whole = original[: original.shape[0] // row.scale * row.scale]
        whole = whole[:, : whole.shape[1] // row.scale * row.scale]
        made = apply_steps(draw_steps(degradation, random), whole, row.scale, random)
    lr, hr = PROTOCOL.prepare(original, row.scale, made)
    results = {"bicubic": upscale(lr, row.scale)}
    for model in row.models:
        # fp32: the same picture on every machine
        results[model] = Upscaler.from_pretrained(model, precision="fp32")(lr)
    top, left = hardest_crop(hr, results["bicubic"], CROP, multiple=row.scale)
    shown = [
        (name, f"{psnr(*PROTOCOL.compared_planes(pixels, hr, row.scale)):.2f} dB", pixels)
        for name, pixels in results.items()
    ]
    shown.append(("original", "", hr))
    width = len(shown) * (PANEL + GAP) - GAP
    canvas = Image.new("RGB", (width, PANEL + CAPTION), "white")
    for number, (name, score, pixels) in enumerate(shown):
        crop = Image.fromarray(pixels[top : top + CROP, left : left + CROP])
        x = number * (PANEL + GAP)
        canvas.paste(crop.resize((PANEL, PANEL), Image.Resampling.NEAREST), (x, 0))
        draw_text(canvas, (x + 4, PANEL + 4), name, 15, INK)
        draw_text(canvas, (x + 4, PANEL + 23), score, 13, FAINT_INK)
    return canvas


def entry(row: Row, licence: str) -> str:
    """Return the row in Markdown."""
    names = ", ".join(("bicubic", *row.models, "original"))
    return (
        f"![{Path(row.picture).stem}: {names}](gallery/{row.name}.webp)\n\n"
        f"*Scale {row.scale}. Picture: {licence}.*\n"
    )


def main() -> None:
    """Draw all rows, and write the page."""
    FOLDER.mkdir(exist_ok=True)
    benchmark = compose_benchmarks("sample_test", 2)["sample_test"]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        fetch_registry(ROOT / str(benchmark.registry), Path(folder) / "downloads", raw)
        for row in (*CLEAN, *DEGRADED):
            original = np.array(Image.open(raw / row.picture).convert("RGB"))
            panels(row, original).save(FOLDER / f"{row.name}.webp", quality=90, method=6)
    lists = {"clean": CLEAN, "degraded": DEGRADED}
    PAGE.write_text(
        TEXT.format(
            **{
                name: "\n".join(entry(row, benchmark.licences[row.picture]) for row in rows)
                for name, rows in lists.items()
            }
        )
    )


if __name__ == "__main__":
    main()
