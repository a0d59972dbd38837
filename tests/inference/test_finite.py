"""No picture of NaN or infinite pixels is ever written."""

import numpy as np
import pytest
import torch
from PIL import Image

from drnsr.cli import main
from drnsr.inference.engine import NotFiniteError, TorchEngine
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, load_model, save_model
from tests.conftest import texture


def overflowing(factor):
    """A network whose features are beyond fp16 (65504), or beyond fp32, and cancel out in it."""
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("head."):
                parameter.mul_(0).add_(factor)
            elif name.startswith("tail."):
                parameter.mul_(1 / factor if factor < 1e30 else 1.0)
    return network.eval()


def test_what_overflows_in_fp16_is_computed_in_fp32_and_told_once(caplog):
    network = overflowing(1e6)
    lr = np.random.default_rng(0).random((1, 3, 9, 8), np.float32)
    with torch.autocast("cpu", torch.float16), torch.inference_mode():
        assert not network(torch.from_numpy(lr)).isfinite().all()  # it does overflow
    low = TorchEngine(network, precision="fp16")
    with caplog.at_level("WARNING", "drnsr"):
        first, _ = low(lr), low(lr)
    np.testing.assert_array_equal(first, TorchEngine(network)(lr))
    assert caplog.messages == ["fp16 makes NaN or infinite pixels: computed in fp32"]


def test_what_is_not_finite_in_fp32_either_is_an_error():
    with pytest.raises(NotFiniteError, match="the model makes NaN or infinite pixels of it"):
        TorchEngine(overflowing(3e38))(np.ones((1, 3, 9, 8), np.float32))


def test_upscale_writes_no_picture_and_tells_which(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(texture(9, 8)).save("a.png")
    save_model(tmp_path / "m.safetensors", overflowing(3e38), Origin())
    load_model(tmp_path / "m.safetensors")  # its weights are finite
    with pytest.raises(SystemExit, match=r"1 of 1 .*: a\.png: the model makes NaN") as caught:
        main(["upscale", "a.png", "--model", "m.safetensors", "--out", "out"])
    assert "\n" not in str(caught.value.code)
    assert [path for path in tmp_path.rglob("*") if "a_x2" in path.name] == []


def test_a_model_of_weights_that_are_not_finite_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    name, weight = next(iter(network.named_parameters()))
    weight.data.view(-1)[0] = float("inf")
    save_model(tmp_path / "m.safetensors", network, Origin())
    Image.fromarray(texture(9, 8)).save("a.png")
    for command in (
        ["upscale", "a.png", "--model", "m.safetensors", "--out", "out"],
        ["info", "m.safetensors"],
        ["evaluate", "m.safetensors", "--benchmark", "folder", "--folder", "."],
    ):
        with pytest.raises(SystemExit, match=rf"m\.safetensors: tensor '{name}' holds NaN"):
            main(command)
