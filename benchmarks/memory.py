"""Peak memory and time for large images and long videos, each in its own process.

    python benchmarks/memory.py photo png tiff photos pngs tiffs volume clips prepared [--model M]
    python benchmarks/memory.py cube cube_gz cube_dicom scenes --small

It runs `drnsr upscale` on a `photo`, a JPEG of 24 megapixels, on a `png` of as many, on a `tiff`,
of 100 megapixels with 16 bits a channel, or on several of each up to 100 megapixels; on `scenes`,
GeoTIFF of four bands of 16 bits with a mask and 100,000 pixels a row, with overviews; on a
`volume`, a compressed NIfTI of 512 slices, and on a small one through all axes (`volume_all_axes`),
on volumes of 512 x 512 x 512 voxels, `cube` as NIfTI, `cube_gz` compressed and `cube_dicom` as a
DICOM series; on `clips`, H.264 of 160 x 90 pixels with 25 frames a second and sound, of 10 and 40
seconds, `hd`, a second of 1920 x 1080, and `uhd`, six frames of 3840 x 2160, `uhd_deep` with 10
bits. `long` is 64 x 48 pixels, of a minute and of half an hour. `encoders` writes eight frames of
7680 x 4320 of 8 and 10 bits with each codec and no network, and gives the memory beside the pixels
of a frame. `prepared` is the preparation of training images of 1, 10 and 100 megapixels. All are
made of noise and gradients, and removed.

`--small` takes an untrained network of 4 features, for what takes too long with others: what is
measured is reading, keeping and writing. A larger network adds the memory of one of its tiles.

The peak memory is the kernel's VmHWM, which includes the mapped pages of files.
"""

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import nibabel
import numpy as np
import pydicom
import rasterio
import tifffile
from measuring import arguments, peak_kilobytes, show
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from rasterio.transform import from_origin
from rasterio.windows import Window

from drnsr.networks import DRNSR
from drnsr.video.files import CODEC_NAMES
from drnsr.weights.native import Origin, save_model

_UPSCALE = """
import sys
from pathlib import Path
from drnsr.cli import main
main(["upscale", *sys.argv[1:]])
print(Path("/proc/self/status").read_text())
"""

_SLICES = 512

# Only the codec: the frames are made, and converted as those of a network are.
_ENCODE = """
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from drnsr.video.codecs import choose_encoding
from drnsr.video.colour import MATRICES, Colours
from drnsr.video.decoding import Damage
from drnsr.video.hdr import Hdr10
from drnsr.video.options import ClipOptions
from drnsr.video.segments import PartsWriter, Parts, Stamp
what, _, folder = sys.argv[1:]
name, bits = what.split()
size, is_deep = (7680, 4320), bits == "10"
Path(folder).mkdir()
info = SimpleNamespace(
    codec=name, bits=int(bits), is_deep=is_deep, rate=Fraction(25), primaries=1, transfer=1,
    width=size[0] // 2, height=size[1] // 2, hdr10=Hdr10(),
    pixel_format="yuv420p10le" if is_deep else "yuv420p",
)
encoding = choose_encoding(info, size, ClipOptions(codec=name), "mkv")
colours = Colours(MATRICES[1], full_range=False, is_deep=is_deep, size=size)
writer = PartsWriter(Parts(Path(folder)), info, encoding, colours, None)
dtype = np.uint16 if is_deep else np.uint8
rows, columns = (np.arange(side).astype(dtype) for side in size[::-1])
pixels = np.add.outer(rows, columns * 3)[:, :, None].repeat(3, axis=2)
before = Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]
for number in range(8):
    writer.write(pixels[:, ::-1] if number % 2 else pixels, Stamp(number, 1, False, Damage()))
writer.finish()
print(Path("/proc/self/status").read_text(), f"Before: {before} kB")
"""

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


