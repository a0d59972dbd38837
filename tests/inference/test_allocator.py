import platform
import subprocess
import sys

import pytest

# Page faults of a process that fills 80 MiB and frees them, again and again: one for each page that
# the kernel hands out. Not the first times, in which the heap still finds its places.
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
def test_memory_of_a_tile_is_not_asked_of_the_kernel_again():
    assert faults("as it was") > 10 * faults("kept")
