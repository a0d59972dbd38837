"""The luma on which super-resolution is measured."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from drnsr.imaging.resize import SomePicture

# ITU-R BT.601 with its studio range, as MATLAB's rgb2ycbcr has it (for inputs of 0..255).
_LUMA = np.array([65.481, 128.553, 24.966]) / 255.0
_LUMA_OFFSET = 16.0


def luma(image: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float64]:
    """MATLAB's Y of an RGB image, not rounded.

    Args:
        image: (H, W, 3), 0..255.

    Returns:
        (H, W) double, 16..235.
    """
    return image.astype(np.float64) @ _LUMA + _LUMA_OFFSET


def gray_to_rgb(image: SomePicture) -> SomePicture:
    """Repeat the one channel of a gray image three times; an RGB image comes back as it is.

    Args:
        image: (H, W, 1) or (H, W, 3).

    Returns:
        (H, W, 3).
    """
    if image.shape[2] == 3:
        return image
    return cast(SomePicture, np.repeat(image, 3, axis=2))
