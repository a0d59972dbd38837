"""The torch engine never returns NaN or infinity, and names what is not available."""

import numpy as np
import pytest
import torch

from drnsr.errors import UserError
from drnsr.inference.engine import NotFiniteError, OutOfMemoryError, TorchEngine
from drnsr.networks import DRNSR, VDSR
from tests.networks.building import overflowing


def test_an_overflow_in_fp16_is_computed_in_fp32_with_one_warning(caplog):
    network = overflowing(1e6)
    lr = np.random.default_rng(0).random((1, 3, 9, 8), np.float32)
    with torch.autocast("cpu", torch.float16), torch.inference_mode():
        assert not network(torch.from_numpy(lr)).isfinite().all()  # it does overflow
    engine = TorchEngine(network, precision="fp16")
    with caplog.at_level("WARNING", "drnsr"):
        first, _ = engine(lr), engine(lr)
    np.testing.assert_array_equal(first, TorchEngine(network)(lr))
    assert caplog.messages == ["fp16 makes NaN or infinite pixels: computed in fp32"]


def test_an_overflow_in_fp32_is_an_error():
    with pytest.raises(NotFiniteError, match="the model makes NaN or infinite pixels of it"):
        TorchEngine(overflowing(3e38))(np.ones((1, 3, 9, 8), np.float32))


def test_a_failed_allocation_of_torch_is_an_out_of_memory_error(monkeypatch):
    engine = TorchEngine(DRNSR(scale=2, num_features=4, num_blocks=1))

    def fail(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(DRNSR, "upscale", fail)
    with pytest.raises(OutOfMemoryError):
        engine(np.zeros((1, 3, 4, 4), np.float32))


def test_a_network_of_several_scales_needs_a_choice():
    network = VDSR(scales=[2, 3], num_features=4, num_layers=3)
    with pytest.raises(UserError, match="choose a scale: x2 or x3"):
        TorchEngine(network)
    with pytest.raises(UserError, match="VDSR has no x4; it enlarges by x2 or x3"):
        TorchEngine(network, 4)