def scene(folder: Path, megapixels: int) -> Path:
    """Write a GeoTIFF as wide as one of 10 gigapixels, with a mask, in compressed tiles."""
    path = folder / f"scene{megapixels}.tif"
    height, width = round(megapixels * 10 / 256) * 256, 100_000
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 4, "height": height, "width": width}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    place = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_400_000, 10, 10)}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_CACHEMAX=1024),
        rasterio.open(path, "w", **profile, **tiles, **place) as file,
    ):
        for top, band in zip(range(0, height, 256), _bands(height, width, np.uint16), strict=True):
            window = Window(0, top, width, len(band))
            for number in range(1, 5):
                file.write(band[:, :, 0] // number, number, window=window)
            file.write_mask(band[:, :, 0] % 97 > 0, window=window)
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


def cube(folder: Path, side: int) -> Path:
    """Write a NIfTI of 16 bits with equal sides."""
    path = folder / "cube.nii"
    nibabel.Nifti1Image(_cube(side), np.eye(4)).to_filename(path)
    return path


def cube_gz(folder: Path, side: int) -> Path:
    """Write the same, compressed."""
    path = folder / "cube.nii.gz"
    plain = cube(folder, side)
    with plain.open("rb") as file, gzip.open(path, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(file, packed)
    plain.unlink()
    return path


def cube_dicom(folder: Path, side: int) -> Path:
    """Write the same as a DICOM series."""
    series = folder / "cube"
    series.mkdir()
    template = pydicom.dcmread(get_testdata_file("MR_small.dcm", download=False))
    for name in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        if name in template:
            del template[name]
    template.Rows = template.Columns = side
    template.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    for number, pixels in enumerate(_cube(side).transpose(2, 1, 0)):
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        template.ImagePositionPatient = [0, 0, number]
        template.PixelData = pixels.tobytes()
        template.save_as(series / f"{number}.dcm")
    return series


def _cube(side: int) -> np.ndarray:
    bands = [band[:, :, 0] // 2 for band in _bands(side * side, side, np.uint16)]
    return np.concatenate(bands).astype(np.int16).reshape(side, side, side).transpose(2, 1, 0)


def encoder(_: Path, name: str) -> Path:
    """Return the codec and bits: the frames are made by the program that encodes them."""
    return Path(name)


def uhd(folder: Path, seconds: float) -> Path:
    """Write a video of 3840 x 2160 pixels with sound."""
    return _clip(folder, seconds, (3840, 2160))


def clip(folder: Path, seconds: int) -> Path:
    """Write a video with sound."""
    return _clip(folder, seconds, (160, 90))


def tiny_clip(folder: Path, seconds: int) -> Path:
    """Write a video of 64 x 48 pixels with sound."""
    return _clip(folder, seconds, (64, 48))


def hd(folder: Path, seconds: int) -> Path:
    """Write a video of 1920 x 1080 pixels with sound."""
    return _clip(folder, seconds, (1920, 1080))


def uhd_deep(folder: Path, seconds: float) -> Path:
    """Write the same with 10 bits."""
    return _clip(folder, seconds, (3840, 2160), "yuv420p10le")


def _clip(
    folder: Path, seconds: float, size: tuple[int, int], pixel_format: str = "yuv420p"
) -> Path:
    path = folder / "clip.mp4"
    width, height = size
    picture = np.concatenate(list(_bands(height, width, np.uint8)))
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=_RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        sound = out.add_stream("aac", rate=48000)
        for number in range(round(seconds * _RATE)):
            moved = np.roll(picture, 3 * number, axis=1)
            out.mux(video.encode(av.VideoFrame.from_ndarray(moved, "rgb24")))
        out.mux(video.encode(None))
        for number in range(round(seconds * 48000 / 1024)):
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


def measure(picture: Path, program: str, options: list[str], out: Path) -> dict[str, object]:
    """Run a program on an image, and return its peak memory and time."""
    start = time.perf_counter()
    call = [sys.executable, "-c", program, str(picture), "--out", str(out)]
    status = subprocess.run([*call, *options], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    before = re.search(r"Before:\s+(\d+) kB", status.stdout)
    kilobytes = peak_kilobytes(status.stdout) - (int(before[1]) if before else 0)
    megabytes = sum(made.stat().st_size for made in out.rglob("*") if made.is_file()) / 1e6
    return {
        "picture": picture.name,
        "peak_gib": round(kilobytes / 2**20, 3),
        "seconds": round(seconds, 1),
        "output_mb": round(megabytes, 1),
    }


_ENCODERS = [
    *(f"{name} 8" for name in CODEC_NAMES),
    *(f"{name} 10" for name in CODEC_NAMES if name != "vp9"),
]
CASES = {
    "photo": (photo, _UPSCALE, [24]),
    "tiff": (tiff, _UPSCALE, [100]),
    "png": (png, _UPSCALE, [24]),
    "photos": (photo, _UPSCALE, [1, 10, 24, 100]),
    "pngs": (png, _UPSCALE, [24, 100]),
    "tiffs": (tiff, _UPSCALE, [1, 10, 100]),
    "scenes": (scene, _UPSCALE, [26, 51, 102]),
    "volume": (volume, _UPSCALE, [1, 4]),
    "volume_all_axes": (volume, _UPSCALE, [0.5]),
    "cube": (cube, _UPSCALE, [_SLICES]),
    "cube_gz": (cube_gz, _UPSCALE, [_SLICES]),
    "cube_dicom": (cube_dicom, _UPSCALE, [_SLICES]),
    "prepared": (photo, _PREPARE, [1, 10, 100]),
    "clips": (clip, _UPSCALE, [10, 40]),
    "long": (tiny_clip, _UPSCALE, [60, 1800]),
    "hd": (hd, _UPSCALE, [1]),
    "uhd": (uhd, _UPSCALE, [0.25]),
    "uhd_deep": (uhd_deep, _UPSCALE, [0.25]),
    "encoders": (encoder, _ENCODE, _ENCODERS),
}

_UNITS = {
    clip: " s",
    tiny_clip: " s",
    hd: " s",
    uhd: " s",
    uhd_deep: " s",
    cube: "³",
    cube_gz: "³",
    cube_dicom: "³",
    encoder: "",
}


def small_model(folder: Path) -> Path:
    """Write an untrained network, which is bicubic interpolation."""
    path = folder / "small.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    return path


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("what", nargs="+", choices=CASES)
    parser.add_argument("--model", help="the model for `drnsr upscale` (default: its own default)")
    parser.add_argument("--codec", choices=CODEC_NAMES, help="the codec of the results of videos")
    parser.add_argument("--small", action="store_true", help="take a small untrained network")
    parsed = parser.parse_args()
    rows = []
    for what in parsed.what:
        make, program, sizes = CASES[what]
        for size in sizes:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                model = small_model(folder) if parsed.small else parsed.model
                options = ["--model", str(model)] if model and program is _UPSCALE else []
                options = [*options, "--axes", "all"] if what == "volume_all_axes" else options
                if parsed.codec:
                    options = [*options, "--codec", parsed.codec, "--container", "mkv"]
                options = [*options, "--overviews"] if what == "scenes" else options
                found = measure(make(folder, size), program, options, folder / "out")
            rows.append({"what": what, "size": f"{size}{_UNITS.get(make, ' megapixels')}", **found})
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
