"""The interface of every super-resolution network, and the registry of architectures."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.images.pixel_format import RGB8, PixelFormat, full_format

Precision = Literal["fp32", "bf16", "fp16"]

Colour = Literal["RGB", "Y", "bands"]

HyperParameter = int | float | bool | str | list[int] | list[float]

LARGEST_HYPER_PARAMETER = 4096
"""Upper bound of integer hyper-parameters: no published network is as wide or as deep."""


def out_of_range(hyper_parameters: Mapping[str, object]) -> tuple[str, int] | None:
    """Return the first integer, or integer in a list, outside 0..LARGEST_HYPER_PARAMETER.

    Returns:
        The name of the hyper-parameter and the integer; None if all are in the range.
    """
    for name, value in hyper_parameters.items():
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int) and not 0 <= number <= LARGEST_HYPER_PARAMETER:
                return name, number
    return None


@dataclass(frozen=True)
class Descriptor:
    """The properties that a program must know to run a network.

    Attributes:
        scales: the scale factors that the network serves.
        receptive_field: radius in LR pixels. The output for an LR pixel (scale x scale pixels)
            depends on no LR pixel further away than this, up, down, left or right; "global" if it
            depends on the whole picture.
        colour: the channels of input and output: RGB, the BT.601 studio luma, not rounded, or bands
            of any meaning.
        value_range: the range of pixel values, input and output.
        size_multiple: the network needs LR sides that are multiples of this;
            :meth:`Network.upscale` pads the input to it.
        precisions: in which the network runs (under autocast) without overflow or visible damage.
        tiling_exact: whether a tile with ``receptive_field`` pixels around it, which begins at
            multiples of ``size_multiple``, gives the same output as the whole picture gives there.
        pixels: the channels and values that the network was trained on.
    """

    scales: tuple[int, ...]
    receptive_field: int | Literal["global"]
    colour: Colour = "RGB"
    value_range: tuple[float, float] = (0.0, 1.0)
    size_multiple: int = 1
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
    tiling_exact: bool = True
    pixels: PixelFormat = RGB8

    @property
    def channels(self) -> int:
        """Number of input channels, and of output channels."""
        return 1 if self.colour == "Y" else self.pixels.channels

    @property
    def scales_text(self) -> str:
        """The scales as text for messages: "x2 or x3"."""
        return " or ".join(f"x{scale}" for scale in self.scales)


def unnamed_pixels(channels: int) -> PixelFormat:
    """Return the pixels of a network of so many channels that was not trained yet.

    Raises:
        ValueError: if there is no channel.
    """
    if channels < 1:
        raise ValueError(f"channels: {channels} is not 1 or more")
    if channels == RGB8.channels:
        return RGB8
    return full_format(tuple(f"band {number}" for number in range(1, channels + 1)), 16)


class Network(nn.Module, ABC):
    """A super-resolution network: (N, C, H, W) to (N, C, scale*H, scale*W), C by its colour.

    Pixels are 0..1 on both sides; the output is not clipped to it.

    A network for one scale has ``forward(lr)``; one for several has ``forward(lr, scale)`` and sets
    ``multi_scale``. :meth:`upscale` calls either.

    A subclass takes keyword-only arguments and is decorated with :func:`register`. One for any
    number of channels takes ``channels`` and sets ``pixels`` by :func:`unnamed_pixels`.

    Attributes:
        pixels: the channels and values that it was trained on; 8-bit RGB unless it is set.
        hyper_parameters: the arguments that build this network again, defaults included. Model
            files store them.
    """

    multi_scale: ClassVar[bool] = False
    pixels: PixelFormat = RGB8
    hyper_parameters: dict[str, HyperParameter]

    @property
    @abstractmethod
    def descriptor(self) -> Descriptor:
        """The properties that a program must know to run this network."""

    @property
    def colour(self) -> Colour:
        """The meaning of its channels, unless it works on luma."""
        return "RGB" if self.pixels.channels == 3 else "bands"

    def upscale(self, lr: Tensor, scale: int) -> Tensor:
        """Run the network on LR of any size.

        Args:
            lr: (N, C, H, W), 0..1. If a side is not a multiple of ``size_multiple``, its last pixel
                is repeated before the network runs, and the output is cropped.
            scale: one of the descriptor's.

        Returns:
            (N, C, scale*H, scale*W), 0..1 and not clipped.

        Raises:
            ValueError: if the network does not serve this scale.
        """
        self.check_scale(scale)
        height, width = lr.shape[2:]
        multiple = self.descriptor.size_multiple
        if multiple > 1:
            lr = F.pad(lr, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        output: Tensor = self(lr, scale) if self.multi_scale else self(lr)
        return output[:, :, : height * scale, : width * scale]

    def check_scale(self, scale: int) -> None:
        """Raise ValueError if the network does not serve ``scale``."""
        if scale not in self.descriptor.scales:
            served = self.descriptor.scales_text
            raise ValueError(f"{type(self).__name__} has no x{scale}; it enlarges by {served}")


ARCHITECTURES: dict[str, type[Network]] = {}
"""The registered networks by class name, which is the architecture's name in model files."""


_N = TypeVar("_N", bound=Network)


def register(network: type[_N]) -> type[_N]:
    """Class decorator: let model files name this network, and record its hyper-parameters.

    The arguments of each instance become its ``hyper_parameters``, sequences as lists. An
    ``__init__`` may overwrite an entry, if it replaces a default of None by a value.
    """
    init: Any = network.__init__
    signature = inspect.signature(init)

    @functools.wraps(init)
    def recording_init(self: _N, /, *args: object, **kwargs: Any) -> None:  # noqa: ANN401
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError:
            init(self, *args, **kwargs)  # raises the usual message, which names the class
            raise
        if "hyper_parameters" not in vars(self):  # else a subclass has recorded its own
            bound.apply_defaults()
            arguments = list(bound.arguments.items())[1:]
            self.hyper_parameters = {name: _plain(value) for name, value in arguments}
        init(self, *args, **kwargs)

    setattr(network, "__init__", recording_init)  # noqa: B010 (mypy forbids the assignment)
    ARCHITECTURES[network.__name__] = network
    return network


def _plain(value: Any) -> HyperParameter:  # noqa: ANN401 (an argument of any network)
    """A sequence as a list, so that it compares equal after JSON; other values unchanged."""
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str)
    return list(value) if is_sequence else value
