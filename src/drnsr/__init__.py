"""Deep residual networks for single-image super-resolution, and the pipeline around them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drnsr.inference.upscaler import Upscaler

__all__ = ["Upscaler"]


def __getattr__(name: str) -> object:
    """Import what people ask the package for when they do: torch takes its time."""
    if name == "Upscaler":
        from drnsr.inference.upscaler import Upscaler

        return Upscaler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
