"""The networks of conf/model, but small."""

from pkgutil import resolve_name

import torch
from omegaconf import OmegaConf
from torch import nn

from tests.conftest import PROJECT, SMALL

CONF = {path.stem: path for path in sorted((PROJECT / "conf" / "model").glob("*.yaml"))}
MODELS = list(CONF)


def build(model: str, scale: int = 2):
    """The network that conf/model has, but small."""
    config = OmegaConf.merge(OmegaConf.load(CONF[model]), {"scale": scale})
    node = OmegaConf.to_container(config, resolve=True)["network"]
    network_class = resolve_name(node.pop("_target_"))
    torch.manual_seed(0)
    return network_class(**node | {key: SMALL[key] for key in node if key in SMALL})


def wake(network):
    """Give a layer that starts at zero, and would hide what is before it, weights of its own."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network
