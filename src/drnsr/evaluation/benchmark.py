"""Measuring methods of super-resolution on a benchmark."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.data.parallel import map_in_order
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.errors import SignalError, UserError
from drnsr.evaluation.metrics import PUBLISHED, Metric
from drnsr.evaluation.protocol import Protocol, ProtocolError
from drnsr.images.resize import Picture, upscale

# SSIM's window must fit between the borders.
_SMALLEST_SIDE = 11


@dataclass(frozen=True)
class Method:
    """Something that enlarges pictures.

    Attributes:
        name: what tables call it.
        upscale: from LR (h, w, C) to (scale*h, scale*w, C), 0..255. It answers uint8 with uint8,
            and floating point with floating point that is neither rounded nor clipped.
        takes: "rgb" if luma alone makes no sense to it; a gray picture it takes in any case.
    """

    name: str
    upscale: Callable[[Picture], Picture]
    takes: Literal["rgb", "any"] = "rgb"


def bicubic(scale: int, protocol: Protocol) -> Method:
    """The baseline, with the border that the protocol has."""
    border = protocol.resize_border
    return Method("bicubic", lambda lr: upscale(lr, scale, border=border), takes="any")


@dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM; or, for a gain, the differences of two."""

    psnr: float
    ssim: float

    def __sub__(self, other: "Score") -> "Score":
        """How much better this one is than ``other``."""
        return Score(self.psnr - other.psnr, self.ssim - other.ssim)


@dataclass(frozen=True)
class Result:
    """One method on one picture.

    Attributes:
        picture: (H, W, C) uint8, to be looked at; the values may come from more than 8 bits.
        values: by the protocol and by the name of the metric; None where that is not defined.
    """

    picture: NDArray[np.uint8]
    values: Mapping[str, float | None]

    @property
    def score(self) -> Score:
        """What papers report, where it was measured: :data:`drnsr.evaluation.metrics.PUBLISHED`."""
        psnr, ssim = self.values["psnr"], self.values["ssim"]
        assert psnr is not None
        assert ssim is not None
        return Score(psnr, ssim)


@dataclass(frozen=True)
class Measured:
    """One picture of a benchmark, with what each method made of it.

    Attributes:
        name: of the picture.
        lr: (h, w, C) uint8, to be looked at.
        hr: (scale*h, scale*w, C) uint8, to be looked at.
        pixels: how many were compared.
        results: by the name of the method.
    """

    name: str
    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    pixels: int
    results: dict[str, Result]


def measure(
    dataset: PreparedDataset,
    methods: Sequence[Method],
    *,
    scale: int,
    protocol: Protocol,
    metrics: Sequence[Metric] = PUBLISHED,
    workers: int | None = None,
) -> Iterator[Measured]:
    """Measure methods on each picture of a benchmark, in its order.

    The methods are called in the calling thread, one after another: a network uses all cores, or a
    GPU, by itself. Meanwhile threads compute the metrics of the pictures before. The numbers depend
    neither on the threads nor on their number.

    Args:
        dataset: the benchmark's originals.
        methods: all on the same pictures.
        scale: how many times smaller LR is.
        protocol: how to measure.
        metrics: what to compute.
        workers: threads for the metrics; by default as many as there are cores, 8 at most.

    Raises:
        DataError: a picture is too small to be measured, or could not be enlarged or measured, or a
            result has another size; the message names the picture.
        ProtocolError: a method cannot be measured so.
    """
    for method in methods:
        if method.takes == "rgb" and protocol.computed_on == "y":
            raise ProtocolError(
                f"protocol {protocol.name}: {method.name} takes RGB, and here LR is luma alone;"
                " measure it with paper_y"
            )
    check_sizes(dataset, scale, protocol)

    def measured(enlarged: _Enlarged) -> Measured:
        return _measured(enlarged, scale, protocol, metrics)

    enlarged_pictures = _enlarge(dataset, methods, scale, protocol)
    yield from map_in_order(measured, enlarged_pictures, workers=workers)


