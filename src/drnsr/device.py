"""The devices that "auto" and a number of devices stand for."""

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


def has_bf16(device: str) -> bool:
    """Return whether a CPU or a CUDA device has instructions for bf16.

    A CPU without them emulates bf16, several times slower than fp32. So does torch if it was built
    without oneDNN, which uses these instructions.
    """
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    flags = torch.cpu.get_capabilities()
    # Two of torch's names are x86, one is ARM.
    names = ("avx512_bf16", "amx_bf16", "bf16")
    return has_onednn and any(flags.get(name) for name in names)


def share_devices(devices: str | None, device: str) -> list[str]:
    """Return torch's names of the devices that share the work, one for each process.

    Args:
        devices: a number of processes, or names separated by commas; None for one.
        device: the kind of device if ``devices`` is a number. Each process has a GPU of its own.
    """
    device = resolve_device(device)
    if devices is None or devices == "1":
        return [device]
    if not devices.isdecimal():
        return [resolve_device(name) for name in devices.split(",")]
    kind = device.partition(":")[0]
    if kind in ("cpu", "mps"):  # of which there is one
        return [kind] * int(devices)
    return [f"{kind}:{number}" for number in range(int(devices))]


def thread_shares(processes: int) -> list[int]:
    """Divide this process's threads of torch among processes; each gets one at least."""
    whole, rest = divmod(torch.get_num_threads(), processes)
    return [max(1, whole + (number < rest)) for number in range(processes)]
