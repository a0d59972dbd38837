"""The protocols: how metrics are measured. A value means nothing without its protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.errors import UserError
from drnsr.images.colour import gray_to_rgb, luma
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.resize import Border, Picture, crop_to_multiple, downscale, pillow_resize

Precision = Literal["uint8", "type", "float"]

CHANNELS = {"rgb": "RGB", "y": "the BT.601 luma", "bands": "each band"}
"""What the channels of a protocol are called."""

_PEAKS = {"type": "type", "declared": "declared range", "picture": "values of each original"}

_TYPES = {str: "a name", bool: "true or false", int: "a whole number"}  # for messages


class ProtocolError(UserError):
    """A protocol is unknown or invalid, or cannot measure a method or a metric."""


@dataclass(frozen=True)
class Protocol:
    """A way to measure, from the original picture to the mean of a set.

    The two luma protocols of the literature differ by 0.01 dB. The treatment of the gray picture
    changes the mean of Set14 by 0.09 dB, a forgotten border by 0.23 dB.

    Attributes:
        name: in tables.
        computed_on: the channels that are downscaled and upscaled: RGB, the luma alone, or all
            bands of a picture of 8 or 16 bits.
        measured_on: the channels that are compared: RGB together, the luma, or each band; of bands,
            a value is the mean of those of each band.
        data_range: the peak of PSNR and SSIM: the largest value of the pictures' type, the declared
            range of the data set, or the range of the values in each original.
        gray: "as_rgb" repeats a gray picture into RGB; "as_luma" takes it as the luma itself.
        luma_rounded: whether the luma is rounded to uint8.
        lr: whether LR is rounded: to uint8, or to the pictures' own type of 8 or 16 bits.
        sr: whether the result is rounded.
        border_scales: the width of the border that is left out, in multiples of the scale.
        border_pixels: a width in pixels that is added to it.
        resize_border: how MATLAB's resize pads the picture.
        downscaler: the program that makes LR: MATLAB's bicubic, or Pillow's (as DBPN does).
        mean_over: the mean of the PSNR of each picture, or the PSNR of all pixels at once.
    """

    name: str
    computed_on: Literal["rgb", "y", "bands"] = "rgb"
    measured_on: Literal["rgb", "y", "bands"] = "y"
    gray: Literal["as_rgb", "as_luma"] = "as_rgb"
    luma_rounded: bool = False
    lr: Precision = "uint8"
    sr: Precision = "uint8"
    border_scales: int = 1
    border_pixels: int = 0
    resize_border: Border = "replicate"
    downscaler: Literal["matlab", "pillow"] = "matlab"
    mean_over: Literal["pictures", "pixels"] = "pictures"
    data_range: Literal["type", "declared", "picture"] = "type"

    def __post_init__(self) -> None:
        """Check the values and their combinations."""
        for name, hint in get_type_hints(type(self)).items():
            value, choices = getattr(self, name), get_args(hint)
            if choices and value not in choices:
                raise ProtocolError(f"protocol.{name}: {value!r} is none of {', '.join(choices)}")
            if not choices and type(value) is not hint:
                raise ProtocolError(f"protocol.{name}: {value!r} is not {_TYPES[hint]}")
        if self.border(1) < 0:
            raise ProtocolError(f"protocol {self.name}: a border cannot be negative")
        if self.computed_on == "y" and self.measured_on == "rgb":
            raise ProtocolError(f"protocol {self.name}: RGB cannot be measured on luma alone")
        self._check_bands()

    def _check_bands(self) -> None:
        on_bands = self.computed_on == "bands"
        if on_bands != (self.measured_on == "bands"):
            raise ProtocolError(f"protocol {self.name}: bands are both computed and measured on")
        if on_bands and "uint8" in (self.lr, self.sr):
            raise ProtocolError(
                f"protocol {self.name}: bands have 8 or 16 bits; take type instead of uint8"
            )
        if on_bands and self.mean_over == "pixels":
            raise ProtocolError(f"protocol {self.name}: the mean over bands is one over pictures")
        if not on_bands and ("type" in (self.lr, self.sr) or self.data_range != "type"):
            raise ProtocolError(
                f"protocol {self.name}: lr, sr and data_range have other values for bands alone"
            )

    def border(self, scale: int) -> int:
        """Return the width in pixels of the border that is left out."""
        return self.border_scales * scale + self.border_pixels

    def comparing(self, channels: Literal["rgb", "y", "bands", "any"], what: str) -> "Protocol":
        """Return the same protocol for a metric that is defined on some channels alone.

        Args:
            channels: those that the metric is defined on.
            what: the metric, for the message.

        Raises:
            ProtocolError: if these channels are not computed.
        """
        if channels == "any" or channels == self.measured_on:
            return self
        if channels == "bands" or self.computed_on != "rgb":
            raise ProtocolError(
                f"protocol {self.name}: {what} is defined on {CHANNELS[channels]}, and here"
                f" {CHANNELS[self.computed_on]} is computed"
            )
        return replace(self, measured_on=channels)

    @property
    def description(self) -> str:
        """What the protocol does, in words."""
        maker = "MATLAB's" if self.downscaler == "matlab" else "Pillow's"
        mirrored = ", mirrored at the border" if self.resize_border == "mirror" else ""
        border = f"{self.border_scales} x scale" + (
            f" + {self.border_pixels}" * bool(self.border_pixels)
        )
        rounded = ", rounded" if self.luma_rounded else ""
        if self.measured_on == "bands":
            rounded = f", with the peak of the {_PEAKS[self.data_range]}"
        return (
            f"LR is {maker} bicubic on {CHANNELS[self.computed_on]} as {self.lr}{mirrored};"
            f" the result is taken as {self.sr};"
            f" compared is {CHANNELS[self.measured_on]}{rounded},"
            f" without a border of {border} pixels;"
            f" gray pictures {self.gray.replace('_', ' ')}; the mean is over {self.mean_over}"
        )

    def prepare(
        self, original: NDArray[Any], scale: int, lr: NDArray[Any] | None = None
    ) -> tuple[Picture, Picture]:
        """Make the input of a method and the reference of its output.

        Args:
            original: (H, W, 1) or (H, W, 3) uint8; for bands (H, W, C) uint8 or uint16.
            scale: 2 or more.
            lr: the LR of a degraded benchmark, (H // scale, W // scale, C); None to make it.

        Returns:
            LR (h, w, C) and HR (scale*h, scale*w, C), of the original's range. LR has its type if
            the protocol rounds both LR and the result: a method then returns that type, rounded in
            its own way.
        """
        hr = self._reference(crop_to_multiple(original, scale))
        given = self._made(hr, scale) if lr is None else self._reference(lr)
        return (given.astype(np.float64) if self.sr == "float" else given), hr

    def check_pixels(self, name: str, pixels: PixelFormat) -> None:
        """Check that it can measure pictures of a format; those of bands can measure all.

        Raises:
            ProtocolError: if it is for 8-bit RGB, and they are not.
        """
        if pixels != RGB8 and self.computed_on != "bands":
            raise ProtocolError(
                f"protocol {self.name}: is for 8-bit RGB, and {name} has {pixels.text}; take"
                " protocol=bands"
            )

    def check_degraded(self) -> None:
        """Check that it can measure on LR that is given.

        Raises:
            ProtocolError: if it is defined by how it makes LR.
        """
        if self.computed_on != "rgb" or self.lr != "uint8":
            raise ProtocolError(
                f"protocol {self.name}: makes LR of {CHANNELS[self.computed_on]} as {self.lr}, and"
                " a degraded benchmark has LR of RGB as uint8; measure it with paper_y or rgb"
            )

    def _made(self, hr: Picture, scale: int) -> Picture:
        exact: Picture = hr.astype(np.float64) if self.lr == "float" else hr
        lr = self._downscale(exact, scale)
        return _rounded(lr).astype(np.uint8) if self.lr == "uint8" else lr

    def _downscale(self, picture: Picture, scale: int) -> Picture:
        if self.downscaler == "pillow":
            height, width = picture.shape[0] // scale, picture.shape[1] // scale
            return pillow_resize(picture, height, width, Image.Resampling.BICUBIC)
        return downscale(picture, scale, border=self.resize_border)

    def compared_planes(
        self, result: Picture, hr: Picture, scale: int, pixels: PixelFormat = RGB8
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the metrics compare of a result and the HR of :meth:`prepare`.

        Args:
            result: of a method.
            hr: the reference.
            scale: 2 or more.
            pixels: the format of the data set.

        Returns:
            Two of (H, W, C), multiplied so that the peak is 255.
        """
        inside = slice(self.border(scale), -self.border(scale) or None)
        exact = result.astype(np.float64)
        if self.sr != "float":
            exact = _rounded(result, 255 if self.sr == "uint8" else _largest(hr))
        planes = self._measured(exact)[inside, inside], self._measured(hr)[inside, inside]
        if self.measured_on != "bands":
            return planes
        peak = self._peak(planes[1], hr, pixels)
        return planes[0] * (255 / peak), planes[1] * (255 / peak)

    def _peak(self, compared: NDArray[np.float64], hr: Picture, pixels: PixelFormat) -> float:
        """Return the range of values that PSNR and SSIM take as the peak."""
        if self.data_range == "type":
            return _largest(hr)
        if self.data_range == "declared":
            black, white = map(np.array, pixels.stored_range)
            return float((white - black).max())
        if compared.min() == compared.max():
            raise ProtocolError("its values are all one, so that data_range: picture is 0")
        return float(compared.max() - compared.min())

    def _reference(self, original: NDArray[Any]) -> Picture:
        if self.computed_on == "bands":
            return original
        if self.gray == "as_rgb":
            original = gray_to_rgb(original)
        if self.computed_on == "rgb" or original.shape[2] == 1:
            return original
        return self._luma(original)

    def _measured(self, picture: Picture) -> NDArray[np.float64]:
        """Return the compared channels; a picture of one channel is the luma already."""
        if self.measured_on == "y" and picture.shape[2] == 3:
            return self._luma(picture).astype(np.float64)
        return picture.astype(np.float64)

    def _luma(self, rgb: Picture) -> Picture:
        plane = luma(rgb)[:, :, None]
        return _rounded(plane).astype(np.uint8) if self.luma_rounded else plane


def _rounded(picture: Picture, largest: float = 255) -> NDArray[np.float64]:
    """Round to whole numbers of 0..largest, halves up, as MATLAB's integers do."""
    return np.clip(np.floor(picture.astype(np.float64) + 0.5), 0, largest)


def _largest(integers: Picture) -> float:
    return float(np.iinfo(integers.dtype).max)  # type: ignore[type-var]


# Frozen: a name must mean the same numbers for ever. The tests hold the bicubic numbers of each.
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        # The protocol of EDSR, RCAN and later papers.
        Protocol("paper_y"),
        # The protocol of the published bicubic rows and of SRCNN's time.
        Protocol("classic_y", computed_on="y", gray="as_luma", luma_rounded=True, lr="float"),
        # The protocol of SelfExSR's rows.
        Protocol("yround", gray="as_luma", luma_rounded=True),
        # EDSR on DIV2K, with the border of its code, which differs from that of its README.
        Protocol("rgb", measured_on="rgb", border_pixels=6),
        # Bands of 8 or 16 bits, with all their bits.
        Protocol("bands", computed_on="bands", measured_on="bands", lr="type", sr="type"),
    )
}


def get_protocol(choice: object) -> Protocol:
    """Return a protocol by its name, or the user's own by its fields.

    Args:
        choice: a name of :data:`PROTOCOLS`, or a mapping of the fields of :class:`Protocol`.

    Raises:
        ProtocolError: if a name or a field is unknown, or a value is invalid.
    """
    if isinstance(choice, str):
        if choice not in PROTOCOLS:
            raise ProtocolError(f"protocol: {choice!r} is unknown (known: {', '.join(PROTOCOLS)})")
        return PROTOCOLS[choice]
    if not isinstance(choice, Mapping):
        raise ProtocolError(f"protocol: {choice!r} is neither a name nor the fields of a protocol")
    known = [field.name for field in fields(Protocol)]
    for key in choice:
        if key not in known:
            raise ProtocolError(f"protocol.{key}: no such field (known: {', '.join(known)})")
    if "name" not in choice:
        raise ProtocolError("protocol.name: a protocol of your own needs a name")
    if choice["name"] in PROTOCOLS:
        raise ProtocolError(f"protocol.name: {choice['name']} is taken; choose another")
    return Protocol(**choice)
