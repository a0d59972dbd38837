"""The precision that a training takes where it may choose."""

from collections.abc import Mapping

import torch

AUTO = "auto"


def choose_precision(accelerator: str) -> tuple[str, str]:
    """Mixed bf16 where the hardware computes in it, fp32 elsewhere.

    A CPU without instructions for bf16 imitates them, several times slower than it does fp32; so
    does torch where it was built without oneDNN, which knows these instructions.

    Args:
        accelerator: Lightning's name of one, or "auto".

    Returns:
        Lightning's name of the precision, and the reason in words.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        fast, where = torch.cuda.is_bf16_supported(including_emulation=False), "this GPU"
    elif accelerator == "mps" or (
        accelerator in ("auto", "gpu") and torch.backends.mps.is_available()
    ):
        fast, where = False, "MPS"
    else:
        has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        fast = has_onednn and _has_bf16(torch.cpu.get_capabilities())
        where = "this CPU"
    if fast:
        return "bf16-mixed", f"{where} computes in bf16"
    return "32-true", f"{where} has no instructions for bf16, or none that are known to be fast"


def _has_bf16(flags: Mapping[str, object]) -> bool:
    """The names are torch's: two of x86 CPUs, one of ARM's."""
    return any(flags.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
