"""Flicker of upscaled videos: how much a scene without motion changes from frame to frame.

    python benchmarks/flicker.py [--model drnsr-x2 ...]

The scene is a photograph of scikit-image, made smaller by 2. Each frame gets noise of its own, as a
camera makes it; half of the rows are encoded as H.264 before. Two upscaled frames would be equal
without noise; their PSNR is higher the less the video flickers. `change` is the PSNR of the model
less that of bicubic interpolation: below zero it adds flicker.
"""

import io
from itertools import pairwise

import av
import numpy as np
import skimage.data
from measuring import arguments, show

from drnsr import Upscaler
from drnsr.images.resize import downscale, upscale
from drnsr.pretrained import available

_FRAMES = 12
_NOISE = (3.0, 6.0)  # standard deviations in levels of 255
_CRF = 18


def noisy_frames(noise: float) -> list[np.ndarray]:
    """Return frames (H, W, 3) of a scene without motion."""
    scene = downscale(skimage.data.astronaut()[:384, :384], 2).astype(np.float64)
    random = np.random.default_rng(0)
    frames = (scene + random.normal(0, noise, scene.shape) for _ in range(_FRAMES))
    return [frame.round().clip(0, 255).astype(np.uint8) for frame in frames]


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


def steadiness(frames: list[np.ndarray]) -> float:
    """Return the PSNR in dB of neighbouring frames, over all of them."""
    errors = [np.mean((one.astype(np.float64) - other) ** 2) for one, other in pairwise(frames)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    models = [name for name in available() if name.startswith("drnsr-x2")]
    parser.add_argument("--model", nargs="+", default=models)
    parsed = parser.parse_args()
    rows = []
    for noise in _NOISE:
        clean = noisy_frames(noise)
        for codec, frames in (("none", clean), (f"H.264, CRF {_CRF}", encoded(clean))):
            bicubic = steadiness([upscale(frame, 2) for frame in frames])
            for name in parsed.model:
                upscaler = Upscaler.from_pretrained(name, precision="fp32")
                found = steadiness([upscaler(frame) for frame in frames])
                rows.append(
                    {
                        "noise": noise,
                        "codec": codec,
                        "model": name,
                        "bicubic_db": round(bicubic, 2),
                        "model_db": round(found, 2),
                        "change": round(found - bicubic, 2),
                    }
                )
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
