"""A trained network as a function from pictures to pictures."""

from pathlib import Path
from typing import cast

import numpy as np
import torch

from drnsr.checkpoints.native import load_model
from drnsr.imaging.colour import gray_to_rgb
from drnsr.imaging.resize import SomePicture
from drnsr.networks import Network


class Upscaler:
    """Enlarges pictures with a network, the whole picture at once.

    Example:
        ``Upscaler.from_file("models/model.safetensors")(picture)``
    """

    def __init__(self, network: Network, device: str = "cpu") -> None:
        self._network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self.scale = network.scale

    @classmethod
    def from_file(cls, path: str | Path) -> "Upscaler":
        """Load a model file.

        Raises:
            ModelFileError: see :func:`drnsr.checkpoints.native.load_model`.
        """
        return cls(load_model(Path(path)))

    @torch.inference_mode()
    def __call__(self, image: SomePicture) -> SomePicture:
        """Enlarge one picture.

        Args:
            image: (H, W, 3) RGB or (H, W, 1) gray; uint8, or floating point of 0..255.

        Returns:
            (scale*H, scale*W, C) with as many channels, of the same type; floating point is neither
            rounded nor clipped. Gray goes through the network as RGB with three equal channels,
            and comes back as their mean.
        """
        rgb = torch.from_numpy(gray_to_rgb(image).astype(np.float32))
        lr = rgb.permute(2, 0, 1)[None].to(self._device) / 255
        output: torch.Tensor = self._network(lr)
        sr = output[0].permute(1, 2, 0).float() * 255
        if image.shape[2] == 1:
            sr = sr.mean(dim=2, keepdim=True)
        if image.dtype == np.uint8:
            sr = sr.round().clamp(0, 255)
        return cast(SomePicture, sr.cpu().numpy().astype(image.dtype))
