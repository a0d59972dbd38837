"""The device that "auto" stands for."""

import torch


def resolve_device(name: str) -> str:
    """Return torch's name of the device that "auto" and "gpu" stand for on this machine.

    They stand for what Lightning takes: CUDA, or MPS, or the CPU if there is neither. Any other
    name is returned unchanged.
    """
    if name not in ("auto", "gpu"):
        return name
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
