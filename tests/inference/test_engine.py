"""The torch engine never returns NaN or infinity, and names what is not available."""

import numpy as np
import pytest
import torch

from drnsr.errors import UserError
from drnsr.inference.engine import CompileError, NotFiniteError, OutOfMemoryError, TorchEngine
from drnsr.networks import DRNSR, VDSR
from tests.networks.building import overflowing, wake


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


def test_a_failure_of_the_compiler_is_one_line(monkeypatch):
    def fails(graph, inputs):
        raise RuntimeError("there is no C++ compiler")

    compile_network = torch.compile
    monkeypatch.setattr(
        "drnsr.inference.engine.torch.compile",
        lambda function, dynamic: compile_network(function, backend=fails, dynamic=dynamic),
    )
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    with pytest.raises(CompileError, match=r"no C\+\+ compiler") as caught:
        TorchEngine(network, compile=True)(np.zeros((1, 3, 4, 4), np.float32))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_compiled_network_computes_the_same():
    network = wake(DRNSR(scale=2, num_features=4, num_blocks=1))
    engine = TorchEngine(network, compile=True)
    for height, width in ((9, 8), (12, 7)):
        lr = np.random.default_rng(0).random((1, 3, height, width), np.float32)
        np.testing.assert_allclose(engine(lr), TorchEngine(network)(lr), atol=1e-5)
