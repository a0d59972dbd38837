"""Loss and PSNR of a training step, computed by hand."""

import lightning as L
import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from drnsr.images.pixel_format import PixelFormat
from drnsr.images.resize import upscale
from drnsr.networks import DRNSR, VDSR
from drnsr.training.module import SRModule
from tests.conftest import texture


class Logged(SRModule):
    """Keeps the logged values."""

    def log(self, name, value, **_):
        setattr(self, name, float(value.detach()))


def training(network):
    return Logged(
        network,
        loss=torch.nn.L1Loss(),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-4),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer),
        channels_last=True,
    )


def validate(module, tensors):
    module.trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    module.validation_step(tensors, 0)
    module.on_validation_epoch_end()


def batch(scale):
    lr, hr = texture(8, 9), texture(8 * scale, 9 * scale, seed=1)
    return lr, hr, tuple(torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (lr, hr))


@pytest.mark.parametrize("scale", [2, 3])
def test_a_network_on_luma_is_compared_on_luma_at_each_batchs_scale(scale):
    network = VDSR(scales=[2, 3], num_features=4, num_layers=3)
    for parameter in network.parameters():
        parameter.data.zero_()  # what is left is the bicubic enlargement
    module = training(network)
    lr, hr, tensors = batch(scale)
    sr, luma = upscale(rgb2ycbcr(lr)[:, :, :1], scale), rgb2ycbcr(hr)[:, :, :1]
    expected = np.abs(sr - luma).mean() / 255
    assert module.training_step(tensors, 0).item() == pytest.approx(expected, abs=1e-6)
    validate(module, tensors)
    psnr = peak_signal_noise_ratio(luma, sr, data_range=255)
    assert module.val_psnr == pytest.approx(psnr, abs=1e-4)


def test_sixteen_bits_are_trained_and_validated_between_black_and_white():
    network = DRNSR(scale=2, num_features=4, num_blocks=1, channels=4)  # untrained: bicubic
    network.pixels = PixelFormat(tuple("grna"), 16, (300, 4300), (300, 4300))
    module = training(network)
    lr, hr = (np.random.default_rng(n).integers(0, 5000, (8 * n, 9 * n, 4)) for n in (1, 2))
    tensors = tuple(
        torch.from_numpy(each.astype(np.uint16)).permute(2, 0, 1)[None] for each in (lr, hr)
    )
    sr = upscale(lr.astype(np.float64), 2)
    expected = np.abs(sr - hr).mean() / 4000
    assert module.training_step(tensors, 0).item() == pytest.approx(expected, abs=1e-6)
    validate(module, tensors)
    psnr = peak_signal_noise_ratio(hr.astype(np.float64), sr, data_range=4000)
    assert module.val_psnr == pytest.approx(psnr, abs=1e-4)


def test_a_network_on_rgb_is_validated_on_rounded_rgb():
    module = training(DRNSR(scale=2, num_features=4, num_blocks=1))  # untrained: bicubic
    lr, hr, tensors = batch(2)
    exact = upscale(lr.astype(np.float64), 2)
    expected = np.abs(exact - hr).mean() / 255
    assert module.training_step(tensors, 0).item() == pytest.approx(expected, abs=1e-6)
    validate(module, tensors)
    psnr = peak_signal_noise_ratio(hr, exact.round().clip(0, 255).astype(np.uint8))
    assert module.val_psnr == pytest.approx(psnr, abs=1e-3)
