"""The C library's memory, in a program that enlarges pictures."""

import ctypes
import platform

# Of <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_MIB = 1 << 20


def keep_freed_memory() -> None:
    """Let what a layer has freed serve the next one.

    glibc hands blocks of more than 32 MiB back to the kernel, which fills each page of the next one
    with zeros. What a layer makes of a tile is 83 MiB in the shipped models, and `drnsr upscale`
    took 1.5 times as long. Now blocks up to 128 MiB stay, 256 MiB of them when all are free. A
    library must not decide that for the process it is in; a program may. Other C libraries are left
    as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 128 * _MIB)
        library.mallopt(_M_TRIM_THRESHOLD, 256 * _MIB)
