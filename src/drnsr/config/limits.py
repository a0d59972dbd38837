"""What the numbers and names of a configuration may be, beyond what their types say."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

_LARGEST = 2**63 - 1  # that torch, numpy and safetensors can count to

# From, and up to. No machine has as many cores or connections as is more than these, no training
# as many steps; and what is asked for is started.
_WHOLE_NUMBERS = {
    "seed": (0, 2**32 - 1),  # numpy's and Lightning's range
    "fetch.connections": (1, 1024),
    "fetch.max_unpacked": (1, _LARGEST),
    "prepare.max_pixels": (1, _LARGEST),
    "prepare.min_side": (1, _LARGEST),
    "datamodule.batch_size": (1, 65_536),
    "datamodule.validation_crop": (1, _LARGEST),
    "datamodule.workers": (0, 1024),
    "trainer.max_steps": (1, 10**9),
    "trainer.validate_every": (1, _LARGEST),
    "trainer.log_every": (1, _LARGEST),
    "trainer.threads": (1, 1024),
    "checkpoints.keep": (1, _LARGEST),
}
_FAIL_OR_SKIP = ("fail", "skip")
_PRECISIONS = ("auto", "32-true", "64-true", "16-mixed", "bf16-mixed", "bf16-true")


def wrong_value(config: DictConfig) -> str | None:
    """What is wrong with the first value that is, if any: the key, the value, and what it may be.

    Args:
        config: complete and of the right types.
    """
    checks = (_wrong_ranges, _negative_steps, _wrong_names)
    return next((wrong for check in checks for wrong in check(config)), None)


def wrong_number(config: DictConfig) -> str | None:
    """The first number that no key takes, if any: it is not finite, or does not fit in 64 bits."""
    for key, value in _leaves(OmegaConf.to_container(config), ""):
        if isinstance(value, float) and not math.isfinite(value):
            return f"{key}: {value} is not a finite number"
        if isinstance(value, int) and abs(value) > _LARGEST:
            return f"{key}: the number does not fit in 64 bits"
    return None


def _leaves(node: object, key: str) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for name, value in items:
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def _wrong_ranges(config: DictConfig) -> Iterator[str]:
    for key, (least, largest) in _WHOLE_NUMBERS.items():
        value = OmegaConf.select(config, key)
        if value < least:
            yield f"{key}: {value} is not {least} or more"
        if value > largest:
            yield f"{key}: {value} is not {largest} or less"
    not_negative: tuple[Callable[[float], bool], str] = (lambda value: value >= 0, "0 or more")
    ranges: dict[str, tuple[Callable[[float], bool], str]] = {
        "prepare.max_shift": (lambda value: value > 0, "more than 0"),
        "data.validation_fraction": (lambda value: 0 < value < 1, "between 0 and 1"),
        "trainer.ema_decay": (lambda value: 0 <= value < 1, "0 or more, and less than 1"),
        "checkpoints.seconds": not_negative,
    }
    if config.gan is not None:
        ranges |= {f"gan.weights.{term}": not_negative for term in config.gan.weights}
    for key, (is_right, wanted) in ranges.items():
        value = OmegaConf.select(config, key)
        if not is_right(value):
            yield f"{key}: {value} is not {wanted}"


def _negative_steps(config: DictConfig) -> Iterator[str]:
    """Rates, factors and numbers of steps; torch takes some below 0, and then a loss is climbed."""
    groups = ("optimizer.", "scheduler.", "clipping.")
    for key, value in _leaves(OmegaConf.to_container(config), ""):
        is_one = key.startswith(groups) and not key.endswith(".last_epoch")
        if is_one and isinstance(value, int | float) and value < 0:
            yield f"{key}: {value} is not 0 or more"


def _wrong_names(config: DictConfig) -> Iterator[str]:
    for key in ("prepare.bad_images", "trainer.nonfinite_loss"):
        if (value := OmegaConf.select(config, key)) not in _FAIL_OR_SKIP:
            yield f"{key}: {value} is not one of {', '.join(_FAIL_OR_SKIP)}"
    precision, accelerator = config.trainer.precision, config.trainer.accelerator
    if precision == "16-true":
        yield (
            "trainer.precision: 16-true does not train: small gradients are 0 in fp16, and the loss"
            " is NaN after a step; take 16-mixed or bf16-mixed"
        )
    if precision not in _PRECISIONS:
        yield f"trainer.precision: {precision} is not one of {', '.join(_PRECISIONS)}"
    if config.trainer.compile not in ("auto", True, False):
        yield f"trainer.compile: {config.trainer.compile} is not one of auto, true, false"
    if config.trainer.compile is True and config.gan is not None:
        yield "trainer.compile: true is not for training against a gan; take auto or false"
    if accelerator not in ("auto", "cpu", "gpu") and accelerator not in (known := _accelerators()):
        yield f"trainer.accelerator: {accelerator} is not one of {', '.join(known)}"


def _accelerators() -> list[str]:
    """Lightning's, and those that its plugins add to them; to ask takes seconds of importing."""
    from lightning.pytorch.accelerators import AcceleratorRegistry

    return sorted({"auto", "gpu", *AcceleratorRegistry.available_accelerators()})


def rehearse(build: Callable[[str], Any]) -> tuple[str, Exception] | None:
    """Take two steps of a training on a network of three layers.

    Args:
        build: makes what a node of the configuration stands for: "loss", "optimizer", "scheduler"
            or "clipping", which may be None.

    Returns:
        The node that failed and with what, if one did.
    """
    import torch
    from torch import nn

    network = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(3)))
    for weights in network.parameters():
        nn.init.constant_(weights, 0.1)
    pixels = torch.full((1, 3, 64, 64), 0.5)  # large enough for a window of SSIM
    node = "loss"
    try:
        loss = build(node)
        node = "optimizer"
        optimizer = build(node)(network.parameters())
        node = "scheduler"
        scheduler = build(node)(optimizer)
        node = "clipping"
        clip = build(node)
        for _ in range(2):
            node = "loss"
            optimizer.zero_grad()
            loss(network(pixels), pixels).backward()
            node = "clipping"
            if clip is not None:
                clip(optimizer)
            node = "optimizer"
            optimizer.step()
            node = "scheduler"
            scheduler.step()
    except Exception as error:  # whatever the libraries raise
        return node, error
    return None
