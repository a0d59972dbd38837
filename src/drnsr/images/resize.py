"""MATLAB's ``imresize`` with its default cubic kernel, bit for bit on uint8.

Published super-resolution results are made with it, for the low-resolution input as for the bicubic
baseline. Facts that matter (all measured against the files that MATLAB made for Set5 and Set14):
the kernel has a = -0.5 and is stretched by the scale when shrinking; the vertical pass comes first;
on uint8 each pass is rounded and clipped; the border is replicated.
"""

from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8] | NDArray[np.float64]
"""(H, W, C), in 0..255: rounded, or not."""

SomePicture = TypeVar("SomePicture", NDArray[np.uint8], NDArray[np.float64], Picture)
"""A picture, where the same kind comes out as went in."""

# What lies beyond the border: its pixels again and again, or the picture mirrored (DBPN's LR files
# and pytorch-vdsr's were made so; it is worth at most 0.003 dB).
Border = Literal["replicate", "mirror"]
_PAD_MODES: dict[Border, Literal["edge", "symmetric"]] = {
    "replicate": "edge",
    "mirror": "symmetric",
}

# The cubic kernel reaches 2 pixels (of the coarser grid) to either side.
_REACH = 2


def crop_to_multiple(image: SomePicture, multiple: int) -> SomePicture:
    """Cut rows and columns off the bottom and right until both sizes divide by ``multiple``."""
    height, width = image.shape[:2]
    return image[: height - height % multiple, : width - width % multiple]


def downscale(image: SomePicture, scale: int, *, border: Border = "replicate") -> SomePicture:
    """Shrink an image by a whole number as ``imresize(image, 1/scale)`` does.

    Args:
        image: (H, W, C), uint8 in 0..255 or floating point in any range; H and W divide by
            ``scale``.
        scale: how many times smaller, 1 or more.
        border: what lies beyond it.

    Returns:
        (H/scale, W/scale, C) of the same type. Floating point is neither rounded nor clipped.

    Raises:
        ValueError: H or W is no multiple of ``scale`` (see :func:`crop_to_multiple`).
    """
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"an image of {width} x {height} pixels does not divide by {scale}")
    return _resize(image, height // scale, width // scale, border)


def upscale(image: SomePicture, scale: int, *, border: Border = "replicate") -> SomePicture:
    """Enlarge an image by a whole number as ``imresize(image, scale)`` does: the bicubic baseline.

    Args:
        image: (H, W, C), uint8 in 0..255 or floating point in any range.
        scale: how many times larger, 1 or more.
        border: what lies beyond it.

    Returns:
        (H*scale, W*scale, C) of the same type. Floating point is neither rounded nor clipped.
    """
    height, width = image.shape[:2]
    return _resize(image, height * scale, width * scale, border)


def pillow_resize(
    image: SomePicture, height: int, width: int, kernel: Image.Resampling
) -> SomePicture:
    """Resize an image with Pillow, plane by plane, so that floating point stays what it is.

    Args:
        image: (H, W, C), uint8 in 0..255 or floating point in any range.
        height: the new one.
        width: the new one.
        kernel: such as BICUBIC, with which some papers made LR, or LANCZOS.

    Returns:
        (height, width, C) of the same type. Floating point is neither rounded nor clipped.
    """
    mode = "L" if image.dtype == np.uint8 else "F"
    planes = [
        np.asarray(Image.fromarray(plane).convert(mode).resize((width, height), kernel))
        for plane in np.moveaxis(image, 2, 0)
    ]
    return cast(SomePicture, np.stack(planes, axis=2).astype(image.dtype))


def _resize(image: SomePicture, height: int, width: int, border: Border) -> SomePicture:
    # One channel after the other: the intermediate results are many times the size of the picture.
    channels = np.split(image, image.shape[2], axis=2)
    resized = [_resize_channel(channel, height, width, border) for channel in channels]
    return cast(SomePicture, np.concatenate(resized, axis=2))


def _resize_channel(channel: NDArray[Any], height: int, width: int, border: Border) -> NDArray[Any]:
    """Resize (H, W, 1)."""
    pixels = channel.astype(np.float64)  # MATLAB computes in double precision, and so do we
    for axis, size in ((0, height), (1, width)):
        pixels = _resize_axis(pixels, axis, size, border)
        if channel.dtype == np.uint8:
            # MATLAB rounds halves up; numpy and torch would round them to even.
            pixels = np.clip(np.floor(pixels + 0.5), 0, 255)
    return pixels.astype(channel.dtype)


def _resize_axis(
    pixels: NDArray[np.float64], axis: int, size: int, border: Border
) -> NDArray[np.float64]:
    """Resize one axis of (H, W, C), whose old and new size divide one another."""
    old = pixels.shape[axis]
    if old == size:
        return pixels
    # Torch leaves out the taps beyond the border, so the border is filled beforehand, to a width
    # that is whole on the old grid and on the new, and cut off afterwards.
    margin_old = _REACH * max(1, old // size)
    margin_new = margin_old * size // old
    widths = [(0, 0), (0, 0), (0, 0)]
    widths[axis] = (margin_old, margin_old)
    padded = torch.from_numpy(np.pad(pixels, widths, mode=_PAD_MODES[border]))
    planes = padded.permute(2, 0, 1)[None]  # (1, C, H, W)
    shape = list(planes.shape[2:])
    shape[axis] = size + 2 * margin_new
    resized = F.interpolate(planes, shape, mode="bicubic", antialias=True, align_corners=False)
    inside = resized.narrow(axis + 2, margin_new, size)
    return inside[0].permute(1, 2, 0).numpy()
