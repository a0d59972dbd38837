"""`prepare` for 400 photographs at scales 2, 3 and 4, compared with a script of Pillow and numpy.

    python benchmarks/prepare.py MIRROR

The script is a plain program that downscales like MATLAB: on one core, with a table of weights and
pixel indices for each axis, rounding after each pass. It writes PNG files. `prepare` also checks
and hashes the images, and writes a dataset. Both run in turn, on BSDS500's training and test
images.
"""

import tempfile
from pathlib import Path

import numpy as np
from measuring import arguments, fetched, in_turn, show
from PIL import Image

from drnsr.data.prepare import Part, prepare_training_set
from drnsr.training.trainer import seed_everything

SCALES = (2, 3, 4)


def cubic(x: np.ndarray) -> np.ndarray:
    """Return the cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return near * (x <= 1) + far * ((x > 1) & (x <= 2))


def shrink(picture: np.ndarray, axis: int, scale: int) -> np.ndarray:
    """Downscale one axis of (H, W, 3) uint8."""
    size = picture.shape[axis] // scale
    centre = (np.arange(size) + 0.5) * scale - 0.5
    first = np.floor(centre - 2 * scale)
    taps = first[:, None] + np.arange(4 * scale + 2)
    weights = cubic((centre[:, None] - taps) / scale)
    weights /= weights.sum(1, keepdims=True)
    where = taps.clip(0, picture.shape[axis] - 1).astype(int)
    moved = np.moveaxis(picture, axis, 0).astype(float)
    result = np.einsum("st,st...->s...", weights, moved[where], optimize=True)
    rounded = np.clip(np.floor(result + 0.5), 0, 255).astype(np.uint8)
    return np.moveaxis(rounded, 0, axis)


def script(pictures: list[Path], folder: Path) -> None:
    """Write the LR images as the plain program does."""
    folder.mkdir(exist_ok=True)
    for path in pictures:
        picture = np.asarray(Image.open(path).convert("RGB"))
        for scale in SCALES:
            height, width = (side - side % scale for side in picture.shape[:2])
            lr = shrink(shrink(picture[:height, :width], 0, scale), 1, scale)
            Image.fromarray(lr).save(folder / f"{path.stem}x{scale}.png")


def main() -> None:
    """Measure both, and print."""
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parser.add_argument("--pictures", type=int, default=400)
    parsed = parser.parse_args()
    seed_everything(0, threads=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures: list[Path] = []
        for part in ("train", "test"):
            pictures += fetched(f"bsds500_{part}", parsed.mirror, folder)
        pictures = pictures[: parsed.pictures]

        def ours() -> None:
            prepare_training_set(
                [Part(pictures, 0.025)], folder / "dataset", name="b", scales=SCALES
            )

        ways = {"script": lambda: script(pictures, folder / "png"), "ours": ours}
        seconds = in_turn(ways, parsed.rounds)
    show(
        [
            {
                "images": len(pictures),
                "script s": round(seconds["script"], 1),
                "prepare s": round(seconds["ours"], 1),
                "ratio": round(seconds["script"] / seconds["ours"], 2),
            }
        ],
        parsed.json,
    )


if __name__ == "__main__":
    main()
