"""MATLAB's ``imresize`` with its default cubic kernel, bit for bit on uint8.

Published super-resolution results are made with it, both the low-resolution input and the bicubic
baseline. Measured against the files that MATLAB made for Set5 and Set14: the kernel has a = -0.5
and is stretched by the scale when shrinking; the vertical pass comes first; on uint8 (and so here
on uint16) each pass is rounded and clipped; the border is replicated.

Bicubic interpolation is computed in three places, because each has a constraint of its own. Here it
is by a whole number and fast, by torch, which prepares whole data sets.
:mod:`drnsr.images.resample` resizes to any size and holds a few rows. ``BicubicSkip`` in
:mod:`drnsr.networks.layers` is a convolution inside the network, which can be exported. The last
two share :func:`cubic_kernel`; a test holds each of the three to MATLAB's or another's pixels.
"""

from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float64]
"""(H, W, C): rounded to the values of 8 or 16 bits, or not."""

SomePicture = TypeVar(
    "SomePicture", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float64], Picture
)
"""A picture; a function returns the type that it was given."""

# The padding beyond the border: the outermost pixels repeated, or the picture mirrored, as for the
# LR files of DBPN and pytorch-vdsr; it changes PSNR by at most 0.003 dB.
Border = Literal["replicate", "mirror"]
_PAD_MODES: dict[Border, Literal["edge", "symmetric"]] = {
    "replicate": "edge",
    "mirror": "symmetric",
}

# The cubic kernel reaches 2 pixels (of the coarser grid) to either side.
_REACH = 2

# Rows or columns that are resized at once.
_BLOCK = 256


def cubic_kernel(x: NDArray[np.float64], a: float = -0.5) -> NDArray[np.float64]:
    """Return the cubic convolution kernel (Keys 1981, equations 4 and 8).

    Args:
        x: distances in pixels, of any sign and shape.
        a: the free parameter, the slope at a distance of 1; MATLAB's is -0.5.
    """
    distance = np.abs(x)
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))


def crop_to_multiple(image: SomePicture, multiple: int) -> SomePicture:
    """Crop at the bottom and right so that both sides are divisible by ``multiple``."""
    height, width = image.shape[:2]
    return image[: height - height % multiple, : width - width % multiple]


def downscale(image: SomePicture, scale: int, *, border: Border = "replicate") -> SomePicture:
    """Shrink an image by a whole number as ``imresize(image, 1/scale)`` does.

    Args:
        image: (H, W, C), uint8 or uint16, or floating point in any range; H and W are divisible
            by ``scale``.
        scale: the factor, 1 or more.
        border: the padding.

    Returns:
        (H/scale, W/scale, C) of the same type. Floating point is neither rounded nor clipped.

    Raises:
        ValueError: if H or W is not a multiple of ``scale`` (see :func:`crop_to_multiple`).
    """
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"an image of {width} x {height} pixels is not divisible by {scale}")
    return _resize(image, height // scale, width // scale, border)


def upscale(image: SomePicture, scale: int, *, border: Border = "replicate") -> SomePicture:
    """Enlarge an image by a whole number as ``imresize(image, scale)`` does: the bicubic baseline.

    Args:
        image: (H, W, C), uint8 or uint16, or floating point in any range.
        scale: the factor, 1 or more.
        border: the padding.

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
        image: (H, W, C), uint8 or uint16, or floating point in any range.
        height: the new one.
        width: the new one.
        kernel: such as BICUBIC, with which some papers made LR, or LANCZOS.

    Returns:
        (height, width, C) of the same type. Floating point is neither rounded nor clipped.
    """
    mode = "L" if image.dtype == np.uint8 else "F"
    planes = np.stack(
        [
            np.asarray(Image.fromarray(plane).convert(mode).resize((width, height), kernel))
            for plane in np.moveaxis(image, 2, 0)
        ],
        axis=2,
    )
    if image.dtype == np.uint16:  # Pillow resizes no 16 bits; float32 holds them exactly
        planes = np.clip(np.floor(planes + np.float32(0.5)), 0, np.iinfo(np.uint16).max)
    return cast(SomePicture, planes.astype(image.dtype))


def _resize(image: SomePicture, height: int, width: int, border: Border) -> SomePicture:
    pixels: NDArray[Any] = image
    for axis, size in ((0, height), (1, width)):
        if pixels.shape[axis] != size:
            pixels = _resize_axis(pixels, axis, size, border)
    return cast(SomePicture, pixels.astype(image.dtype, copy=pixels is image))


def _resize_axis(pixels: NDArray[Any], axis: int, size: int, border: Border) -> NDArray[Any]:
    """Resize one axis of (H, W, C); integers are rounded, and the rest is float64."""
    rounded = np.issubdtype(pixels.dtype, np.integer)
    largest = np.iinfo(pixels.dtype).max if rounded else 0
    shape = list(pixels.shape)
    shape[axis] = size
    resized = np.empty(shape, pixels.dtype if rounded else np.float64)
    # In small blocks: the intermediate results are many times the size of the picture.
    other = 1 - axis
    for channel in range(shape[2]):
        for start in range(0, shape[other], _BLOCK):
            lines = slice(start, start + _BLOCK)
            block = (lines, slice(None)) if other == 0 else (slice(None), lines)
            index = (*block, slice(channel, channel + 1))
            # MATLAB computes in double precision, and so do we.
            result = _resize_lines(pixels[index].astype(np.float64), axis, size, border)
            if rounded:
                # MATLAB rounds halves up; numpy and torch would round them to even.
                result = np.clip(np.floor(result + 0.5), 0, largest)
            resized[index] = result
    return resized


def _resize_lines(
    pixels: NDArray[np.float64], axis: int, size: int, border: Border
) -> NDArray[np.float64]:
    """Resize one axis of (H, W, C), by a whole number or its inverse."""
    old = pixels.shape[axis]
    # Torch leaves out the taps beyond the border, so the picture is padded first, by a width that
    # is a whole number of pixels on the old grid and on the new, and cropped afterwards.
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
