"""The precision of a training, and whether this machine supports it."""

import logging
import warnings

import torch

from drnsr.device import has_bf16, resolve_device
from drnsr.errors import UserError
from drnsr.training.device import AUTO
from drnsr.verbosity import is_verbose

__all__ = ["AUTO", "HardwareError", "check_hardware", "choose_precision"]


def choose_precision(accelerator: str) -> tuple[str, str]:
    """Choose mixed bf16 if the hardware has instructions for it, and fp32 otherwise.

    Args:
        accelerator: Lightning's name of an accelerator, or "auto".

    Returns:
        Lightning's name of the precision, and the reason as text.
    """
    kind = resolve_device(accelerator)
    if kind not in ("cpu", "cuda"):
        return "32-true", f"no other precision was tested on {kind}"
    on_gpu = kind == "cuda" and torch.cuda.is_available()
    where = "this GPU" if on_gpu else "this CPU"
    if has_bf16("cuda" if on_gpu else "cpu"):
        return "bf16-mixed", f"{where} computes in bf16"
    return "32-true", f"{where} has no bf16 instructions that are known to be fast"


class HardwareError(UserError):
    """An accelerator or a precision that this machine does not support."""


def check_hardware(accelerator: str, precision: str, *, devices: int = 1) -> None:
    """Check whether Lightning can train on this machine, before hours of preparation.

    Args:
        accelerator: Lightning's name of an accelerator, or "auto".
        precision: Lightning's name of a precision, or "auto".
        devices: number of processes on this machine, each with a device of its own.

    Raises:
        HardwareError: if this machine does not support the accelerator or the precision, or has
            fewer devices.
    """
    import lightning as L
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment

    if not is_verbose():
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    wanted = "32-true" if precision == AUTO else precision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a replaced precision, which is an error here
            trainer = L.Trainer(
                accelerator=accelerator,
                devices=devices,
                plugins=[LightningEnvironment()],
                precision=wanted,  # type: ignore[arg-type]
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
    except Exception as error:  # Lightning's own, or that of a plugin's library
        reason = " ".join(str(error).split())
        raise HardwareError(
            f"trainer.accelerator: {accelerator} cannot be used on this machine ({reason});"
            f" take auto or cpu{' or fewer trainer.devices' if devices > 1 else ''}"
        ) from error
    device = trainer.strategy.root_device
    taken = trainer.precision
    if wanted == "64-true":
        try:
            torch.empty(1, dtype=torch.float64, device=device)
        except (TypeError, RuntimeError):
            taken = "32-true"  # this device has no fp64
    if taken != wanted:
        raise HardwareError(
            f"trainer.precision: {precision} is not supported by this machine's {device.type};"
            f" take {taken} or auto"
        )
