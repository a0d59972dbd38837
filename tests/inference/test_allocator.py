import platform
import subprocess
import sys

import pytest

# Page faults of a process that fills 80 MiB, frees them, and does so again: a fault for each page
# that the kernel has to hand out.
FAULTS = """
import resource
import sys
import torch
from drnsr.inference.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
torch.zeros(20 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.zeros(20 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(memory):
    command = [sys.executable, "-c", FAULTS, memory]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_of_a_tile_is_asked_of_the_kernel_once():
    assert faults("as it was") > 5 * faults("kept")
