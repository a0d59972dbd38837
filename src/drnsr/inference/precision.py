"""The precision of an inference that leaves the choice to the program."""

from collections.abc import Sequence
from typing import Literal

import torch

from drnsr.device import has_bf16
from drnsr.networks.base import Precision

PrecisionChoice = Precision | Literal["auto"]
"""A precision, or "auto": low precision where it is fast, for pixels of 8 bits alone."""

# NVIDIA's compute capability of the first GPUs that multiply in fp16 by tensor cores.
_TENSOR_CORES = (7, 0)


def choose_precision(device: str, supported: Sequence[Precision]) -> tuple[Precision, str]:
    """Choose the precision for pixels of 8 bits.

    Args:
        device: torch's name of a device that is available.
        supported: the precisions in which the network runs.

    Returns:
        bf16 if the CPU or the CUDA device has instructions for it; else fp16 on a CUDA device with
        tensor cores; else fp32. And the reason as text.
    """
    kind = torch.device(device).type
    where = {"cpu": "this CPU", "cuda": "this GPU"}.get(kind)
    if where is None:
        return "fp32", f"no other precision was tested on {kind}"
    if has_bf16(device) and "bf16" in supported:
        return "bf16", f"{where} computes in bf16"
    has_fp16 = kind == "cuda" and torch.cuda.get_device_capability(device) >= _TENSOR_CORES
    if has_fp16 and "fp16" in supported:
        return "fp16", f"{where} computes in fp16"
    return "fp32", f"{where} has no instructions for the low precisions of this network"
