"""The protocols: how metrics are measured. A value means nothing without its protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drnsr.errors import UserError
from drnsr.images.colour import gray_to_rgb, luma
from drnsr.images.resize import Border, Picture, crop_to_multiple, downscale, pillow_resize

Precision = Literal["uint8", "float"]

CHANNELS = {"rgb": "RGB", "y": "the BT.601 luma"}
"""What the channels of a protocol are called."""

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
        computed_on: the channels that are downscaled and upscaled: RGB, or the luma alone.
        measured_on: the channels that are compared: RGB, or the luma.
        gray: "as_rgb" repeats a gray picture into RGB; "as_luma" takes it as the luma itself.
        luma_rounded: whether the luma is rounded to uint8.
        lr: whether LR is rounded to uint8.
        sr: whether the result is rounded to uint8.
        border_scales: the width of the border that is left out, in multiples of the scale.
        border_pixels: a width in pixels that is added to it.
        resize_border: how MATLAB's resize pads the picture.
        downscaler: the program that makes LR: MATLAB's bicubic, or Pillow's (as DBPN does).
        mean_over: the mean of the PSNR of each picture, or the PSNR of all pixels at once.
    """

    name: str
    computed_on: Literal["rgb", "y"] = "rgb"
    measured_on: Literal["rgb", "y"] = "y"
    gray: Literal["as_rgb", "as_luma"] = "as_rgb"
    luma_rounded: bool = False
    lr: Precision = "uint8"
    sr: Precision = "uint8"
    border_scales: int = 1
    border_pixels: int = 0
    resize_border: Border = "replicate"
    downscaler: Literal["matlab", "pillow"] = "matlab"
    mean_over: Literal["pictures", "pixels"] = "pictures"

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

    def border(self, scale: int) -> int:
        """Return the width in pixels of the border that is left out."""
        return self.border_scales * scale + self.border_pixels

    @property
    def description(self) -> str:
        """What the protocol does, in words."""
        maker = "MATLAB's" if self.downscaler == "matlab" else "Pillow's"
        mirrored = ", mirrored at the border" if self.resize_border == "mirror" else ""
        border = f"{self.border_scales} x scale" + (
            f" + {self.border_pixels}" * bool(self.border_pixels)
        )
        rounded = ", rounded" if self.luma_rounded else ""
        return (
            f"LR is {maker} bicubic on {CHANNELS[self.computed_on]} as {self.lr}{mirrored};"
            f" the result is taken as {self.sr};"
            f" compared is {CHANNELS[self.measured_on]}{rounded},"
            f" without a border of {border} pixels;"
            f" gray pictures {self.gray.replace('_', ' ')}; the mean is over {self.mean_over}"
        )

    def prepare(
        self, original: NDArray[np.uint8], scale: int, lr: NDArray[np.uint8] | None = None
    ) -> tuple[Picture, Picture]:
        """Make the input of a method and the reference of its output.

        Args:
            original: (H, W, 1) or (H, W, 3) uint8.
            scale: 2 or more.
            lr: the LR of a degraded benchmark, (H // scale, W // scale, C); None to make it.

        Returns:
            LR (h, w, C) and HR (scale*h, scale*w, C), 0..255. LR is uint8 if the protocol rounds
            both LR and the result: a method then returns uint8, rounded in its own way.
        """
        hr = self._reference(crop_to_multiple(original, scale))
        given = self._made(hr, scale) if lr is None else self._reference(lr)
        return (given if self.sr == "uint8" else given.astype(np.float64)), hr

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
        exact: Picture = hr if self.lr == "uint8" else hr.astype(np.float64)
        lr = self._downscale(exact, scale)
        return _rounded(lr).astype(np.uint8) if self.lr == "uint8" else lr

    def _downscale(self, picture: Picture, scale: int) -> Picture:
        if self.downscaler == "pillow":
            height, width = picture.shape[0] // scale, picture.shape[1] // scale
            return pillow_resize(picture, height, width, Image.Resampling.BICUBIC)
        return downscale(picture, scale, border=self.resize_border)

    def compared_planes(
        self, result: Picture, hr: Picture, scale: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the metrics compare of a result and the HR of :meth:`prepare`, (H, W, C)."""
        inside = slice(self.border(scale), -self.border(scale) or None)
        rounded = _rounded(result) if self.sr == "uint8" else result.astype(np.float64)
        return self._measured(rounded)[inside, inside], self._measured(hr)[inside, inside]

    def _reference(self, original: NDArray[np.uint8]) -> Picture:
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


def _rounded(picture: Picture) -> NDArray[np.float64]:
    """Round to whole numbers of 0..255, halves up, as MATLAB's uint8 does."""
    return np.clip(np.floor(picture.astype(np.float64) + 0.5), 0, 255)


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
