"""The choice between torch and onnxruntime."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drnsr.cli import main
from drnsr.images.files import read_image
from drnsr.inference import backends
from drnsr.inference.backends import fastest_engine
from drnsr.inference.engine import DeviceError
from drnsr.networks import DRNSR
from drnsr.weights.loading import load_network
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture
from tests.networks.building import wake

UPSCALE = ("upscale", "a.png", "--model", "model.safetensors", "--out", "out")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with a picture and a model."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(texture(19, 22)).save("a.png")
    network = wake(DRNSR(scale=2, num_features=4, num_blocks=1))
    save_model(Path("model.safetensors"), network, Origin())
    return tmp_path


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_onnxruntime_and_torch_differ_by_one_step_at_most(precision, caplog):
    for backend in ("torch", "onnxruntime"):
        main([*UPSCALE, "--precision", precision, "--backend", backend, "--out", backend])
    pictures = [read_image(Path(name, "a_x2.png")).astype(int) for name in ("torch", "onnxruntime")]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert caplog.messages == []  # no backend was measured


def test_a_precision_or_device_that_onnxruntime_does_not_support_is_rejected():
    with pytest.raises(SystemExit) as caught:
        main([*UPSCALE, "--backend", "onnxruntime", "--precision", "bf16"])
    assert caught.value.code == "error: precision bf16: onnxruntime runs in fp32, fp16"
    file = Path("model.safetensors")
    network = load_network(file)
    with pytest.raises(DeviceError, match="device cuda: onnxruntime is run on the CPU alone"):
        backends.onnxruntime_engine(network, file, 2, "cuda", "fp32")


def test_the_fastest_backend_is_logged(caplog):
    with caplog.at_level("INFO", logger="drnsr"):
        main([*UPSCALE, "--backend=fastest", "--precision=fp32"])
    (message,) = caplog.messages
    assert message.startswith(("backend: torch (", "backend: onnxruntime ("))
    assert Path("out/a_x2.png").exists()


def test_without_onnxruntime_the_fastest_backend_is_torch(caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with caplog.at_level("INFO", logger="drnsr"):
        main([*UPSCALE, "--backend=fastest", "--precision=fp32"])
    (message,) = caplog.messages
    assert message.startswith("backend: torch (no onnxruntime: ")
    assert "pip install 'drnsr[export]'" in message
    assert Path("out/a_x2.png").exists()


class TimedEngine:
    """An engine that advances a fake clock by a number of seconds."""

    descriptor = DRNSR(scale=2).descriptor
    scale = 2
    now = 0.0

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, lr):
        TimedEngine.now += self.seconds
        return lr


@pytest.mark.parametrize(("torch", "onnxruntime"), [(3, 2), (2, 3)])
def test_the_faster_engine_is_chosen(monkeypatch, caplog, torch, onnxruntime):
    monkeypatch.setattr(backends.time, "perf_counter", lambda: TimedEngine.now)
    with caplog.at_level("INFO", logger="drnsr"):
        chosen = fastest_engine(TimedEngine(torch), lambda: TimedEngine(onnxruntime))
    name = "torch" if torch < onnxruntime else "onnxruntime"
    assert chosen.seconds == 2
    times = f"torch {torch}000 ms, onnxruntime {onnxruntime}000 ms"
    assert caplog.messages == [f"backend: {name} (64 x 64 pixels: {times})"]
