"""Two training steps on a tiny network, to find the values that a library refuses."""

from typing import TYPE_CHECKING

from drnsr.config.errors import ConfigError, one_line
from drnsr.config.targets import instantiate

if TYPE_CHECKING:
    from drnsr.config.schema import Config


def check_steps(config: "Config") -> None:
    """Train three layers for two steps with the loss, optimizer, scheduler and clipping.

    Raises:
        ConfigError: if one of them raises an error; the message names it.
    """
    import torch
    from torch import nn

    network = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(3)))
    for weights in network.parameters():
        nn.init.constant_(weights, 0.1)
    pixels = torch.full((1, 3, 64, 64), 0.5)  # large enough for a window of SSIM
    key = "loss"  # of the node that is at work
    try:
        loss = instantiate(config.loss)
        key = "optimizer"
        optimizer = instantiate(config.optimizer)(network.parameters())
        key = "scheduler"
        scheduler = instantiate(config.scheduler)(optimizer)
        key = "clipping"
        clip = instantiate(config.clipping)
        for _ in range(2):
            key = "loss"
            optimizer.zero_grad()
            loss(network(pixels), pixels).backward()
            key = "clipping"
            if clip is not None:
                clip(optimizer)
            key = "optimizer"
            optimizer.step()
            key = "scheduler"
            scheduler.step()
    except Exception as error:  # whatever the libraries raise
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise ConfigError(f"{key}: {one_line(cause)}") from error
