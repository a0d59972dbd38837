"""What a training does on the device that it runs on, and says of it."""

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
    """Whether steps are compiled where it is left open.

    Args:
        accelerator: Lightning's name of one, or "auto".

    Returns:
        The choice, and the reason in words.
    """
    kind = resolve_device(accelerator)
    if kind != "cuda":
        return False, f"on {kind} it costs a minute at the start, and gains little"
    if find_spec("triton") is None:
        return False, "there is no Triton, which torch compiles with"
    return True, "to launch its parts one by one takes longer than to compute them"


def compiled(loss: Loss, *, graphs: bool) -> Loss:
    """Let torch write kernels for a loss and its gradients.

    Where a training is to be deterministic, it is told not to choose between kernels by timing
    them.

    Args:
        loss: of tensors.
        graphs: whether CUDA is to replay each of the two passes as a graph.
    """
    options: dict[str, bool | int | str | Callable[..., object]] = {"triton.cudagraphs": graphs}
    if "deterministic" in torch._inductor.list_options():
        options["deterministic"] = torch.are_deterministic_algorithms_enabled()
    return cast(Loss, torch.compile(loss, dynamic=False, options=options))


def made_for(
    device: torch.device,
    make: Callable[[Iterable[nn.Parameter]], Optimizer],
    parameters: Iterable[nn.Parameter],
) -> Optimizer:
    """Make an optimizer; away from the CPU one that takes its step in one kernel, if it can.

    Raises:
        ValueError: whatever the optimizer says of its arguments.
    """
    held = list(parameters)
    if device.type == "cpu" or "fused" not in inspect.signature(make).parameters:
        return make(held)
    wanted = {"fused": True}
    if device.type == "cuda" and "capturable" in inspect.signature(make).parameters:
        wanted["capturable"] = True
    try:
        return make(held, **wanted)
    except RuntimeError:  # not for this device, or not beside another argument
        return make(held)


def is_capturable(optimizer: Optimizer) -> bool:
    """Whether its step can be recorded, and leaves all as it is where told of a bad loss."""
    return can_skip(optimizer) and all(
        group.get("capturable", False) for group in optimizer.param_groups
    )


def can_skip(optimizer: Optimizer) -> bool:
    """Whether it looks at ``found_inf``, as torch's loss scaling has fused optimizers do."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def set_up(device: torch.device, *, deterministic: bool) -> None:
    """Choose how a CUDA device computes, and tell of it."""
    if device.type != "cuda":
        return
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = not deterministic
    told = "deterministic" if deterministic else "the fastest ones, which give other bits each time"
    name = torch.cuda.get_device_name(device)
    log.info("%s: products of fp32 in TF32; algorithms: %s", name, told)
