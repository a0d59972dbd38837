"""The allocator keeps the memory that a layer has freed."""

import platform
import subprocess
import sys

import pytest

# Counts the page faults of a process that repeatedly allocates and frees 80 MiB. The first times do
# not count, because the heap grows.
FAULTS = """
import resource
import sys
import torch
from drnsr.inference.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for number in range(30):
    if number == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(20 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(memory):
    command = [sys.executable, "-c", FAULTS, memory]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_not_returned_to_the_kernel():
    assert faults("default") > 10 * faults("kept")
