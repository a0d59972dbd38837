"""Choices of a training that depend on its device: accelerator, compilation, optimizer kernels."""

import inspect
import logging
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from drnsr.device import resolve_device

log = logging.getLogger("drnsr")

AUTO = "auto"

Loss = Callable[[Tensor, Tensor], Tensor]


def choose_compile(accelerator: str) -> tuple[bool, str]:
    """Choose whether training steps are compiled, if the configuration leaves it open.

    Args:
        accelerator: Lightning's name of an accelerator, or "auto".

    Returns:
        The choice, and its reason as text.
    """
    kind = resolve_device(accelerator)
    if kind != "cuda":
        return False, f"on {kind} compiling takes a minute, and gains little"
    if find_spec("triton") is None:
        return False, "Triton is not installed, which torch compiles with"
    return True, "launching the kernels one by one takes longer than computing them"


def compile_loss(loss: Loss, *, graphs: bool) -> Loss:
    """Compile a loss and its gradients with torch.compile.

    In a deterministic training the compiler does not choose between kernels by timing them.

    Args:
        loss: a function of two tensors.
        graphs: whether CUDA replays the forward pass and the backward pass as graphs.
    """
    options: dict[str, bool | int | str | Callable[..., object]] = {"triton.cudagraphs": graphs}
    if "deterministic" in torch._inductor.list_options():
        options["deterministic"] = torch.are_deterministic_algorithms_enabled()
    return cast(Loss, torch.compile(loss, dynamic=False, options=options))


def make_optimizer(
    device: torch.device,
    make: Callable[[Iterable[nn.Parameter]], Optimizer],
    parameters: Iterable[nn.Parameter],
) -> Optimizer:
    """Make an optimizer: on other devices than the CPU a fused one, if there is one.

    Raises:
        ValueError: if the optimizer refuses its arguments.
    """
    trained = list(parameters)
    if device.type == "cpu" or "fused" not in inspect.signature(make).parameters:
        return make(trained)
    options = {"fused": True}
    if device.type == "cuda" and "capturable" in inspect.signature(make).parameters:
        options["capturable"] = True
    try:
        return make(trained, **options)
    except RuntimeError:  # not on this device, or not with another argument
        return make(trained)


def is_asynchronous(device: torch.device) -> bool:
    """Return whether reading a value waits for all work that is queued on the device."""
    return device.type != "cpu"


def is_capturable(optimizer: Optimizer) -> bool:
    """Return whether a CUDA graph can capture its step, and the step skips non-finite losses."""
    return can_skip(optimizer) and all(
        group.get("capturable", False) for group in optimizer.param_groups
    )


def can_skip(optimizer: Optimizer) -> bool:
    """Return whether its step honours ``found_inf``, as torch's loss scaling requires."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def configure_device(device: torch.device, *, deterministic: bool) -> None:
    """Choose precision and algorithms of a CUDA device, and log the choice."""
    if device.type != "cuda":
        return
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = not deterministic
    algorithms = "deterministic" if deterministic else "the fastest, with other bits in each run"
    name = torch.cuda.get_device_name(device)
    log.info("%s: fp32 products in TF32; algorithms: %s", name, algorithms)
