"""What runs a network on pixels: torch here, other programs behind the same few lines."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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

    Attributes:
        queues: whether the device computes by itself, so that the CPU can do something meanwhile.

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
        self.queues = self._device.type != "cpu"
        self._is_to_be_told = True

    @torch.inference_mode()
    def __call__(self, lr: Planes) -> Planes:
        """See :class:`Engine`."""
        low = AUTOCAST.get(self._precision)
        with _shortage_told():
            pixels = torch.from_numpy(lr).to(self._device)
            sr: Planes = self._enlarged(pixels, low).cpu().numpy()
            if low is not None and not np.isfinite(sr).all():
                if self._is_to_be_told:
                    told = "%s makes NaN or infinite pixels: computed in fp32"
                    log.warning(told, self._precision)
                    self._is_to_be_told = False
                sr = self._enlarged(pixels, None).cpu().numpy()
        return checked_finite(sr)

    @torch.inference_mode()
    def start(self, rgb: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Begin to enlarge a picture of 8 bits, which is brought to the device and back as such.

        Args:
            rgb: (H, W, 3) of 0..255.

        Returns:
            What waits for the result: (scale*H, scale*W, 3), rounded and clipped.

        Raises:
            MemoryShortageError: there is not enough of it for a picture of this size.
        """
        low = AUTOCAST.get(self._precision)
        with _shortage_told():
            pixels = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._device)
            sr = self._enlarged(pixels.permute(2, 0, 1)[None].float() / 255, low)[0]
            is_finite = _brought(sr.isfinite().all())
            sr = sr.mul_(255).round_().clamp_(0, 255)
            result = _brought(sr.permute(1, 2, 0).to(torch.uint8).contiguous())

        def finish() -> NDArray[np.uint8]:
            if self._device.type == "cuda":
                done.synchronize()
            if not is_finite:
                return self._again(rgb)
            return result.numpy()

        if self._device.type == "cuda":
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()
        return finish

    def _again(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """NaN or infinite pixels: what is done about them wherever they come from."""
        sr = self(rgb.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255))
        pixels: NDArray[np.uint8] = (sr[0] * 255).round().clip(0, 255).astype(np.uint8)
        return pixels.transpose(1, 2, 0)

    def _enlarged(self, lr: Tensor, low: torch.dtype | None) -> Tensor:
        pixels = lr.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, low, enabled=low is not None):
            return self._network.upscale(pixels, self.scale).float()


def _brought(result: Tensor) -> Tensor:
    """On its way to the CPU; from CUDA into memory that is written to meanwhile."""
    if result.device.type != "cuda":
        return result.cpu()
    held = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
    return held.copy_(result, non_blocking=True)


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


@contextmanager
def _shortage_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if _is_shortage(error):
            raise MemoryShortageError(str(error)) from error
        raise


def _is_shortage(error: RuntimeError) -> bool:
    # On a CPU torch has no type for it.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
