"""Pairs of HR and LR pictures that the user gives, and the check that they are aligned.

A misaligned pair teaches a network to shift pictures, and the loss does not show it. So the given
LR is compared with MATLAB's bicubic of the HR. Degradations of a camera (blur, noise, another
brightness) do not matter; a shift or another picture does.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift as shift_image
from skimage.filters import difference_of_gaussians, window
from skimage.registration import phase_cross_correlation

from drnsr.data.prepare import bicubic_lr
from drnsr.data.prepared import DataError
from drnsr.images.colour import gray_to_rgb, luma
from drnsr.images.errors import ImageError
from drnsr.images.files import read_image

# The correlation of pairs that were blurred, noisy, recompressed or of other brightness was at
# least 0.69, that of other pictures at most 0.33 (20 pictures of BSDS500, scales 2 and 4).
_MIN_CORRELATION = 0.5
# In gray levels: a picture with less detail, such as clear sky, cannot be registered.
_MIN_DETAIL = 1.0


class GivenPairs:
    """LR pictures of the user, as a :data:`~drnsr.data.prepare.LowResolution`.

    An original may be larger than ``scale`` times its LR by less than ``scale`` pixels; its last
    rows and columns are then not used, as with all sizes that are not divisible.

    Args:
        originals: files of the high resolution.
        low: files of the low resolution by scale.
        max_pixels: a picture with more pixels by its header is refused before it is decoded.
        max_shift: largest allowed shift in LR pixels.
        original_paths: the user's file of each copied picture, for messages.

    Raises:
        DataError: if a picture has no LR picture, or two have the same name.
    """

    def __init__(
        self,
        originals: Sequence[Path],
        low: Mapping[int, Sequence[Path]],
        *,
        max_pixels: int,
        max_shift: float,
        original_paths: Mapping[Path, Path] | None = None,
    ) -> None:
        self._partners = {
            scale: _match(originals, files, scale, original_paths or {})
            for scale, files in low.items()
        }
        self._max_pixels = max_pixels
        self._max_shift = max_shift

    def __call__(self, picture: Path, pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
        """Return the LR (H // scale, W // scale, 3) of an original (H, W, 3), both uint8.

        Raises:
            ImageError: if it cannot be read, is not of this scale, or is not aligned.
        """
        partner = self._partners[scale][picture]
        low = "/".join(partner.parts[-2:])  # as in the user's folder
        try:
            given = gray_to_rgb(read_image(partner, max_pixels=self._max_pixels, called=low))
        except ImageError as error:
            raise ImageError(f"its LR picture {error}") from error
        problem = f"{low} does not match {picture.name}"
        height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
        if given.shape[:2] != (height, width):
            raise ImageError(
                f"{problem}: {given.shape[1]} x {given.shape[0]} pixels, but {pixels.shape[1]} x"
                f" {pixels.shape[0]} at scale {scale} gives {width} x {height}"
            )
        down, right, correlation = displacement(
            luma(bicubic_lr(picture, pixels, scale)), luma(given)
        )
        if correlation < _MIN_CORRELATION:
            raise ImageError(f"{problem}: another picture (the correlation is {correlation:.2f})")
        if np.hypot(down, right) > self._max_shift:
            raise ImageError(
                f"{problem}: it is shifted {abs(right):.2f} pixels to the"
                f" {'right' if right > 0 else 'left'} and {abs(down):.2f}"
                f" {'down' if down > 0 else 'up'}; more than prepare.max_shift, {self._max_shift}"
            )
        return given


def displacement(
    ours: NDArray[np.float64], given: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return the shift between two pictures, and their correlation after it is undone.

    The shift is the peak of the cross-correlation of their details, to 1/20 pixel (Guizar-Sicairos
    et al., "Efficient Subpixel Image Registration Algorithms", 2008).

    Args:
        ours: (H, W), 0..255.
        given: (H, W), 0..255.

    Returns:
        The shift of ``given`` down and right in pixels, and the correlation, at most 1; (0, 0, 1)
        if ``ours`` has too little detail.
    """
    details = [difference_of_gaussians(plane, 1, 4) for plane in (ours, given)]
    if details[0].std() < _MIN_DETAIL:
        return 0.0, 0.0, 1.0
    inside = window("hann", ours.shape)  # otherwise the borders, which always match, would dominate
    # Without whitening (`phase`), which is less accurate if the pictures differ in blur.
    back, _, _ = phase_cross_correlation(
        details[0] * inside, details[1] * inside, upsample_factor=20, normalization=None
    )
    a, b = details[0] * inside, shift_image(details[1], back, order=1) * inside
    correlation = float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
    return -float(back[0]), -float(back[1]), correlation


def _match(
    originals: Sequence[Path], low: Sequence[Path], scale: int, original_paths: Mapping[Path, Path]
) -> dict[Path, Path]:
    """Return the LR file of each original; LR without an original is ignored."""
    highs, lows = _by_name(originals, scale, original_paths), _by_name(low, scale, original_paths)
    alone = [
        str(original_paths.get(path, path)) for name, path in highs.items() if name not in lows
    ]
    if alone:
        more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
        raise DataError(
            f"no LR of scale {scale} for {', '.join(alone[:3])}{more}; the LR of 0001.png is called"
            f" 0001.png or 0001x{scale}.png"
        )
    return {high: lows[name] for name, high in highs.items()}


def _by_name(
    pictures: Sequence[Path], scale: int, original_paths: Mapping[Path, Path]
) -> dict[str, Path]:
    """Return pictures by name, without suffixes such as "x2" and "HR"."""
    ending = re.compile(rf"[-_ ]?(x{scale}|hr|lr|lr[-_ ]?x?{scale})$", re.IGNORECASE)
    found: dict[str, Path] = {}
    for picture in pictures:
        name = ending.sub("", picture.stem) or picture.stem
        if name in found:
            one, other = (original_paths.get(path, path) for path in (picture, found[name]))
            raise DataError(f"{one} and {other} have the same name; rename one of them")
        found[name] = picture
    return found
