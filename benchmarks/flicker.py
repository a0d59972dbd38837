"""Flicker of upscaled videos: how much the points of a scene change from frame to frame.

    python benchmarks/flicker.py [--model drnsr-x2 ...]

The scene is a photograph of scikit-image (NASA, public domain). It stands still, or a window pans
over it by an odd number of pixels before it is made smaller by 2, so that each frame samples other
points. Frames have noise of their own, as a camera makes it, or none, and are taken as they are or
after H.264. Measured is the warping error as PSNR (``warping.py``): more is steadier. The motion is
the known one, or estimated from the frames before they were made smaller; bicubic interpolation and
the models are measured on the same points. `change` is the PSNR of the model less that of bicubic
interpolation: below zero it adds flicker.
"""

import io
from collections.abc import Sequence
from itertools import pairwise

import av
import numpy as np
import skimage.data
from measuring import arguments, show
from warping import Motion, estimated_motion, uniform_motion, warped_psnr

from drnsr import Upscaler
from drnsr.images.resize import downscale, upscale
from drnsr.pretrained import available

_FRAMES = 12
_SIDE = 384
_STEPS = {"still": (0, 0), "pan": (5, 3)}  # columns and rows a frame, before it is made smaller
_NOISE = (0.0, 3.0, 6.0)  # standard deviations in levels of 255
_CRF = 18
_BORDER = 16  # the edge of a pan that is left out: beyond it interpolation knows nothing


def scene_frames(step: tuple[int, int]) -> list[np.ndarray]:
    """Return the large frames (H, W, 3) of a scene."""
    photograph = skimage.data.astronaut()
    places = [tuple(number * each for each in step) for number in range(_FRAMES)]
    return [photograph[top : top + _SIDE, left : left + _SIDE] for left, top in places]


def noisy(frames: Sequence[np.ndarray], noise: float) -> list[np.ndarray]:
    """Return frames with noise of their own."""
    random = np.random.default_rng(0)
    changed = (frame + random.normal(0, noise, frame.shape) for frame in frames)
    return [frame.round().clip(0, 255).astype(np.uint8) for frame in changed]


def encoded(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Encode frames as H.264, and decode them."""
    content = io.BytesIO()
    with av.open(content, "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": str(_CRF)})
        stream.height, stream.width = frames[0].shape[:2]
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        out.mux(stream.encode(None))
    content.seek(0)
    with av.open(content) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def motions_of(name: str, large: list[np.ndarray]) -> dict[str, list[Motion]]:
    """Return the motion between frames: the known one, and of a pan the estimated one."""
    border = _BORDER if any(_STEPS[name]) else 0
    known = uniform_motion((_SIDE, _SIDE), _STEPS[name], border)
    found = {"known": [known] * (_FRAMES - 1)}
    if name == "pan":
        estimated = [estimated_motion(*pair) for pair in pairwise(large)]
        found["estimated"] = [Motion(each.flow, each.is_seen & known.is_seen) for each in estimated]
    return found


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    models = [name for name in available() if name.startswith("drnsr-x2")]
    parser.add_argument("--model", nargs="+", default=models)
    parsed = parser.parse_args()
    upscalers = {name: Upscaler.from_pretrained(name, precision="fp32") for name in parsed.model}
    rows = []
    for name, step in _STEPS.items():
        large = scene_frames(step)
        small = [downscale(frame, 2) for frame in large]
        motions = motions_of(name, large)
        for noise in _NOISE if name == "pan" else _NOISE[1:]:
            clean = noisy(small, noise)
            for codec, frames in (("none", clean), (f"H.264, CRF {_CRF}", encoded(clean))):
                bicubic = [upscale(frame, 2) for frame in frames]
                for model, upscaler in upscalers.items():
                    enlarged = [upscaler(frame) for frame in frames]
                    for how, motion in motions.items():
                        of_both = [warped_psnr(each, motion) for each in (bicubic, enlarged)]
                        rows.append(
                            {
                                "scene": name,
                                "noise": noise,
                                "codec": codec,
                                "motion": how,
                                "model": model,
                                "bicubic_db": round(of_both[0], 2),
                                "model_db": round(of_both[1], 2),
                                "change": round(of_both[1] - of_both[0], 2),
                            }
                        )
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
