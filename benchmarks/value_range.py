"""The loss of PSNR if the white of a TIFF of 16 bits is not 65535, by the range that is given.

    python benchmarks/value_range.py MIRROR --scale 2

The images of Set5 and Set14 are downscaled, and both sizes are written with white at several
values. `drnsr upscale` with the shipped model upscales each, with the measured range and with
ranges that a user could give. PSNR is that of all channels, with the white value as its peak.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from measuring import arguments, fetched, show

from drnsr.images.files import read_image
from drnsr.images.resize import crop_to_multiple, downscale
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions

WHITES = (255, 400, 1000, 1500, 3000, 65_535)
_BORDER = 8  # HR pixels that are not compared

Range = tuple[float, float]


def psnr(made: np.ndarray, wanted: np.ndarray, white: int) -> float:
    """Return the PSNR in dB."""
    inner = slice(_BORDER, -_BORDER)
    return float(10 * np.log10(white**2 / np.mean((made - wanted)[inner, inner] ** 2)))


def measure(pictures: list[Path], models: Models, scale: int, white: int) -> dict[str, object]:
    """Upscale all images with one white value, with each range."""
    ways: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.tif", Path(folder) / "b.tif"
        for path in pictures:
            wanted = crop_to_multiple(read_image(path), scale) / 255 * white
            low = downscale(wanted, scale).round().clip(0, white).astype(np.uint16)
            tifffile.imwrite(source, low.squeeze(), metadata=None)
            asked: dict[str, Range | None] = {
                "0 to 65535": (0, 65_535),
                "--range 0 WHITE": (0, white),
                "--range 0 MAX": (0, float(low.max())),
                "--range MIN MAX": (float(low.min()), float(low.max())),
                "measured": None,
            }
            for name, value_range in asked.items():
                work = UpscaleSpec(models, OutputSize(scale=scale), value_range)
                upscale_file(source, target, work, lambda _: None, lambda _: None)
                made = tifffile.imread(target).reshape(wanted.shape).astype(np.float64)
                ways.setdefault(name, []).append(psnr(made, wanted, white))
    means = {name: float(np.mean(values)) for name, values in ways.items()}
    best = max((name for name in means if name.startswith("--")), key=means.__getitem__)
    below = np.subtract(ways["measured"], ways[best])
    return {
        "white": white,
        **{name: round(mean, 2) for name, mean in means.items()},
        "measured - best range": round(float(below.mean()), 3),
        "in the worst image": round(float(below.min()), 3),
    }


def main() -> None:
    """Measure, print the table and write JSON."""
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("mirror", help="the mirror of the benchmark files")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=2)
    parsed: argparse.Namespace = parser.parse_args()
    with TemporaryDirectory() as folder:
        pictures = [
            path
            for name in ("set5", "set14")
            for path in fetched(f"{name}_x{parsed.scale}", parsed.mirror, Path(folder))
        ]
        models = Models.shipped(RuntimeOptions())
        rows = [measure(pictures, models, parsed.scale, white) for white in WHITES]
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
