"""The public interface: a trained network as a function from images to images."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from drnsr.errors import UserError
from drnsr.images.backends.pillow import picture_of_pillow
from drnsr.images.encoding import to_pillow
from drnsr.images.picture import Picture, Pixels, concatenate_rows, from_array
from drnsr.images.pixel_format import RGB8
from drnsr.images.value_range import measured_range
from drnsr.inference.channels import as_trained
from drnsr.inference.consistency import Projection
from drnsr.inference.engine import Engine, ScaleError, TorchEngine
from drnsr.inference.precision import PrecisionChoice
from drnsr.inference.tiling import TileSize, Tiling
from drnsr.pretrained import model_file
from drnsr.weights.hub import download_model, is_on_hub
from drnsr.weights.loading import load_network

SomeImage = TypeVar("SomeImage", NDArray[Any], Image.Image, Tensor)


class Upscaler:
    """Upscales pictures with a trained network.

    Args:
        engine: runs the network.
        tile: side of a tile in LR pixels, "auto", or "off" for the whole picture at once.
        ensemble: whether to average over the eight symmetries of the square, which takes eight
            times as long.
        consistent: whether the result gives the picture back when it is shrunk: see
            :class:`drnsr.inference.consistency.Projection`.

    Example:
        ``Upscaler.from_pretrained("drnsr-x2")(picture)``
    """

    def __init__(
        self,
        engine: Engine,
        *,
        tile: TileSize = "auto",
        ensemble: bool = False,
        consistent: bool = False,
    ) -> None:
        self._tiling = Tiling(engine, tile=tile, ensemble=ensemble)
        self._consistent = consistent
        self.scale = engine.scale

    @classmethod
    def from_pretrained(
        cls,
        name: str = "drnsr-x2",
        *,
        device: str = "cpu",
        precision: PrecisionChoice = "auto",
        tile: TileSize = "auto",
        ensemble: bool = False,
        consistent: bool = False,
    ) -> "Upscaler":
        """Load a model that is shipped with the package, or one on the Hugging Face Hub.

        ``name`` is in :func:`drnsr.pretrained.available`, or ``hf://USER/NAME`` or
        ``hf://USER/NAME@REVISION``: see :func:`drnsr.weights.hub.download_model`.
        ``precision`` is described at :class:`drnsr.inference.engine.TorchEngine`.

        Raises:
            UserError: there is no such model, or the device or precision is not available.
        """
        file = download_model(name) if is_on_hub(name) else model_file(name)
        return cls.from_file(
            file,
            device=device,
            precision=precision,
            tile=tile,
            ensemble=ensemble,
            consistent=consistent,
        )

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        scale: int | None = None,
        *,
        device: str = "cpu",
        precision: PrecisionChoice = "auto",
        tile: TileSize = "auto",
        ensemble: bool = False,
        consistent: bool = False,
    ) -> "Upscaler":
        """Load a model file or a checkpoint of another program.

        ``scale`` is needed only for a network with several scales; ``precision`` is described at
        :class:`drnsr.inference.engine.TorchEngine`.

        Raises:
            ModelFileError: see :func:`drnsr.weights.loading.load_network`.
            UserError: the scale, device or precision is not available.
        """
        try:
            engine = TorchEngine(load_network(Path(path)), scale, device, precision)
        except ScaleError as error:
            raise ScaleError(f"{path}: {error}") from error
        return cls(engine, tile=tile, ensemble=ensemble, consistent=consistent)

    def __call__(self, image: SomeImage) -> SomeImage:
        """Upscale one picture; the result has the type of the input.

        Args:
            image: one of

                - numpy (H, W) or (H, W, C), uint8, uint16 with any value range, or floating point
                  in 0..1. 1 to 4 channels are gray, gray and alpha, RGB and RGBA; more channels are
                  bands. A network for bands gets as many at once as it has, and sees the range of
                  its training.
                - a Pillow image of any mode; palette and CMYK images become RGB.
                - a torch tensor (C, H, W) or (N, C, H, W), uint8 or floating point in 0..1.

        Returns:
            The same type, ``scale`` times as high and wide. Floating-point values are neither
            rounded nor clipped, so they can lie slightly outside 0..1.

        Raises:
            ImageTypeError: ``image`` is none of these.
        """
        if isinstance(image, Image.Image):
            return to_pillow(self._upscale(self._with_range(picture_of_pillow(image))))
        if isinstance(image, Tensor):
            return self._upscale_tensor(image)
        _check(image, axes=(2, 3))
        return self._upscale_array(image)

    def _upscale_array(self, pixels: Pixels) -> Pixels:
        if pixels.ndim == 2:
            return self._upscale_array(pixels[:, :, None])[:, :, 0]
        return self._upscale(self._with_range(from_array(pixels)))

    def _with_range(self, picture: Picture) -> Picture:
        """Set black and white as for files: those of the training, or those of 16-bit integers."""
        pixels = self._tiling.engine.descriptor.pixels
        if pixels != RGB8:
            return as_trained(picture, pixels)
        if picture.dtype != np.uint16:
            return picture
        return replace(picture, value_range=measured_range([picture]))

    def _upscale(self, picture: Picture) -> Pixels:
        upscaled = self._tiling.upscale(picture)
        if not self._consistent:
            return upscaled
        rows = Projection(picture, self.scale).rows([upscaled])
        return concatenate_rows(rows, upscaled.shape, picture.dtype)

    def _upscale_tensor(self, image: Tensor) -> Tensor:
        if image.ndim == 4:
            return torch.stack([self._upscale_tensor(one) for one in image])
        is_bfloat16 = image.dtype == torch.bfloat16  # numpy does not have this type
        pixels = (image.float() if is_bfloat16 else image).detach().cpu().numpy()
        _check(pixels, axes=(3,))
        upscaled = np.moveaxis(self._upscale_array(np.moveaxis(pixels, 0, 2)), 2, 0)
        return torch.from_numpy(np.ascontiguousarray(upscaled)).to(image.device, image.dtype)


class ImageTypeError(UserError, TypeError):
    """An object is not an image of a supported type."""


def _check(pixels: Pixels, axes: tuple[int, ...]) -> None:
    if pixels.ndim not in axes or pixels.size == 0:
        raise ImageTypeError(f"an array of shape {tuple(pixels.shape)} is not a picture")
    if pixels.dtype not in (np.uint8, np.uint16) and not np.issubdtype(pixels.dtype, np.floating):
        raise ImageTypeError(
            f"pixels of type {pixels.dtype}: give uint8, uint16, or floats of 0..1"
        )
