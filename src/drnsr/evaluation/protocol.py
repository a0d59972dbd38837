"""How PSNR and SSIM are measured. A number without its protocol says nothing."""

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

_TYPES = {str: "a name", bool: "true or false", int: "a whole number"}


class ProtocolError(UserError):
    """A protocol that is unknown, or that makes no sense with what is to be measured."""


@dataclass(frozen=True)
class Protocol:
    """One way to measure, from the original picture to the mean of a set.

    The two Y protocols of the literature differ by 0.01 dB, a gray picture taken another way by
    0.09 in the mean of Set14, a forgotten border by 0.23.

    Attributes:
        name: what tables call it.
        computed_on: what is shrunk and enlarged: RGB, or the luma alone.
        measured_on: what is compared: RGB, or the luma.
        gray: a gray picture is repeated into RGB ("as_rgb"), or is itself the luma ("as_luma").
        luma_rounded: whether the luma is rounded to uint8.
        lr: whether the low resolution is rounded to uint8.
        sr: whether the result is rounded to uint8.
        border_scales: the border that is left out, in multiples of the scale ...
        border_pixels: ... and in pixels on top of it.
        resize_border: what MATLAB's resize sees beyond the border.
        downscaler: who makes the low resolution: MATLAB's bicubic, or Pillow's (DBPN's habit).
        mean_over: PSNR of each picture and then their mean, or of all pixels at once.
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
        """Refuse values and combinations without meaning."""
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
        """The width in pixels of the border that is left out."""
        return self.border_scales * scale + self.border_pixels

    @property
    def description(self) -> str:
        """What is done, for people."""
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

    def prepare(self, original: NDArray[np.uint8], scale: int) -> tuple[Picture, Picture]:
        """Make what a method gets, and what its output is compared with.

        Args:
            original: (H, W, 1) or (H, W, 3) uint8.
            scale: 2 or more.

        Returns:
            LR (h, w, C) and HR (scale*h, scale*w, C), 0..255. LR is uint8 where LR and result are:
            a method then answers in uint8, with whatever rounding it does on the way.
        """
        hr = self._reference(crop_to_multiple(original, scale))
        exact: Picture = hr if self.lr == "uint8" else hr.astype(np.float64)
        lr = self._downscale(exact, scale)
        if self.lr == "uint8":
            lr = _rounded(lr).astype(np.uint8)
        return (lr if self.sr == "uint8" else lr.astype(np.float64)), hr

    def _downscale(self, picture: Picture, scale: int) -> Picture:
        if self.downscaler == "pillow":
            height, width = picture.shape[0] // scale, picture.shape[1] // scale
            return pillow_resize(picture, height, width, Image.Resampling.BICUBIC)
        return downscale(picture, scale, border=self.resize_border)

    def compared_planes(
        self, result: Picture, hr: Picture, scale: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the metrics see of a result and of :meth:`prepare`'s HR: (H, W, C), 0..255."""
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
        """A gray picture that was left gray, or a luma, is what it is."""
        if self.measured_on == "y" and picture.shape[2] == 3:
            return self._luma(picture).astype(np.float64)
        return picture.astype(np.float64)

    def _luma(self, rgb: Picture) -> Picture:
        plane = luma(rgb)[:, :, None]
        return _rounded(plane).astype(np.uint8) if self.luma_rounded else plane


def _rounded(picture: Picture) -> NDArray[np.float64]:
    """To whole numbers of 0..255, halves up, as MATLAB's uint8 does."""
    return np.clip(np.floor(picture.astype(np.float64) + 0.5), 0, 255)


# Frozen: a name means the same numbers for good. What each gives for bicubic is in the tests.
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        # What EDSR, RCAN and later papers report their networks with.
        Protocol("paper_y"),
        # What the published bicubic rows, and those of the SRCNN era, were made with.
        Protocol("classic_y", computed_on="y", gray="as_luma", luma_rounded=True, lr="float"),
        # SelfExSR's rows.
        Protocol("yround", gray="as_luma", luma_rounded=True),
        # EDSR's habit on DIV2K: the border of its code, which is not that of its README.
        Protocol("rgb", measured_on="rgb", border_pixels=6),
    )
}


def get_protocol(choice: object) -> Protocol:
    """A protocol by its name, or the user's own by its fields.

    Args:
        choice: a name of :data:`PROTOCOLS`, or a mapping of the fields of :class:`Protocol`.

    Raises:
        ProtocolError: no such name, field or value.
    """
    if isinstance(choice, str):
        if choice not in PROTOCOLS:
            raise ProtocolError(f"protocol: {choice!r} is unknown (known: {', '.join(PROTOCOLS)})")
        return PROTOCOLS[choice]
    if not isinstance(choice, Mapping):
        raise ProtocolError(f"protocol: {choice!r} is neither a name nor the fields of one's own")
    known = [field.name for field in fields(Protocol)]
    for key in choice:
        if key not in known:
            raise ProtocolError(f"protocol.{key}: no such field (known: {', '.join(known)})")
    if "name" not in choice:
        raise ProtocolError("protocol.name: a protocol of your own needs a name")
    if choice["name"] in PROTOCOLS:
        raise ProtocolError(f"protocol.name: {choice['name']} is taken; choose another")
    return Protocol(**choice)
