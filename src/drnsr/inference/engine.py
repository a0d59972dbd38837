"""What runs a network on pixels: torch here, other programs behind the same few lines."""

import logging
from collections.abc import Sequence
from typing import Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from drnsr.errors import UserError
from drnsr.networks import Descriptor, Network
from drnsr.networks.base import Precision

log = logging.getLogger("drnsr")

Planes = NDArray[np.float32]
"""(N, C, H, W) of 0..1, C as the network's colour has it."""

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The type that torch's autocast takes for a precision; none for fp32."""


class Engine(Protocol):
    """A network at one scale, ready to run."""

    @property
    def descriptor(self) -> Descriptor:
        """Of the network."""

    @property
    def scale(self) -> int:
        """How many times larger the output is."""

    def __call__(self, lr: Planes) -> Planes:
        """(N, C, H, W) to (N, C, scale*H, scale*W), finite and not clipped; C-contiguous or not.

        Raises:
            MemoryShortageError: there is not enough of it for pictures of this size.
            NotFiniteError: the network makes NaN or infinite pixels of it.
        """


class TorchEngine:
    """Runs a network with torch.

    Where bf16 or fp16 makes NaN or infinite pixels, the same is computed in fp32, and told once.

    Args:
        network: any of ours.
        scale: how many times larger; may be left out where the network has but one.
        device: torch's name of one, such as "cpu", "cuda" or "mps".
        precision: of the computation; the bicubic skip of the networks that have one stays in fp32.

    Raises:
        ScaleError: the network has no such scale, or several and none was said.
        DeviceError: there is no such device here.
        PrecisionError: the network does not run in this precision.
    """

    def __init__(
        self,
        network: Network,
        scale: int | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        self.descriptor = network.descriptor
        self.scale = checked_scale(network, scale)
        check_precision(precision, type(network).__name__, network.descriptor.precisions)
        self._network = _moved(network.eval(), device)
        self._device = torch.device(device)
        self._precision = precision
        self._is_to_be_told = True

    @torch.inference_mode()
    def __call__(self, lr: Planes) -> Planes:
        """See :class:`Engine`."""
        pixels = torch.from_numpy(lr).to(self._device, memory_format=torch.channels_last)
        low = AUTOCAST.get(self._precision)
        sr = self._enlarged(pixels, low)
        if low is not None and not np.isfinite(sr).all():
            if self._is_to_be_told:
                log.warning("%s makes NaN or infinite pixels: computed in fp32", self._precision)
                self._is_to_be_told = False
            sr = self._enlarged(pixels, None)
        return checked_finite(sr)

    def _enlarged(self, pixels: torch.Tensor, low: torch.dtype | None) -> Planes:
        try:
            with torch.autocast(self._device.type, low, enabled=low is not None):
                sr = self._network.enlarge(pixels, self.scale)
            result: Planes = sr.float().cpu().numpy()
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if _is_shortage(error):
                raise MemoryShortageError(str(error)) from error
            raise
        return result


class MemoryShortageError(MemoryError):
    """The memory, of the device or of the process, was not enough."""


class NotFiniteError(UserError):
    """A network makes NaN or infinite pixels of a picture, of which nothing may be written."""


def checked_finite(sr: Planes) -> Planes:
    """What a network made, if all of it is finite; else NotFiniteError is raised."""
    if not np.isfinite(sr).all():
        raise NotFiniteError("the model makes NaN or infinite pixels of it")
    return sr


class ScaleError(UserError):
    """A scale that a network does not serve, or none where it serves several."""


class DeviceError(UserError):
    """A device that is not there."""


class PrecisionError(UserError):
    """A precision that a network does not run in."""


def checked_scale(network: Network, scale: int | None) -> int:
    """The scale that was asked for, or the only one that there is.

    Raises:
        ScaleError: the network has no such scale, or several and none was said.
    """
    if scale is None:
        if len(network.descriptor.scales) > 1:
            raise ScaleError(f"say by which scale to enlarge: {network.descriptor.scales_text}")
        return network.descriptor.scales[0]
    try:
        network.check_scale(scale)
    except ValueError as error:
        raise ScaleError(str(error)) from error
    return scale


def chosen_device(name: str) -> str:
    """The name of a device for "auto": the accelerator that torch finds here, or the CPU.

    Any other name is handed on; :class:`TorchEngine` says whether it can be used.
    """
    if name != "auto":
        return name
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator.type if accelerator else "cpu"


def check_precision(precision: Precision, what: str, possible: Sequence[Precision]) -> None:
    """Raise PrecisionError where ``what`` runs in none but the ``possible`` ones."""
    if precision not in possible:
        known = precision in get_args(Precision)
        reason = f"{what} runs in" if known else "there are"
        raise PrecisionError(f"precision {precision}: {reason} {', '.join(possible)}")


def _moved(network: Network, device: str) -> Network:
    try:
        moved: Network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    except (RuntimeError, AssertionError, ValueError) as error:  # torch has no error of its own
        reason = str(error).partition("\n")[0]
        raise DeviceError(f"device {device}: cannot be used here ({reason})") from error
    return moved


def _is_shortage(error: RuntimeError) -> bool:
    # On a CPU torch has no type for it.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
