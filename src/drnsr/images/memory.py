"""The memory that is left on this machine."""

import re
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_LIMIT_OF_GROUP = Path("/sys/fs/cgroup/memory.max")  # of a container


def available_memory() -> float:
    """Return the bytes that processes can still take, with swap; infinite if it is not known.

    It is known on Linux.
    """
    try:
        found = dict(re.findall(r"^(\w+): +(\d+) kB$", _MEMINFO.read_text(), re.MULTILINE))
        free = 1024.0 * (int(found["MemAvailable"]) + int(found["SwapFree"]))
    except (OSError, KeyError):
        return float("inf")
    try:
        return min(free, float(_LIMIT_OF_GROUP.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit: "max"
        return free
