"""Deep residual networks for single-image super-resolution, and the pipeline around them."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drnsr.inference.upscaler import Upscaler

# A thread that has computed its part uses its core until the others are done too, also if another
# program needs the core. GNU's OpenMP, which reads this when torch is imported, then gives the core
# away after some microseconds instead of a millisecond: benchmarks/busy_core.py.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

__all__ = ["Upscaler"]


def __getattr__(name: str) -> object:
    """Import what people ask the package for when they do: torch takes its time."""
    if name == "Upscaler":
        from drnsr.inference.upscaler import Upscaler

        return Upscaler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
