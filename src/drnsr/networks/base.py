"""What every network promises."""

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

Precision = Literal["fp32", "bf16", "fp16"]

HyperParameter = int | float | bool | str | list[int] | list[float]

LARGEST_HYPER_PARAMETER = 4096
"""No network of the literature is as wide or as deep; what is takes forever to build."""


@dataclass(frozen=True)
class Descriptor:
    """What one must know of a network to run it.

    Attributes:
        scales: how many times larger the output can be.
        receptive_field: how far a result looks, as a radius in LR pixels. What the network makes of
            an LR pixel (scale x scale pixels) depends on no LR pixel that is further away than
            this, up, down, left or right; "global" where it depends on the whole picture.
        colour: which channels go in and come out: RGB, or the BT.601 studio luma, not rounded.
        value_range: of a pixel, in and out.
        size_multiple: what the network needs the sides of LR to be multiples of;
            :meth:`Network.upscale` sees to it.
        precisions: in which it can run (under autocast) without overflow or visible damage.
        tiling_exact: whether a part of a picture, with ``receptive_field`` pixels around it and
            beginning at multiples of ``size_multiple``, gives what the whole picture gives there.
    """

    scales: tuple[int, ...]
    receptive_field: int | Literal["global"]
    colour: Literal["RGB", "Y"] = "RGB"
    value_range: tuple[float, float] = (0.0, 1.0)
    size_multiple: int = 1
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
    tiling_exact: bool = True

    @property
    def channels(self) -> int:
        """How many planes go in and come out."""
        return 3 if self.colour == "RGB" else 1

    @property
    def scales_text(self) -> str:
        """The scales, for people."""
        return " or ".join(f"x{scale}" for scale in self.scales)


class Network(nn.Module, ABC):
    """A super-resolution network: (N, C, H, W) to (N, C, scale*H, scale*W), C by its colour.

    Pixels are 0..1 on both sides; the output is not clipped to it.

    A network of one scale has ``forward(lr)``; one that serves several has ``forward(lr, scale)``
    and says so by ``multi_scale``. :meth:`upscale` calls either.

    A subclass takes keyword-only arguments and keeps each under its own name, so that
    :attr:`hyper_parameters` can give them back and a saved model can be built again.
    """

    multi_scale: ClassVar[bool] = False

    @property
    @abstractmethod
    def descriptor(self) -> Descriptor:
        """What one must know to run this network."""

    @property
    def hyper_parameters(self) -> dict[str, HyperParameter]:
        """The arguments that build this network again."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    def upscale(self, lr: Tensor, scale: int) -> Tensor:
        """Run the network on LR of any size.

        Args:
            lr: (N, C, H, W), 0..1. Where a side is no multiple of ``size_multiple``, its last
                pixel is repeated on the way in, and cut off on the way out.
            scale: one of the descriptor's.

        Returns:
            (N, C, scale*H, scale*W), 0..1 and not clipped.

        Raises:
            ValueError: the network does not serve this scale.
        """
        self.check_scale(scale)
        height, width = lr.shape[2:]
        multiple = self.descriptor.size_multiple
        if multiple > 1:
            lr = F.pad(lr, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        output: Tensor = self(lr, scale) if self.multi_scale else self(lr)
        return output[:, :, : height * scale, : width * scale]

    def check_scale(self, scale: int) -> None:
        """Raise ValueError where the network does not serve ``scale``."""
        if scale not in self.descriptor.scales:
            served = self.descriptor.scales_text
            raise ValueError(f"{type(self).__name__} has no x{scale}; it enlarges by {served}")
