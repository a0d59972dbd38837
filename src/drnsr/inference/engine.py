"""Inference engines: what runs a network on arrays of pixels. The torch engine is here."""

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, get_args

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from drnsr.errors import UserError
from drnsr.inference.precision import PrecisionChoice, choose_precision
from drnsr.networks import Descriptor, Network
from drnsr.networks.base import Precision

log = logging.getLogger("drnsr")

FloatPixels = NDArray[np.float32]
"""Pixels in 0..1; each function states the shape."""

# The modules with the errors of torch.compile, which have no public base class.
_COMPILERS = ("torch._dynamo", "torch._inductor")

_MAX_SHAPES = 64  # of a compiled network; tiles of one picture have nine at most

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The data type that torch's autocast uses for a precision; fp32 needs no autocast."""


class Engine(Protocol):
    """Runs a network at one scale."""

    @property
    def descriptor(self) -> Descriptor:
        """The properties of the network."""

    @property
    def scale(self) -> int:
        """The scale factor."""

    def __call__(self, lr: FloatPixels) -> FloatPixels:
        """Upscale a batch of LR pixels.

        Args:
            lr: (N, C, H, W), contiguous or not; C is the number of channels of the network.

        Returns:
            (N, C, scale*H, scale*W), finite and not clipped to 0..1.

        Raises:
            OutOfMemoryError: there is not enough memory for a batch of this size.
            NotFiniteError: the output of the network contains NaN or infinity.
        """


