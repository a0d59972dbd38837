"""What every network promises."""

import inspect
from dataclasses import dataclass
from typing import Literal

from torch import nn


@dataclass(frozen=True)
class Descriptor:
    """What one must know of a network to run it.

    Attributes:
        scale: how many times larger the output is.
        colour: which channels go in and come out.
        value_range: the range of a pixel, in and out.
    """

    scale: int
    colour: Literal["RGB"]
    value_range: tuple[float, float]


class Network(nn.Module):
    """A super-resolution network: RGB (N, 3, H, W) to (N, 3, scale*H, scale*W).

    Pixels are 0..1 on both sides; the output is not clipped to it.

    A subclass takes keyword-only arguments and keeps each under its own name, so that
    :attr:`hyper_parameters` can give them back and a saved model can be built again.
    """

    scale: int

    @property
    def hyper_parameters(self) -> dict[str, int | float]:
        """The arguments that build this network again."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    @property
    def descriptor(self) -> Descriptor:
        """What one must know to run this network."""
        return Descriptor(scale=self.scale, colour="RGB", value_range=(0.0, 1.0))
