"""The processes of one training: their ranks, their messages, and their agreements.

They are started by torch's elastic launcher, which is what ``torchrun`` is; it ends all of them if
one of them fails.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import lightning as L
import torch
from torch import Tensor, distributed
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from drnsr.training.device import is_asynchronous

# On a GPU, processes agree at every so many steps: an agreement waits for the device.
_STEPS_BETWEEN_AGREEMENTS = 20

# The first process may prepare data for hours before it sends the configuration.
_LONGEST_PREPARATION = timedelta(days=7)

_MESSAGE = "drnsr"  # key in the store


@dataclass(frozen=True)
class Process:
    """One of the processes that a launcher started.

    Attributes:
        rank: its number among them, from 0; the first one writes all files.
        world_size: how many there are, on all machines.
    """

    rank: int
    world_size: int


def launched_process() -> Process | None:
    """Return which process this is; None if no launcher started it."""
    if not distributed.is_torchelastic_launched():
        return None
    return Process(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def send_to_others(message: str) -> None:
    """Send a text from the first process to the others."""
    _store().set(_MESSAGE, message)


def receive_from_first() -> str:
    """Wait for the text that the first process sends, and return it."""
    store = _store()
    store.wait([_MESSAGE], _LONGEST_PREPARATION)
    return bytes(store.get(_MESSAGE)).decode()


def _store() -> PrefixStore:
    """Connect to the store of the launcher, where its restarts have different keys."""
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    return PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store)


def starts_step(trainer: L.Trainer, batch_idx: int) -> bool:
    """Return whether a batch of the loader is the first of a step that accumulates gradients."""
    return batch_idx % trainer.accumulate_grad_batches == 0


def ends_step(trainer: L.Trainer, batch_idx: int) -> bool:
    """Return whether a batch of the loader is the last of a step that accumulates gradients."""
    return starts_step(trainer, batch_idx + 1)


def any_process(trainer: L.Trainer, condition: bool) -> bool:
    """Return in every process whether the condition holds in one of them.

    All processes call it before the same steps. On a GPU, it is asked for at some steps only; at
    the others the answer is False.
    """
    if trainer.world_size == 1:
        return condition
    is_due = trainer.global_step % _STEPS_BETWEEN_AGREEMENTS == 0
    if is_asynchronous(trainer.strategy.root_device) and not is_due:
        return False
    return trainer.strategy.reduce_boolean_decision(condition, all=False)


def mean_over_processes(trainer: L.Trainer, values: Tensor) -> Tensor:
    """Return in every process the mean of each value over the processes.

    Their sum is the same in all processes, and NaN or infinite if one of the values is.
    """
    if trainer.world_size == 1:
        return values
    total = values.to(trainer.strategy.root_device).clone()
    distributed.all_reduce(total)
    return total / trainer.world_size


def mean_with_gradient(value: Tensor) -> Tensor:
    """Return in every process the mean of a value over the processes, with its gradient.

    Without other processes it is the value itself.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return value
    total: Tensor = _SumOverProcesses.apply(value)  # type: ignore[no-untyped-call]
    return total / distributed.get_world_size()


class _SumOverProcesses(torch.autograd.Function):
    """A sum that is in the loss of every process, so that the gradient is a sum, too."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:  # noqa: ANN401 (torch's own signature)
        total = value.contiguous().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


def in_sample_order(trainer: L.Trainer, values: list[Tensor]) -> list[Tensor]:
    """Return in every process the values of all samples of the validation.

    Args:
        trainer: of this process; a process that no sample is left for has a value, too.
        values: of the samples r, r + n, r + 2n, ... of process r of n.
    """
    if trainer.world_size == 1:
        return values
    parts: list[list[Tensor]] = [[] for _ in range(trainer.world_size)]
    distributed.all_gather_object(parts, [value.cpu() for value in values])
    assert trainer.val_dataloaders is not None
    count = len(trainer.val_dataloaders.dataset)
    ordered = [parts[k % trainer.world_size][k // trainer.world_size] for k in range(count)]
    return [value.to(trainer.strategy.root_device) for value in ordered]
