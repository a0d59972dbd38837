"""Previews of two validation crops, over the steps of a training."""

from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from numpy.typing import NDArray
from torch import Tensor

from drnsr.images.colour import luma_planes
from drnsr.images.encoding import encode_png
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.resize import upscale
from drnsr.networks import Network
from drnsr.tracking.logger import CurveLogger
from drnsr.training.module import SRModule

_CROPS = 2
_SIDE = 128  # pixels of the longer side of a preview, at most


class Previews(L.Callback):
    """Upscales the middle of the first two validation crops at each validation.

    The network is the one that is validated, with averaged weights if there are such. Nothing of
    the training changes: no random number is drawn, and the network stays as it is. The picture of
    step 0, where MLflow's pages begin, is bicubic's. A network that is sharded over processes has
    no previews: all of them would have to run it.

    Args:
        logger: gets the previews, as PNG files of at most 128 x 128 pixels.
    """

    def __init__(self, logger: CurveLogger) -> None:
        self._logger = logger

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: SRModule,  # type: ignore[override]
        outputs: Any,  # noqa: ANN401 (Lightning's own signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log the preview of one crop."""
        is_whole = isinstance(trainer.strategy, DDPStrategy | SingleDeviceStrategy)
        if batch_idx >= _CROPS or not is_whole:
            return
        lr, hr = batch
        scale = hr.shape[-1] // lr.shape[-1]
        lr, key = _middle(lr, _SIDE // scale), f"validation crop {batch_idx + 1}"
        bicubic = upscale(_shown(lr, pl_module.network.pixels), scale)
        self._logger.log_image(key, encode_png(bicubic), step=0)
        preview = upscaled(pl_module.network, lr, scale)
        self._logger.log_image(key, encode_png(preview), step=trainer.global_step)


def _middle(pixels: Tensor, side: int) -> Tensor:
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[-2:])
    return pixels[..., top : top + side, left : left + side]


def _shown(lr: Tensor, pixels: PixelFormat) -> NDArray[np.uint8]:
    """Return prepared values (1, C, h, w) as a picture: (h, w, 3), or (h, w, 1) of one band."""
    return _picture(_planes(lr, pixels).mul(255), pixels)


def _planes(lr: Tensor, pixels: PixelFormat) -> Tensor:
    """Return prepared values between black, 0, and white, 1."""
    black, white = (
        torch.tensor(each, device=lr.device)[..., None, None] for each in pixels.stored_range
    )
    return (lr.float() - black) / (white - black)


def _picture(planes: Tensor, pixels: PixelFormat) -> NDArray[np.uint8]:
    """Return planes (1, C, h, w), 0..255, as a picture; of bands those that are shown."""
    shown = planes[0] if pixels == RGB8 else planes[0, list(pixels.shown)]
    return shown.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()


def upscaled(network: Network, lr: Tensor, scale: int) -> NDArray[np.uint8]:
    """Return a picture that a network upscaled.

    Args:
        network: the network, in evaluation mode.
        lr: (1, C, h, w) of the prepared type.
        scale: one of the network's.

    Returns:
        (H, W, 3), or (H, W, 1) of a network on luma or on fewer than three bands.
    """
    weights = next(network.parameters())
    planes = _planes(lr, network.pixels).to(weights.dtype)
    if network.descriptor.colour == "Y":
        planes = luma_planes(planes)
    with torch.no_grad():
        sr = network.upscale(planes, scale).float()
    return _picture(sr.mul(255), network.pixels)
