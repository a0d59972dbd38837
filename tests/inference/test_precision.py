"""`--precision auto`: low precision where the device is fast in it, for pixels of 8 bits alone."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from drnsr.inference.engine import TorchEngine
from drnsr.inference.precision import choose_precision
from drnsr.inference.upscaler import Upscaler
from tests.conftest import texture
from tests.networks.building import build, wake

ALL = ("fp32", "bf16", "fp16")


@pytest.mark.parametrize(
    ("device", "bf16", "capability", "supported", "chosen"),
    [
        ("cpu", True, (0, 0), ALL, "bf16"),
        ("cpu", False, (0, 0), ALL, "fp32"),
        ("cpu", True, (0, 0), ("fp32",), "fp32"),
        ("cuda", True, (8, 0), ALL, "bf16"),
        ("cuda:1", False, (7, 5), ALL, "fp16"),
        ("cuda", False, (7, 5), ("fp32", "bf16"), "fp32"),
        ("cuda", False, (6, 1), ALL, "fp32"),  # Pascal, without tensor cores
        ("mps", True, (0, 0), ALL, "fp32"),
    ],
)
def test_the_choice(monkeypatch, device, bf16, capability, supported, chosen):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": bf16})
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert choose_precision(device, supported)[0] == chosen


def test_pixels_of_more_than_8_bits_are_computed_in_fp32(monkeypatch):
    monkeypatch.setattr("drnsr.inference.precision.has_bf16", lambda _: True)
    network = wake(build("drnsr"))
    auto, fp32, bf16 = (Upscaler(TorchEngine(network, 2, "cpu", p)) for p in ("auto", *ALL[:2]))
    pixels = texture(24, 24)
    assert_array_equal(auto(pixels), bf16(pixels))
    deep = pixels.astype(np.uint16) * 257
    assert_array_equal(auto(deep), fp32(deep))
    assert np.abs(bf16(deep).astype(int) - fp32(deep)).max() > 1
    numbers = pixels.astype(np.float32) / 255
    assert_array_equal(auto(numbers), fp32(numbers))
