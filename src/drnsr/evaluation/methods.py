"""The methods that can be measured: interpolation, models, and pictures made elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.data.prepared import PreparedDataset
from drnsr.errors import UserError
from drnsr.evaluation.benchmark import Method, bicubic
from drnsr.evaluation.protocol import Protocol
from drnsr.images.colour import gray_to_rgb
from drnsr.images.files import SUFFIXES, read_image
from drnsr.images.picture import Limit, ValueRange, from_array
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.resize import Picture, pillow_resize
from drnsr.inference.engine import ScaleError, TorchEngine
from drnsr.inference.precision import PrecisionChoice
from drnsr.inference.tiling import Tiling
from drnsr.networks import Network
from drnsr.weights.loading import load_network

CLASSICAL = ("bicubic", "nearest", "lanczos")


class MethodError(UserError):
    """A method cannot be measured as requested."""


def classical_method(name: str, scale: int, protocol: Protocol) -> Method:
    """Return bicubic (MATLAB's), nearest neighbour, or Lanczos (Pillow's, three lobes)."""
    if name == "bicubic":
        return bicubic(scale, protocol)
    upscale: dict[str, Callable[[Picture], Picture]] = {
        "nearest": lambda lr: lr.repeat(scale, axis=0).repeat(scale, axis=1),
        "lanczos": lambda lr: pillow_resize(
            lr, lr.shape[0] * scale, lr.shape[1] * scale, Image.Resampling.LANCZOS
        ),
    }
    return Method(name, upscale[name], takes="any")


def network_method(
    network: Network,
    scale: int,
    name: str,
    device: str = "cpu",
    precision: PrecisionChoice = "fp32",
) -> Method:
    """Return a network as a method; a network on luma can be measured by any protocol.

    A network for several bands takes those alone; any other takes bands one by one.

    Args:
        network: the network.
        scale: the factor of the super-resolution.
        name: in tables.
        device: torch's name of the device it runs on.
        precision: in which it computes.

    Raises:
        ScaleError: if the network does not have the scale.
        DeviceError: if the device is not available.
        PrecisionError: if the network does not support the precision.
    """
    descriptor = network.descriptor
    takes: Literal["rgb", "any"] = "rgb" if descriptor.colour == "RGB" else "any"
    tiling = Tiling(TorchEngine(network, scale, device, precision), tile="off")

    def adapt(pixels: PixelFormat) -> Callable[[Picture], Picture]:
        if descriptor.colour == "bands" and descriptor.channels not in (1, pixels.channels):
            raise MethodError(f"takes {descriptor.pixels.text}, and there are {pixels.text}")
        channels = None if pixels == RGB8 else pixels.layout
        seen = _seen_range(network.pixels, pixels)
        return lambda lr: tiling.upscale(replace(from_array(lr, channels), value_range=seen))

    return Method(name, lambda lr: adapt(RGB8)(lr), takes, adapt)


def _seen_range(trained: PixelFormat, benchmark: PixelFormat) -> ValueRange:
    """Return the prepared values of a benchmark that a network sees as 0 and 1.

    They are the same values in the files that it was trained on, unless it is one for photographs.
    """
    if trained == RGB8 or benchmark == RGB8:
        return benchmark.stored_range
    low, high, black, white = map(np.array, (*benchmark.value_range, *benchmark.stored_range))
    step = (white - black) / (high - low)
    first, last = ((np.array(value) - low) * step + black for value in trained.value_range)
    return _limit(first), _limit(last)


def _limit(values: NDArray[np.float64]) -> Limit:
    return tuple(map(float, values)) if values.ndim else float(values)


def model_method(
    path: Path, scale: int, name: str, device: str = "cpu", precision: PrecisionChoice = "fp32"
) -> Method:
    """Return a file of weights, ours or foreign, as a method.

    Args:
        path: the file.
        scale: the factor of the super-resolution.
        name: in tables.
        device: torch's name of the device it runs on.
        precision: in which it computes.

    Raises:
        ModelFileError: if it is not a model, or cannot be read.
        MethodError: if it does not have the scale.
        DeviceError: if the device is not available.
        PrecisionError: if the network does not support the precision.
    """
    try:
        return network_method(load_network(path), scale, name, device, precision)
    except ScaleError as error:
        raise MethodError(f"{path}: {error}") from error


def pictures_method(folder: Path, dataset: PreparedDataset, protocol: Protocol) -> Method:
    """Return pictures that another tool upscaled as a method.

    Args:
        folder: of the pictures, named like those of the benchmark with any suffix.
        dataset: the benchmark, whose pictures must be measured in its order.
        protocol: says whether gray is compared as RGB.

    Raises:
        MethodError: if a picture is missing, or two have its name.
    """
    if not folder.is_dir():
        raise MethodError(f"{folder}: there is no such folder of pictures")
    files: dict[str, Path] = {}
    wanted = {Path(image.name).stem for image in dataset.images}
    for path in sorted(folder.iterdir()):
        if path.stem not in wanted or path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in files:
            raise MethodError(f"{files[path.stem]} and {path} have one name; remove one of them")
        files[path.stem] = path
    missing = [image.name for image in dataset.images if Path(image.name).stem not in files]
    if missing:
        raise MethodError(f"{folder}: no picture for {', '.join(missing)} of {dataset.name}")
    pictures = iter([files[Path(image.name).stem] for image in dataset.images])

    def read_next(_: Picture) -> Picture:
        picture = read_image(next(pictures))
        return gray_to_rgb(picture) if protocol.gray == "as_rgb" else picture

    return Method(folder.as_posix(), read_next, takes="rgb")
