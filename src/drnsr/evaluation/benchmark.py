"""The measurement of super-resolution methods on a benchmark."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.data.parallel import map_in_order
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.errors import SignalError, UserError
from drnsr.evaluation.metrics import Metric, Values, known_metrics, reported_metrics
from drnsr.evaluation.protocol import Protocol, ProtocolError
from drnsr.evaluation.structural import Planes
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.resize import Picture, upscale

# The window of SSIM must fit between the borders that the protocol leaves out.
_SMALLEST_SIDE = 11


@dataclass(frozen=True)
class Method:
    """A super-resolution method.

    Attributes:
        name: in tables.
        upscale: from LR (h, w, C) to (scale*h, scale*w, C). It returns an integer type for the same
            type, and for floating point floating point that is neither rounded nor clipped.
        takes: "rgb" if it cannot upscale luma alone; every method takes a gray picture.
        adapt: returns ``upscale`` for pixels of another format than 8-bit RGB; None if it is the
            same.
    """

    name: str
    upscale: Callable[[Picture], Picture]
    takes: Literal["rgb", "any"] = "rgb"
    adapt: Callable[[PixelFormat], Callable[[Picture], Picture]] | None = None


def bicubic(scale: int, protocol: Protocol) -> Method:
    """Return the baseline, with the padding at the border that the protocol has."""
    border = protocol.resize_border
    return Method("bicubic", lambda lr: upscale(lr, scale, border=border), takes="any")


@dataclass(frozen=True)
class Result:
    """The result of one method for one picture.

    Attributes:
        picture: (H, W, C) uint8, for display; the values may come from more than 8 bits.
        values: of the metrics, measured by the protocol.
    """

    picture: NDArray[np.uint8]
    values: Values


@dataclass(frozen=True)
class Measured:
    """One picture of a benchmark with the results of all methods.

    Attributes:
        name: the name of the picture.
        lr: (h, w, C) uint8, for display.
        hr: (scale*h, scale*w, C) uint8, for display.
        pixels: the number of pixels that were compared.
        results: by the name of the method.
        shown: which bands are displayed, in words; empty for 8-bit RGB and gray.
    """

    name: str
    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    pixels: int
    results: dict[str, Result]
    shown: str = ""


def measure(
    dataset: PreparedDataset,
    methods: Sequence[Method],
    *,
    scale: int,
    protocol: Protocol,
    metrics: Sequence[Metric] | None = None,
    workers: int | None = None,
    numbers: Sequence[int] | None = None,
) -> Iterator[Measured]:
    """Measure methods on each picture of a benchmark, in the order of the benchmark.

    The methods are called in the calling thread, one after another: a network uses all cores, or a
    GPU, by itself. Meanwhile threads compute the metrics of the pictures before. The numbers depend
    neither on the threads nor on their number.

    Args:
        dataset: the originals of the benchmark.
        methods: the methods, all measured on the same pictures.
        scale: the factor of the super-resolution.
        protocol: how to measure.
        metrics: the metrics to compute; None for all that are ``reported``.
        workers: threads for the metrics; by default as many as there are cores, at most 8.
        numbers: the pictures to measure; None for all.

    Raises:
        DataError: if a picture is too small to be measured, or cannot be upscaled or measured, or a
            result has another size; the message names the picture.
        ProtocolError: if a method or a metric is not defined for the channels of the protocol, or
            the protocol not for the degraded LR of the benchmark.
    """
    metrics = reported_metrics(protocol.measured_on) if metrics is None else metrics
    for method in methods:
        if method.takes == "rgb" and protocol.computed_on == "y":
            raise ProtocolError(
                f"protocol {protocol.name}: {method.name} takes RGB, and here LR is luma alone;"
                " measure it with paper_y"
            )
    for metric in metrics:
        protocol.comparing(metric.measured_on, metric.label)
    check_measurable(dataset, scale, protocol)

    def compare(upscaled: _Upscaled) -> Measured:
        return _compare(upscaled, scale, protocol, metrics, dataset.pixels)

    numbers = range(len(dataset.images)) if numbers is None else numbers
    upscaled_pictures = _upscale(dataset, numbers, methods, scale, protocol)
    yield from map_in_order(compare, upscaled_pictures, workers=workers)


def check_measurable(dataset: PreparedDataset, scale: int, protocol: Protocol) -> None:
    """Check before any work that each picture can be measured by the protocol.

    Args:
        dataset: the originals of the benchmark.
        scale: the factor of the super-resolution.
        protocol: how to measure.

    Raises:
        DataError: if a picture is too small, or degraded LR has another scale.
        ProtocolError: if the protocol is for 8-bit RGB, and the pictures are not; or if LR is
            degraded, and the protocol is defined by how it makes LR.
    """
    protocol.check_pixels(dataset.name, dataset.pixels)
    if dataset.degradation is not None:
        protocol.check_degraded()
        if scale not in dataset.scales:
            raise DataError(
                f"{dataset.name} is degraded at the scales {dataset.scales}, not at {scale}; add it"
                " to data.scales and run `dvc repro prepare`"
            )
    for image in dataset.images:
        side = min(image.height, image.width) // scale * scale - 2 * protocol.border(scale)
        if side < _SMALLEST_SIDE:
            raise DataError(
                f"{image.name} of {dataset.name} has {image.width} x {image.height} pixels:"
                f" too small to be measured at scale {scale}"
            )


def mean_values(
    values: Sequence[Values], pixels: Sequence[int], protocol: Protocol
) -> dict[str, float | None]:
    """Average the metrics of a set.

    Args:
        values: those of each picture, all with the same metrics.
        pixels: the number that was compared in each picture.
        protocol: see :func:`mean_value`.
    """
    return {
        metric.name: mean_value(metric, [each[metric.name] for each in values], pixels, protocol)
        for metric in known_metrics(values[0])
    }


def mean_value(
    metric: Metric, values: Sequence[float | None], pixels: Sequence[int], protocol: Protocol
) -> float | None:
    """Average a metric over the pictures of a set for which it is defined.

    Args:
        metric: the metric.
        values: the value of each picture.
        pixels: the number that was compared in each picture.
        protocol: says whether PSNR is the mean over the pictures or that of all pixels at once;
            a metric that cannot be pooled is always averaged over the pictures.

    Returns:
        The mean; None if the metric is defined for none of them.
    """
    defined = [
        (value, count) for value, count in zip(values, pixels, strict=True) if value is not None
    ]
    if not defined:
        return None
    if metric.pool is None or protocol.mean_over == "pictures":
        return fmean(value for value, _ in defined)
    return metric.pool([value for value, _ in defined], [count for _, count in defined])


@dataclass(frozen=True)
class _Upscaled:
    """One picture and the output of each method."""

    title: str
    name: str
    lr: Picture
    hr: Picture
    results: dict[str, Picture]


def _upscale(
    dataset: PreparedDataset,
    numbers: Sequence[int],
    methods: Sequence[Method],
    scale: int,
    protocol: Protocol,
) -> Iterator[_Upscaled]:
    for number in numbers:
        image = dataset.images[number]
        title = f"{image.name} of {dataset.name}"
        degraded = dataset.lr(number, scale) if dataset.degradation is not None else None
        lr, hr = protocol.prepare(dataset.hr(number), scale, degraded)
        results = {}
        for method in methods:
            with _name_in_errors(f"{method.name}: {title}"):
                upscale_lr = method.adapt(dataset.pixels) if method.adapt else method.upscale
                results[method.name] = upscale_lr(lr)
        yield _Upscaled(title, image.name, lr, hr, results)


def _compare(
    upscaled: _Upscaled,
    scale: int,
    protocol: Protocol,
    metrics: Sequence[Metric],
    pixels: PixelFormat,
) -> Measured:
    results, count = {}, 0
    for method, picture in upscaled.results.items():
        with _name_in_errors(f"{method}: {upscaled.title}"):
            _check_same_size(picture, upscaled.hr)
            compared = protocol.compared_planes(picture, upscaled.hr, scale, pixels)
            count = compared[1][:, :, 0].size
            if protocol.measured_on == "bands":
                values = _values_of_bands(compared, scale, metrics, pixels.bands)
            else:
                values = {}
                for metric in metrics:
                    own = protocol.comparing(metric.measured_on, metric.label)
                    planes = compared
                    if own is not protocol:  # luma or RGB, whichever the metric is defined on
                        planes = own.compared_planes(picture, upscaled.hr, scale)
                    values[metric.name] = metric.compute(*planes, scale)
            results[method] = Result(_for_display(picture, pixels), values)
    lr, hr = (_for_display(picture, pixels) for picture in (upscaled.lr, upscaled.hr))
    shown = "" if pixels == RGB8 else ", ".join(pixels.bands[n] for n in pixels.shown)
    return Measured(upscaled.name, lr, hr, count, results, shown)


def _values_of_bands(
    compared: tuple[Planes, Planes], scale: int, metrics: Sequence[Metric], bands: Sequence[str]
) -> dict[str, float | None]:
    """Return the metrics of all bands, and of each band under its name, such as ``psnr_nir``."""
    values: dict[str, float | None] = {}
    of_bands: dict[str, float | None] = {}
    count = compared[1].shape[2]
    for metric in metrics:
        if metric.measured_on == "bands":
            values[metric.name] = metric.compute(*compared, scale)
            continue
        each = [
            metric.compute(compared[0][:, :, n : n + 1], compared[1][:, :, n : n + 1], scale)
            for n in range(count)
        ]
        known = [value for value in each if value is not None]
        values[metric.name] = fmean(known) if len(known) == count else None
        if len(bands) == count > 1:
            names = (f"{metric.name}_{band}" for band in bands)
            of_bands |= dict(zip(names, each, strict=True))
    return values | of_bands


@contextmanager
def _name_in_errors(what: str) -> Iterator[None]:
    """Turn any error of the block into one line that names the method and the picture."""
    try:
        yield
    except SignalError:
        raise
    except UserError as error:
        raise DataError(f"{what}: {error}") from error
    except Exception as error:  # of any library, such as torch out of memory
        reason = str(error).partition("\n")[0]
        raise DataError(f"{what}: {type(error).__name__}: {reason}") from error


def _check_same_size(sr: Picture, hr: Picture) -> None:
    if sr.shape != hr.shape:
        raise DataError(
            f"{_size(sr)}, and the original, cropped to a multiple of the scale, has {_size(hr)}"
        )


def _size(picture: Picture) -> str:
    height, width, channels = picture.shape
    return f"{width} x {height} pixels of {channels} channels"


def _for_display(picture: Picture, pixels: PixelFormat) -> NDArray[np.uint8]:
    """Return (H, W, 3) or (H, W, 1) uint8: of bands those that are shown, black to white."""
    values = picture.astype(np.float64)
    if pixels != RGB8:
        black, white = map(np.array, pixels.stored_range)
        values = ((values - black) * (255 / (white - black)))[:, :, list(pixels.shown)]
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
