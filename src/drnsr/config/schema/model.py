"""The network, and the discriminator that it may train against."""

from typing import Literal

from drnsr.config.schema.section import Section
from drnsr.config.values import Node, NonNegative


class Model(Section):
    """A network, its name in our tables, and its name in the published ones."""

    name: str
    published: str | None = None
    network: Node


class LossWeights(Section):
    """The weight of each term in the generator's loss."""

    pixel: NonNegative
    perceptual: NonNegative
    adversarial: NonNegative


class Features(Section):
    """The network whose features a perceptual loss compares, and the weight of each layer.

    The weights of the network are a registry's file, the user's file, or null for random ones.
    """

    network: Node
    layer_weights: list[NonNegative]
    weights: str | None


class GAN(Section):
    """A discriminator to train against."""

    discriminator: Node
    adversarial: Literal["relativistic", "vanilla"]
    weights: LossWeights
    features: Features
