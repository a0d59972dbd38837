"""A trained network as a function from pictures to pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from drnsr.errors import UserError
from drnsr.images.codecs.pillow import picture_of_pillow, to_pillow
from drnsr.images.picture import Picture, Pixels, of_array
from drnsr.images.value_range import measured_range
from drnsr.inference.engine import Engine, ScaleError, TorchEngine
from drnsr.inference.tiling import TileSize, Tiling
from drnsr.networks.base import Precision
from drnsr.pretrained import model_file
from drnsr.weights.loading import load_network

SomeImage = TypeVar("SomeImage", NDArray[Any], Image.Image, Tensor)


class Upscaler:
    """Enlarges pictures with a network.

    Args:
        engine: the network, and what runs it.
        tile: side of a tile in LR pixels, "auto", or "off" for the whole picture at once.
        ensemble: the mean over the eight symmetries of the square, for eight times the work.

    Example:
        ``Upscaler.from_pretrained("drnsr-x2")(picture)``
    """

    def __init__(self, engine: Engine, *, tile: TileSize = "auto", ensemble: bool = False) -> None:
        self._tiling = Tiling(engine, tile=tile, ensemble=ensemble)
        self.scale = engine.scale

    @classmethod
    def from_pretrained(
        cls,
        name: str = "drnsr-x2",
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        tile: TileSize = "auto",
        ensemble: bool = False,
    ) -> "Upscaler":
        """Load a model that ships with the package: see :data:`drnsr.pretrained.NAMES`.

        Raises:
            UserError: there is no such model, or the device or precision cannot be had.
        """
        return cls.from_file(
            model_file(name), device=device, precision=precision, tile=tile, ensemble=ensemble
        )

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        scale: int | None = None,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        tile: TileSize = "auto",
        ensemble: bool = False,
    ) -> "Upscaler":
        """Load a file of weights, ours or another program's; ``scale`` where it serves several.

        Raises:
            ModelFileError: see :func:`drnsr.weights.loading.load_network`.
            UserError: the scale, device or precision cannot be had.
        """
        try:
            engine = TorchEngine(load_network(Path(path)), scale, device, precision)
        except ScaleError as error:
            raise ScaleError(f"{path}: {error}") from error
        return cls(engine, tile=tile, ensemble=ensemble)

    def __call__(self, image: SomeImage) -> SomeImage:
        """Enlarge one picture; the same kind comes out as went in.

        Args:
            image: one of

                - numpy (H, W) or (H, W, C), uint8, uint16 of any range, or floating point of 0..1:
                  gray, gray and alpha, RGB or RGBA; of more channels each is a band by itself;
                - a Pillow image of any mode, palettes and CMYK included, which become RGB;
                - a torch tensor (C, H, W) or (N, C, H, W), uint8 or floating point of 0..1.

        Returns:
            The same, ``scale`` times as high and wide. Floating point is neither rounded nor
            clipped, so it can lie a little outside 0..1.

        Raises:
            KindError: it is none of these.
        """
        if isinstance(image, Image.Image):
            return to_pillow(self._tiling.whole(_ranged(picture_of_pillow(image))))
        if isinstance(image, Tensor):
            return self._tensor(image)
        _check(image, axes=(2, 3))
        return self._array(image)

    def _array(self, pixels: Pixels) -> Pixels:
        if pixels.ndim == 2:
            return self._tiling.whole(_ranged(of_array(pixels[:, :, None])))[:, :, 0]
        return self._tiling.whole(_ranged(of_array(pixels)))

    def _tensor(self, image: Tensor) -> Tensor:
        if image.ndim == 4:
            return torch.stack([self._tensor(one) for one in image])
        half = image.dtype == torch.bfloat16  # which numpy does not have
        pixels = (image.float() if half else image).detach().cpu().numpy()
        _check(pixels, axes=(3,))
        enlarged = np.moveaxis(self._array(np.moveaxis(pixels, 0, 2)), 2, 0)
        return torch.from_numpy(np.ascontiguousarray(enlarged)).to(image.device, image.dtype)


def _ranged(picture: Picture) -> Picture:
    """Whole numbers of 16 bits are seen between the black and white that they have, as in files."""
    if picture.dtype != np.uint16:
        return picture
    return replace(picture, value_range=measured_range([picture]))


class KindError(UserError, TypeError):
    """Something that is no picture of a kind that is known here."""


def _check(pixels: Pixels, axes: tuple[int, ...]) -> None:
    if pixels.ndim not in axes or pixels.size == 0:
        raise KindError(f"an array of shape {tuple(pixels.shape)} is no picture")
    if pixels.dtype not in (np.uint8, np.uint16) and not np.issubdtype(pixels.dtype, np.floating):
        raise KindError(f"pixels of type {pixels.dtype}: give uint8, uint16, or floats of 0..1")
