"""The luma on which super-resolution is measured, and YCbCr."""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from drnsr.images.resize import Picture, SomePicture

# ITU-R BT.601 in studio range, as in MATLAB's rgb2ycbcr (for inputs of 0..255): the rows are Y, Cb
# and Cr.
_YCBCR: NDArray[np.float64] = (
    np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
    / 255.0
)
LUMA_WEIGHTS = tuple(_YCBCR[0].tolist())
"""The luma of each of red, green and blue at 1."""

_OFFSETS: NDArray[np.float64] = np.array([16.0, 128.0, 128.0])


def luma(image: Picture) -> NDArray[np.float64]:
    """Return MATLAB's Y of an RGB image, not rounded.

    Args:
        image: (H, W, 3), 0..255.

    Returns:
        (H, W) double, 16..235.
    """
    weighted: NDArray[np.float64] = image.astype(np.float64) @ _YCBCR[0]
    return weighted + float(_OFFSETS[0])


def luma_planes(rgb: Tensor) -> Tensor:
    """Return :func:`luma` of a batch of network inputs or outputs.

    Args:
        rgb: (N, 3, H, W) floating point, 0..1.

    Returns:
        (N, 1, H, W), 16/255..235/255.
    """
    weights = rgb.new_tensor(_YCBCR[0])
    weighted = (rgb * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    return weighted + float(_OFFSETS[0]) / 255


def rgb_to_ycbcr(image: Picture) -> NDArray[np.float64]:
    """Return MATLAB's YCbCr of an RGB image, not rounded.

    Args:
        image: (H, W, 3), 0..255.

    Returns:
        (H, W, 3) double: Y of 16..235, Cb and Cr of 16..240.
    """
    weighted: NDArray[np.float64] = image.astype(np.float64) @ _YCBCR.T
    return weighted + _OFFSETS


def ycbcr_to_rgb(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert :func:`rgb_to_ycbcr`.

    Args:
        image: (H, W, 3), as it returns.

    Returns:
        (H, W, 3) double, 0..255, neither rounded nor clipped.
    """
    rgb: NDArray[np.float64] = (image - _OFFSETS) @ np.linalg.inv(_YCBCR).T
    return rgb


def gray_to_rgb(image: SomePicture) -> SomePicture:
    """Repeat the channel of a gray image three times; return an RGB image unchanged.

    Args:
        image: (H, W, 1) or (H, W, 3).

    Returns:
        (H, W, 3).
    """
    if image.shape[2] == 3:
        return image
    return cast(SomePicture, np.repeat(image, 3, axis=2))
