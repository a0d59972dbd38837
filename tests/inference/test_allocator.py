"""The allocator keeps the memory that a layer has freed."""

import platform
import subprocess
import sys

import pytest

# Counts the page faults of a process that repeatedly allocates and frees 40 MiB, before and after
# it keeps freed memory. The first times do not count, because the heap grows.
FAULTS = """
import resource
import torch
from drnsr.inference.allocator import keep_freed_memory

def faults():
    for number in range(30):
        if number == 20:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.zeros(10 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
keep_freed_memory()
print(usual, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_not_returned_to_the_kernel():
    command = [sys.executable, "-c", FAULTS]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    usual, kept = map(int, printed.split())
    assert usual > 10 * kept
