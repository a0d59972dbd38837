"""The network, and the discriminator that it may train against."""

from typing import Annotated, Literal

from pydantic import Field

from drnsr.config.schema.section import Section
from drnsr.config.values import Integer, Node, NonNegative


class Model(Section):
    """A network, its name in our tables, and its name in the published ones.

    Attributes:
        name: its name in records and tables.
        published: its name in `published_results.csv`; null if there are no published numbers.
        network: its class, and the arguments of the class.
        kernel_expansion: how wide the factors of each inner kernel are while it is trained; null
            for plain kernels: see :mod:`drnsr.networks.expansion`.
    """

    name: str
    published: str | None = None
    network: Node
    kernel_expansion: Annotated[Integer, Field(ge=1, le=16)] | None = None


class LossWeights(Section):
    """The weight of each term in the generator's loss.

    Attributes:
        pixel: of the loss between pixels.
        perceptual: of the loss between features.
        adversarial: of the loss by the discriminator.
    """

    pixel: NonNegative
    perceptual: NonNegative
    adversarial: NonNegative


class Features(Section):
    """The network whose features a perceptual loss compares, and the weight of each layer.

    Attributes:
        network: its class, and the layers that are compared.
        layer_weights: the weight of each layer, in the order of the layers.
        weights: a registry, the user's file, or null for random weights.
    """

    network: Node
    layer_weights: list[NonNegative]
    weights: str | None


class GAN(Section):
    """A discriminator to train against.

    Attributes:
        discriminator: its class, and the arguments of the class.
        adversarial: relativistic is ESRGAN's loss, vanilla Real-ESRGAN's.
        weights: the weight of each term of the network's loss.
        features: what the perceptual term compares.
    """

    discriminator: Node
    adversarial: Literal["relativistic", "vanilla"]
    weights: LossWeights
    features: Features
