"""Peak memory and time for large images and long videos, each in its own process.

    python benchmarks/memory.py photo png tiff photos pngs tiffs volume clips prepared [--model M]

It runs `drnsr upscale` on a `photo`, a JPEG of 24 megapixels, on a `png` of as many, on a `tiff`,
of 100 megapixels with 16 bits a channel, or on several of each up to 100 megapixels; on a `volume`,
a compressed NIfTI of 512 slices, and on a small one through all axes (`volume_all_axes`); on
`clips`, H.264 of 160 x 90 pixels with 25 frames a second and sound, of 10 and 40 seconds, and `hd`,
a second of 1920 x 1080; and the preparation of training images of 1, 10 and 100 megapixels. All are
made of noise and gradients, and removed.

The peak memory is the kernel's VmHWM, which includes the mapped pages of files.
"""

import gzip
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import nibabel
import numpy as np
import tifffile
from measuring import arguments, show
from PIL import Image

_UPSCALE = """
import sys
from pathlib import Path
from drnsr.cli import main
main(["upscale", *sys.argv[1:]])
print(Path("/proc/self/status").read_text())
"""

_SLICES = 512

# A set needs two images; the second one is small.
_PREPARE = """
import sys
from pathlib import Path
from PIL import Image
from drnsr.data.prepare import Part, prepare_training_set
picture, _, folder = map(Path, sys.argv[1:])
small = picture.with_name("small.png")
Image.new("RGB", (96, 96)).save(small)
pictures = [picture, small]
prepare_training_set([Part(pictures, 0.5)], folder, name="b", scales=[2, 3, 4])
print(Path("/proc/self/status").read_text())
"""


def photo(folder: Path, megapixels: int) -> Path:
    """Write an RGB JPEG with the aspect ratio 3:2."""
    path = folder / "photo.jpg"
    _image(megapixels).save(path, quality=90)
    return path


def png(folder: Path, megapixels: int) -> Path:
    """Write the same pixels as PNG."""
    path = folder / "photo.png"
    _image(megapixels).save(path, compress_level=1)
    return path


def _image(megapixels: int) -> Image.Image:
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    return Image.fromarray(np.concatenate(list(_bands(height, height * 3 // 2, np.uint8))))


def tiff(folder: Path, megapixels: int) -> Path:
    """Write a square RGB TIFF of 16 bits, in compressed tiles."""
    side = round((megapixels * 1e6) ** 0.5 / 256) * 256
    path = folder / f"scene{megapixels}.tif"
    tiles = (
        band[:, left : left + 256]
        for band in _bands(side, side, np.uint16)
        for left in range(0, side, 256)
    )
    tifffile.imwrite(
        path,
        tiles,
        shape=(side, side, 3),
        dtype=np.uint16,
        tile=(256, 256),
        photometric="rgb",
        compression="zlib",
    )
    return path


def volume(folder: Path, megavoxels: int) -> Path:
    """Write a NIfTI of 16 bits with 512 slices, compressed."""
    path = folder / "volume.nii.gz"
    side = round((megavoxels * 1e6 / _SLICES) ** 0.5)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((side, side, _SLICES))
    header["sform_code"] = 1
    with gzip.open(path, "wb", compresslevel=1) as file:
        header.write_to(file)
        for band in _bands(side * _SLICES, side, np.uint16):
            file.write((band[:, :, 0] // 2).astype("<i2").tobytes())
    return path


def clip(folder: Path, seconds: int) -> Path:
    """Write a video with sound."""
    return _clip(folder, seconds, (160, 90))


def hd(folder: Path, seconds: int) -> Path:
    """Write a video of 1920 x 1080 pixels with sound."""
    return _clip(folder, seconds, (1920, 1080))


def _clip(folder: Path, seconds: int, size: tuple[int, int]) -> Path:
    path = folder / "clip.mp4"
    width, height = size
    picture = np.concatenate(list(_bands(height, width, np.uint8)))
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=_RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = out.add_stream("aac", rate=48000)
        for number in range(seconds * _RATE):
            moved = np.roll(picture, 3 * number, axis=1)
            out.mux(video.encode(av.VideoFrame.from_ndarray(moved, "rgb24")))
        out.mux(video.encode(None))
        for number in range(seconds * 48000 // 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            frame.sample_rate, frame.pts = 48000, number * 1024
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


_RATE = 25  # frames a second


def _bands(height: int, width: int, dtype: type[np.generic]) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    white = np.iinfo(dtype).max  # type: ignore[type-var]
    for top in range(0, height, 256):
        rows = np.arange(top, min(top + 256, height))
        slope = np.add.outer(rows, np.arange(width)) % 1000 / 1000
        noise = random.random((len(rows), width), np.float32) * 0.2
        yield ((slope * 0.8 + noise)[:, :, None] * white).astype(dtype).repeat(3, axis=2)


def measure(picture: Path, program: str, options: list[str]) -> dict[str, object]:
    """Run a program on an image, and return its peak memory and time."""
    start = time.perf_counter()
    call = [sys.executable, "-c", program, str(picture), "--out", str(picture.parent / "out")]
    status = subprocess.run([*call, *options], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.stdout)
    assert peak is not None
    megabytes = sum(made.stat().st_size for made in (picture.parent / "out").iterdir()) / 1e6
    return {
        "picture": picture.name,
        "peak_gib": round(int(peak[1]) / 2**20, 3),
        "seconds": round(seconds, 1),
        "output_mb": round(megabytes, 1),
    }


CASES = {
    "photo": (photo, _UPSCALE, [24]),
    "tiff": (tiff, _UPSCALE, [100]),
    "png": (png, _UPSCALE, [24]),
    "photos": (photo, _UPSCALE, [1, 10, 24, 100]),
    "pngs": (png, _UPSCALE, [24, 100]),
    "tiffs": (tiff, _UPSCALE, [1, 10, 100]),
    "volume": (volume, _UPSCALE, [1, 4]),
    "volume_all_axes": (volume, _UPSCALE, [0.5]),
    "prepared": (photo, _PREPARE, [1, 10, 100]),
    "clips": (clip, _UPSCALE, [10, 40]),
    "hd": (hd, _UPSCALE, [1]),
}


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("what", nargs="+", choices=CASES)
    parser.add_argument("--model", help="the model for `drnsr upscale` (default: its own default)")
    parsed = parser.parse_args()
    model = ["--model", parsed.model] if parsed.model else []
    rows = []
    for what in parsed.what:
        make, program, sizes = CASES[what]
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                options = model if program is _UPSCALE else []
                options = [*options, "--axes", "all"] if what == "volume_all_axes" else options
                found = measure(make(Path(folder), size), program, options)
            unit = "s" if make in (clip, hd) else "megapixels"
            rows.append({"what": what, "size": f"{size} {unit}", **found})
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
