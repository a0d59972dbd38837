"""A trained network as a function from pictures to pictures."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drnsr.checkpoints.loading import load_network
from drnsr.errors import UserError
from drnsr.imaging.colour import gray_to_rgb, rgb_to_ycbcr, ycbcr_to_rgb
from drnsr.imaging.resize import Picture, SomePicture, upscale
from drnsr.networks import Network


class Upscaler:
    """Enlarges pictures with a network, the whole picture at once.

    A network on luma gets the luma of an RGB picture, not rounded, while the two chroma planes are
    enlarged bicubically, as such networks' papers do.

    Args:
        network: any of ours.
        scale: how many times larger; may be left out where the network has but one.
        device: torch's name of one.

    Raises:
        UserError: the network has no such scale, or several and none was said.

    Example:
        ``Upscaler.from_file("models/model.safetensors")(picture)``
    """

    def __init__(self, network: Network, scale: int | None = None, device: str = "cpu") -> None:
        self._network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self.scale = _checked(network, scale)

    @classmethod
    def from_file(cls, path: str | Path, scale: int | None = None) -> "Upscaler":
        """Load a file of weights, ours or another program's.

        Raises:
            ModelFileError: see :func:`drnsr.checkpoints.loading.load_network`.
            UserError: see the class.
        """
        try:
            return cls(load_network(Path(path)), scale)
        except ScaleError as error:
            raise ScaleError(f"{path}: {error}") from error

    @torch.inference_mode()
    def __call__(self, image: SomePicture) -> SomePicture:
        """Enlarge one picture.

        Args:
            image: (H, W, 3) RGB or (H, W, 1) gray; uint8, or floating point of 0..255.

        Returns:
            (scale*H, scale*W, C) with as many channels, of the same type; floating point is neither
            rounded nor clipped. Gray goes through a network on RGB as three equal channels and
            comes back as their mean; to a network on luma it is the luma.
        """
        gray = image.shape[2] == 1
        if self._network.descriptor.colour == "Y":
            enlarged = self._run(image) if gray else self._enlarge_luma(image)
        else:
            enlarged = self._run(gray_to_rgb(image))
            if gray:
                enlarged = enlarged.mean(axis=2, keepdims=True)
        if image.dtype == np.uint8:
            enlarged = enlarged.round().clip(0, 255)
        return cast(SomePicture, enlarged.astype(image.dtype))

    def _enlarge_luma(self, rgb: Picture) -> NDArray[np.float64]:
        ycbcr = rgb_to_ycbcr(rgb)
        chroma = upscale(ycbcr[:, :, 1:], self.scale)
        return ycbcr_to_rgb(np.concatenate([self._run(ycbcr[:, :, :1]), chroma], axis=2))

    def _run(self, planes: Picture) -> NDArray[np.float64]:
        """(H, W, C) through the network, 0..255, neither rounded nor clipped."""
        lr = torch.from_numpy(planes.astype(np.float32)).permute(2, 0, 1)[None]
        sr: Tensor = self._network.enlarge(lr.to(self._device) / 255, self.scale)
        return (sr[0].permute(1, 2, 0).float() * 255).cpu().numpy().astype(np.float64)


class ScaleError(UserError):
    """A scale that a network does not serve, or none where it serves several."""


def _checked(network: Network, scale: int | None) -> int:
    if scale is None:
        if len(network.descriptor.scales) > 1:
            raise ScaleError(f"say by which scale to enlarge: {network.descriptor.scales_text}")
        return network.descriptor.scales[0]
    try:
        network.check_scale(scale)
    except ValueError as error:
        raise ScaleError(str(error)) from error
    return scale