def check_sizes(dataset: PreparedDataset, scale: int, protocol: Protocol) -> None:
    """Find out, before any work, whether each picture can be measured.

    Args:
        dataset: the benchmark's originals.
        scale: how many times smaller LR is.
        protocol: how to measure.

    Raises:
        DataError: a picture is too small.
    """
    for image in dataset.images:
        side = min(image.height, image.width) // scale * scale - 2 * protocol.border(scale)
        if side < _SMALLEST_SIDE:
            raise DataError(
                f"{image.name} of {dataset.name} has {image.width} x {image.height} pixels:"
                f" too small to be measured at scale {scale}"
            )


def mean_score(scores: Sequence[Score], pixels: Sequence[int], protocol: Protocol) -> Score:
    """The mean of a set.

    Args:
        scores: of each picture.
        pixels: compared in each picture.
        protocol: see :func:`mean_value`.
    """
    psnr, ssim = (
        mean_value(metric, [getattr(score, metric.name) for score in scores], pixels, protocol)
        for metric in PUBLISHED
    )
    assert psnr is not None
    assert ssim is not None
    return Score(psnr, ssim)


def mean_value(
    metric: Metric, values: Sequence[float | None], pixels: Sequence[int], protocol: Protocol
) -> float | None:
    """The mean of a metric over the pictures of a set on which it is defined.

    Args:
        metric: which one.
        values: of each picture.
        pixels: compared in each picture.
        protocol: says whether PSNR is that of each picture or of all pixels; another metric is
            always averaged over the pictures.

    Returns:
        None where it is defined on none of them.
    """
    known = [
        (value, count) for value, count in zip(values, pixels, strict=True) if value is not None
    ]
    if not known:
        return None
    if metric.name != "psnr" or protocol.mean_over == "pictures":
        return fmean(value for value, _ in known)
    errors = [10 ** (-value / 10) for value, _ in known]
    return -10 * math.log10(fmean(errors, weights=[count for _, count in known]))


@dataclass(frozen=True)
class _Enlarged:
    """One picture, and what each method made of it."""

    title: str
    name: str
    lr: Picture
    hr: Picture
    results: dict[str, Picture]


def _enlarge(
    dataset: PreparedDataset, methods: Sequence[Method], scale: int, protocol: Protocol
) -> Iterator[_Enlarged]:
    for number, image in enumerate(dataset.images):
        title = f"{image.name} of {dataset.name}"
        lr, hr = protocol.prepare(dataset.hr(number), scale)
        results = {}
        for method in methods:
            with _naming(f"{method.name}: {title}"):
                results[method.name] = method.upscale(lr)
        yield _Enlarged(title, image.name, lr, hr, results)


def _measured(
    enlarged: _Enlarged, scale: int, protocol: Protocol, metrics: Sequence[Metric]
) -> Measured:
    results, pixels = {}, 0
    for method, picture in enlarged.results.items():
        with _naming(f"{method}: {enlarged.title}"):
            _check_same_size(picture, enlarged.hr)
            compared = protocol.compared_planes(picture, enlarged.hr, scale)
            pixels = compared[1][:, :, 0].size
            values = {metric.name: metric.compute(*compared) for metric in metrics}
            results[method] = Result(_shown(picture), values)
    return Measured(enlarged.name, _shown(enlarged.lr), _shown(enlarged.hr), pixels, results)


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Say in one line at which picture something went wrong, whatever it was."""
    try:
        yield
    except SignalError:
        raise
    except UserError as error:
        raise DataError(f"{what}: {error}") from error
    except Exception as error:  # of any library below, such as torch without memory
        reason = str(error).partition("\n")[0]
        raise DataError(f"{what}: {type(error).__name__}: {reason}") from error


def _check_same_size(enlarged: Picture, hr: Picture) -> None:
    if enlarged.shape != hr.shape:
        raise DataError(
            f"{_size(enlarged)}, and the original, cropped to a multiple of the scale, has"
            f" {_size(hr)}"
        )


def _size(picture: Picture) -> str:
    height, width, channels = picture.shape
    return f"{width} x {height} pixels of {channels} channels"


def _shown(picture: Picture) -> NDArray[np.uint8]:
    return np.clip(np.floor(picture.astype(np.float64) + 0.5), 0, 255).astype(np.uint8)
