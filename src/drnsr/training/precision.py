"""The precision that a training takes where it may choose."""

import logging
import warnings
from collections.abc import Mapping

import torch

from drnsr.device import resolve_device
from drnsr.errors import UserError
from drnsr.training.device import AUTO

__all__ = ["AUTO", "HardwareError", "check_hardware", "choose_precision"]


def choose_precision(accelerator: str) -> tuple[str, str]:
    """Mixed bf16 where the hardware computes in it, fp32 elsewhere.

    A CPU without instructions for bf16 imitates them, several times slower than it does fp32; so
    does torch where it was built without oneDNN, which knows these instructions.

    Args:
        accelerator: Lightning's name of one, or "auto".

    Returns:
        Lightning's name of the precision, and the reason in words.
    """
    kind = resolve_device(accelerator)
    if kind == "cuda" and torch.cuda.is_available():
        fast, where = torch.cuda.is_bf16_supported(including_emulation=False), "this GPU"
    elif kind not in ("cpu", "cuda"):
        return "32-true", f"no other was tried on {kind}"
    else:
        has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        fast = has_onednn and _has_bf16(torch.cpu.get_capabilities())
        where = "this CPU"
    if fast:
        return "bf16-mixed", f"{where} computes in bf16"
    return "32-true", f"{where} has no instructions for bf16, or none that are known to be fast"


class HardwareError(UserError):
    """What this machine does not have, or does not compute in."""


def check_hardware(accelerator: str, precision: str) -> None:
    """Let Lightning say now, and not after hours of preparation, whether it can train here.

    Args:
        accelerator: Lightning's name of one, or "auto".
        precision: Lightning's name of one, or "auto".

    Raises:
        HardwareError: this machine has no such accelerator, or it does not compute in that.
    """
    import lightning as L

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    wanted = "32-true" if precision == AUTO else precision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it takes another, which is an error here
            trainer = L.Trainer(
                accelerator=accelerator,
                devices=1,
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
            " take auto or cpu"
        ) from error
    device = trainer.strategy.root_device
    taken = trainer.precision
    if wanted == "64-true":
        try:
            torch.empty(1, dtype=torch.float64, device=device)
        except (TypeError, RuntimeError):
            taken = "32-true"  # all that such a device has
    if taken != wanted:
        raise HardwareError(
            f"trainer.precision: {precision} cannot be computed in on this machine's {device.type};"
            f" take {taken} or auto"
        )


def _has_bf16(flags: Mapping[str, object]) -> bool:
    """The names are torch's: two of x86 CPUs, one of ARM's."""
    return any(flags.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