class TorchEngine:
    """Runs a network with torch.

    If the output in bf16 or fp16 contains NaN or infinity, the engine computes it again in fp32
    and warns once.

    Args:
        network: any network of this package.
        scale: the scale factor; optional for a network with a single scale.
        device: torch's name of a device, such as "cpu", "cuda" or "mps".
        precision: the precision of the computation; "auto" chooses for pixels of 8 bits by the
            device, and takes fp32 for others. The bicubic skip connection of a network stays in
            fp32.
        compile: whether torch compiles the network for each shape of its input. On a GPU that takes
            seconds for a shape, and fuses the additions of biases and residuals.

    Attributes:
        is_asynchronous: whether the device computes while the CPU does other work.
        precision_choice: what "auto" chose and why; empty if the precision was given.

    Raises:
        ScaleError: the network does not have this scale, or has several and ``scale`` is None.
        DeviceError: the device is not available.
        PrecisionError: the network does not support this precision.
    """

    def __init__(
        self,
        network: Network,
        scale: int | None = None,
        device: str = "cpu",
        precision: PrecisionChoice = "fp32",
        *,
        compile: bool = False,
    ) -> None:
        self.descriptor = network.descriptor
        self.scale = resolve_scale(network, scale)
        if precision != "auto":
            check_precision(precision, type(network).__name__, network.descriptor.precisions)
        self._network = _to_device(network.eval(), device)
        self._device = torch.device(device)
        is_auto = precision == "auto"
        self.precision_choice = ""
        if precision == "auto":
            precision, reason = choose_precision(device, network.descriptor.precisions)
            rest = "" if precision == "fp32" else ", fp32 for pixels of more than 8 bits"
            self.precision_choice = f"{precision} ({reason}){rest}"
        self._precision: Precision = precision
        self.is_asynchronous = self._device.type != "cpu"
        self._has_warned = False
        self._compiled: Callable[[Tensor, int], Tensor] | None = None
        if compile:
            torch._dynamo.config.recompile_limit = _MAX_SHAPES
            self._compiled = torch.compile(self._network.upscale, dynamic=False)
        self._copy_stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._exact = self
        if is_auto and precision != "fp32":
            self._exact = copy.copy(self)  # with the same network
            self._exact._precision = "fp32"

    def for_pixels(self, dtype: DTypeLike) -> "TorchEngine":
        """Return the engine for the pictures of a data type."""
        return self if dtype == np.uint8 else self._exact

    @property
    def network(self) -> Network:
        """The network that it runs."""
        return self._network

    @property
    def precision(self) -> Precision:
        """The precision of the computation."""
        return self._precision

    @torch.inference_mode()
    def __call__(self, lr: FloatPixels) -> FloatPixels:
        """Upscale a batch of LR pixels; see :class:`Engine`."""
        low_precision = AUTOCAST.get(self._precision)
        with _convert_torch_errors():
            pixels = torch.from_numpy(lr).to(self._device)
            sr: FloatPixels = self._forward(pixels, low_precision).cpu().numpy()
            if low_precision is not None and not np.isfinite(sr).all():
                if not self._has_warned:
                    message = "%s makes NaN or infinite pixels: computed in fp32"
                    log.warning(message, self._precision)
                    self._has_warned = True
                sr = self._forward(pixels, None).cpu().numpy()
        return require_finite(sr)

    @torch.inference_mode()
    def submit(self, rgb: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Start to upscale a batch of 8-bit pictures and do not wait for the result.

        The pixels are transferred to the device and back as 8-bit values, on CUDA while it computes
        other batches.

        Args:
            rgb: (N, H, W, 3) in 0..255.

        Returns:
            A function that waits for the result and returns it: (N, scale*H, scale*W, 3), rounded
            and clipped.

        Raises:
            OutOfMemoryError: there is not enough memory for a batch of this size.
        """
        low_precision = AUTOCAST.get(self._precision)
        with _convert_torch_errors():
            pixels = torch.from_numpy(np.ascontiguousarray(rgb))
            if self._copy_stream is not None:
                pixels = pixels.pin_memory()
            pixels = pixels.to(self._device, non_blocking=True)
            sr = self._forward(pixels.permute(0, 3, 1, 2).float() / 255, low_precision)
            is_finite = sr.isfinite().all()
            sr = sr.mul_(255).round_().clamp_(0, 255)
            copies = self._start_copy(
                is_finite, sr.permute(0, 2, 3, 1).to(torch.uint8).contiguous()
            )

        def wait() -> NDArray[np.uint8]:
            is_finite, result = copies()
            return result.numpy() if is_finite else self._upscale_again(rgb)

        return wait

    def _start_copy(self, *tensors: Tensor) -> Callable[[], list[Tensor]]:
        """Start to copy tensors to the CPU; return what waits for the copies and returns them.

        From CUDA they are copied into pinned memory by another stream, so that the next batch does
        not wait for them.
        """
        if self._copy_stream is None:
            copies = [tensor.cpu() for tensor in tensors]
            return lambda: copies
        pinned = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
        self._copy_stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._copy_stream):
            for tensor, copy in zip(tensors, pinned, strict=True):
                copy.copy_(tensor, non_blocking=True)
                tensor.record_stream(self._copy_stream)  # its memory is not reused before the copy
            done = self._copy_stream.record_event()

        def wait() -> list[Tensor]:
            done.synchronize()
            return pinned

        return wait

    def _upscale_again(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Handle NaN and infinity as :meth:`__call__` does."""
        sr = self(rgb.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
        pixels: NDArray[np.uint8] = (sr * 255).round().clip(0, 255).astype(np.uint8)
        return pixels.transpose(0, 2, 3, 1)

    def _forward(self, lr: Tensor, low_precision: torch.dtype | None) -> Tensor:
        pixels = lr.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, low_precision, enabled=low_precision is not None):
            return (self._compiled or self._network.upscale)(pixels, self.scale).float()


class OutOfMemoryError(MemoryError):
    """The memory of the device or of the process is not large enough."""


class NotFiniteError(UserError):
    """The output of a network contains NaN or infinity, so it must not be written to a file."""


class ScaleError(UserError):
    """A network does not have a scale, or has several and none was chosen."""


class DeviceError(UserError):
    """A device is not available."""


class PrecisionError(UserError):
    """A network does not support a precision."""


class CompileError(UserError):
    """A network cannot be compiled on this machine."""


def require_finite(sr: FloatPixels) -> FloatPixels:
    """Return the output of a network if all of it is finite.

    Raises:
        NotFiniteError: it contains NaN or infinity.
    """
    if not np.isfinite(sr).all():
        raise NotFiniteError("the model makes NaN or infinite pixels of it")
    return sr


def resolve_scale(network: Network, scale: int | None) -> int:
    """Return the requested scale, or the only scale of the network if ``scale`` is None.

    Raises:
        ScaleError: the network does not have this scale, or has several and ``scale`` is None.
    """
    if scale is None:
        if len(network.descriptor.scales) > 1:
            raise ScaleError(f"choose a scale: {network.descriptor.scales_text}")
        return network.descriptor.scales[0]
    try:
        network.check_scale(scale)
    except ValueError as error:
        raise ScaleError(str(error)) from error
    return scale


def check_precision(precision: Precision, subject: str, supported: Sequence[Precision]) -> None:
    """Check that a precision is supported.

    Args:
        precision: the requested one.
        subject: the name of the network, program or file that the message begins with.
        supported: the precisions in which it runs.

    Raises:
        PrecisionError: ``precision`` is not one of them.
    """
    if precision not in supported:
        is_known = precision in get_args(Precision)
        reason = f"{subject} runs in" if is_known else "there are"
        raise PrecisionError(f"precision {precision}: {reason} {', '.join(supported)}")


def _to_device(network: Network, device: str) -> Network:
    try:
        moved: Network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    except (RuntimeError, AssertionError, ValueError) as error:  # torch has no error of its own
        reason = str(error).partition("\n")[0]
        raise DeviceError(f"device {device}: cannot be used here ({reason})") from error
    return moved


@contextmanager
def _convert_torch_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the base class of torch.OutOfMemoryError
        if _is_out_of_memory(error):
            raise OutOfMemoryError(str(error)) from error
        is_compiler = type(error).__module__.startswith(_COMPILERS)
        if is_compiler or isinstance(error, RecursionError):  # of a compiler in a deep network
            reason = " ".join(str(error).split())[:200]
            raise CompileError(f"torch cannot compile the network here: {reason}") from error
        raise


def _is_out_of_memory(error: RuntimeError) -> bool:
    # On a CPU torch raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
