"""The user's own low resolution: each picture with its partner, checked that it is one.

A pair whose halves do not lie over each other teaches a network to shift pictures, and nothing
tells: the loss falls all the same. So the given LR is compared with our own, MATLAB's bicubic of
the original. What a camera does to a picture (blur, noise, another brightness) does not matter
then; a shift does, or another picture.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift as shifted
from skimage.filters import difference_of_gaussians, window
from skimage.registration import phase_cross_correlation

from drnsr.data.prepare import shrunk
from drnsr.data.prepared import DataError
from drnsr.images.colour import gray_to_rgb, luma
from drnsr.images.errors import ImageError
from drnsr.images.files import read_image

# Of partners that were blurred, noisy, recompressed or of other brightness, the correlation was
# 0.69 and more; of strangers, 0.33 at most (20 pictures of BSDS500, scales 2 and 4).
_SAME = 0.5
# Gray levels: less detail than this is a clear sky, and no one can tell how it lies.
_LEAST_DETAIL = 1.0


class GivenPairs:
    """The low resolution that the user gives, as a :data:`~drnsr.data.prepare.LowResolution`.

    An original may be larger than ``scale`` times its LR by less than ``scale`` pixels: its last
    rows and columns are then not used, as everywhere with sizes that do not divide.

    Args:
        originals: files of the high resolution.
        low: by scale, files of the low resolution.
        max_pixels: a picture whose header promises more is refused before it is decoded.
        max_shift: pixels of the low resolution that it may lie beside its place.
        users_own: the user's files of pictures that are copies of them; messages name those.

    Raises:
        DataError: a picture has no partner, or more than one of its name.
    """

    def __init__(
        self,
        originals: Sequence[Path],
        low: Mapping[int, Sequence[Path]],
        *,
        max_pixels: int,
        max_shift: float,
        users_own: Mapping[Path, Path] | None = None,
    ) -> None:
        self._partners = {
            scale: _match(originals, files, scale, users_own or {}) for scale, files in low.items()
        }
        self._max_pixels = max_pixels
        self._max_shift = max_shift

    def __call__(self, picture: Path, pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
        """The LR (H // scale, W // scale, 3) of an original (H, W, 3), both uint8.

        Raises:
            ImageError: it cannot be read, is not of this scale, or does not lie over the original.
        """
        partner = self._partners[scale][picture]
        low = "/".join(partner.parts[-2:])  # as in the user's folder
        try:
            given = gray_to_rgb(read_image(partner, max_pixels=self._max_pixels, called=low))
        except ImageError as error:
            raise ImageError(f"its partner {error}") from error
        named = f"{low} is no pair with {picture.name}"
        height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
        if given.shape[:2] != (height, width):
            raise ImageError(
                f"{named}: {given.shape[1]} x {given.shape[0]} pixels, and {pixels.shape[1]} x"
                f" {pixels.shape[0]} at scale {scale} makes {width} x {height}"
            )
        down, right, likeness = displacement(luma(shrunk(picture, pixels, scale)), luma(given))
        if likeness < _SAME:
            raise ImageError(f"{named}: another picture (their correlation is {likeness:.2f})")
        if np.hypot(down, right) > self._max_shift:
            raise ImageError(
                f"{named}: it lies {abs(right):.2f} pixels too far to the"
                f" {'right' if right > 0 else 'left'} and {abs(down):.2f} too far"
                f" {'down' if down > 0 else 'up'}; more than prepare.max_shift, {self._max_shift}"
            )
        return given


def displacement(
    ours: NDArray[np.float64], given: NDArray[np.float64]
) -> tuple[float, float, float]:
    """How far a picture lies beside another, and how like they are when it is moved back.

    By the peak of the cross-correlation, found to 1/20 pixel (Guizar-Sicairos et al., "Efficient
    Subpixel Image Registration Algorithms", 2008), of their details.

    Args:
        ours: (H, W), 0..255.
        given: (H, W), 0..255.

    Returns:
        Pixels that ``given`` lies too far down and too far right, and the correlation, up to 1.
        (0, 0, 1) where ``ours`` has no detail to go by.
    """
    details = [difference_of_gaussians(plane, 1, 4) for plane in (ours, given)]
    if details[0].std() < _LEAST_DETAIL:
        return 0.0, 0.0, 1.0
    inside = window("hann", ours.shape)  # or the pictures' edges, which always match, would win
    # Whitened spectra (`phase`) are less exact on pictures that differ in blur.
    back, _, _ = phase_cross_correlation(
        details[0] * inside, details[1] * inside, upsample_factor=20, normalization=None
    )
    a, b = details[0] * inside, shifted(details[1], back, order=1) * inside
    likeness = float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
    return -float(back[0]), -float(back[1]), likeness


def _match(
    originals: Sequence[Path], low: Sequence[Path], scale: int, users_own: Mapping[Path, Path]
) -> dict[Path, Path]:
    """The partner of each original; LR without an original is not used."""
    highs, lows = _by_name(originals, scale, users_own), _by_name(low, scale, users_own)
    alone = [str(users_own.get(path, path)) for name, path in highs.items() if name not in lows]
    if alone:
        more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
        raise DataError(
            f"no LR of scale {scale} for {', '.join(alone[:3])}{more}; for 0001.png it is called"
            f" 0001.png or 0001x{scale}.png"
        )
    return {high: lows[name] for name, high in highs.items()}


def _by_name(
    pictures: Sequence[Path], scale: int, users_own: Mapping[Path, Path]
) -> dict[str, Path]:
    """Pictures by their names without what says that they are high or low resolution."""
    ending = re.compile(rf"[-_ ]?(x{scale}|hr|lr|lr[-_ ]?x?{scale})$", re.IGNORECASE)
    found: dict[str, Path] = {}
    for picture in pictures:
        name = ending.sub("", picture.stem) or picture.stem
        if name in found:
            one, other = (users_own.get(path, path) for path in (picture, found[name]))
            raise DataError(f"{one} and {other} have one name; rename one of them")
        found[name] = picture
    return found
