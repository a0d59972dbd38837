"""Measuring methods of super-resolution on a benchmark."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drnsr.data.packing import DataError, Pack, PackedImage
from drnsr.evaluation.metrics import psnr, ssim, vif
from drnsr.evaluation.protocol import Protocol, ProtocolError
from drnsr.imaging.resize import Picture, upscale

# SSIM's window must fit between the borders.
_SMALLEST_SIDE = 11


@dataclass(frozen=True)
class Method:
    """Something that enlarges pictures.

    Attributes:
        name: what tables call it.
        enlarge: from LR (h, w, C) to (scale*h, scale*w, C), 0..255. It answers uint8 with uint8,
            and floating point with floating point that is neither rounded nor clipped.
        takes: "rgb" if luma alone makes no sense to it; a gray picture it takes in any case.
    """

    name: str
    enlarge: Callable[[Picture], Picture]
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
        picture: (H, W, C) uint8, to be looked at; the score may come from more than 8 bits.
        score: by the protocol.
        compared: the picture's planes and the original's that the protocol compares, (H, W, C).
    """

    picture: NDArray[np.uint8]
    score: Score
    compared: tuple[NDArray[np.float64], NDArray[np.float64]]

    def vif(self) -> float | None:
        """The perceptual number of :func:`drnsr.evaluation.metrics.vif`, made when asked for."""
        return vif(*self.compared)


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
    pack: Pack, methods: Sequence[Method], *, scale: int, protocol: Protocol
) -> Iterator[Measured]:
    """Measure methods on each picture of a benchmark, one at a time.

    Args:
        pack: the benchmark's originals.
        methods: all on the same pictures.
        scale: how many times smaller LR is.
        protocol: how to measure.

    Raises:
        DataError: a picture is too small to be measured, or a result has another size.
        ProtocolError: a method cannot be measured so.
    """
    for method in methods:
        if method.takes == "rgb" and protocol.computed_on == "y":
            raise ProtocolError(
                f"protocol {protocol.name}: {method.name} takes RGB, and here LR is luma alone;"
                " measure it with paper_y"
            )
    for number, image in enumerate(pack.images):
        _check_size(pack, image, scale, protocol)
        lr, hr = protocol.prepare(pack.hr(number), scale)
        planes = protocol.compared_planes(hr, hr, scale)[1]
        results = {
            method.name: _result(method, image.name, lr, hr, scale, protocol) for method in methods
        }
        yield Measured(image.name, _shown(lr), _shown(hr), planes[:, :, 0].size, results)


def mean_score(scores: Sequence[Score], pixels: Sequence[int], protocol: Protocol) -> Score:
    """The mean of a set; SSIM is always the mean over pictures.

    Args:
        scores: of each picture.
        pixels: compared in each picture.
        protocol: says whether PSNR is that of each picture or of all pixels.
    """
    ssim_mean = fmean(score.ssim for score in scores)
    if protocol.mean_over == "pictures":
        return Score(fmean(score.psnr for score in scores), ssim_mean)
    errors = [10 ** (-score.psnr / 10) for score in scores]
    return Score(-10 * math.log10(fmean(errors, weights=pixels)), ssim_mean)


def _result(
    method: Method, name: str, lr: Picture, hr: Picture, scale: int, protocol: Protocol
) -> Result:
    enlarged = method.enlarge(lr)
    if enlarged.shape != hr.shape:
        raise DataError(
            f"{method.name}: {name} has {_size(enlarged)}, and the original, cropped to a multiple"
            f" of the scale, has {_size(hr)}"
        )
    compared = protocol.compared_planes(enlarged, hr, scale)
    return Result(_shown(enlarged), Score(psnr(*compared), ssim(*compared)), compared)


def _size(picture: Picture) -> str:
    height, width, channels = picture.shape
    return f"{width} x {height} pixels of {channels} channels"


def _shown(picture: Picture) -> NDArray[np.uint8]:
    return np.clip(np.floor(picture.astype(np.float64) + 0.5), 0, 255).astype(np.uint8)


def _check_size(pack: Pack, image: PackedImage, scale: int, protocol: Protocol) -> None:
    side = min(image.height, image.width) // scale * scale - 2 * protocol.border(scale)
    if side < _SMALLEST_SIDE:
        raise DataError(
            f"{image.name} of {pack.name} has {image.width} x {image.height} pixels:"
            f" too small to be measured at scale {scale}"
        )
