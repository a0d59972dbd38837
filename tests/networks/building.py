"""The networks of conf/model, made small so that tests are quick."""

from pkgutil import resolve_name

import torch
from omegaconf import OmegaConf
from torch import nn

from drnsr.networks import DRNSR
from tests.conftest import PROJECT

CONF = {path.stem: path for path in sorted((PROJECT / "conf" / "model").glob("*.yaml"))}
MODELS = list(CONF)

SMALL = {
    "num_features": 4,
    "num_layers": 4,
    "num_stages": 3,
    "num_shallow_features": 6,
    "num_growth": 4,
    "reduction": 1,  # the ReLU of a single unit inside the attention could be zero everywhere
}


def shrink(hyper_parameters):
    """Return small values for a network's widths and depths; an unlisted ``num_*`` becomes 2."""
    return {
        name: SMALL.get(name, 2)
        for name in hyper_parameters
        if name in SMALL or name.startswith("num_")
    }


def build(model: str, scale: int = 2, **changes):
    """Build the network that conf/model has, but small, with changed hyper-parameters."""
    config = OmegaConf.merge(OmegaConf.load(CONF[model]), {"scale": scale})
    node = OmegaConf.to_container(config, resolve=True)["network"]
    network_class = resolve_name(node.pop("_target_"))
    torch.manual_seed(0)
    return network_class(**node | shrink(node) | changes)


def wake(network):
    """Give random values to parameters that start at zero, which would hide all before them."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def overflowing(factor: float):
    """Build a network whose features overflow but whose output does not.

    Args:
        factor: the value of the features; above 65504 it overflows in fp16, near 3e38 in fp32.
    """
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("head."):
                parameter.mul_(0).add_(factor)
            elif name.startswith("tail."):
                parameter.mul_(1 / factor if factor < 1e30 else 1.0)
    return network.eval()
