"""Enlarging with an untrained network, which is bicubic: what comes out is known beforehand."""

from pathlib import Path

import numpy as np
import pytest

from drnsr.images.resize import upscale
from drnsr.networks import DRNSR
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from drnsr.weights.native import Origin, save_model


@pytest.fixture(scope="session")
def bicubic_model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "bicubic.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin(config="c" * 64))
    return path


@pytest.fixture
def enlarged(bicubic_model, tmp_path):
    """Enlarge a file into a name in the test's folder; what was noted is kept in ``notes``."""

    def enlarge(source, name, target=None, value_range=None, **running) -> Path:
        models = Models.from_file(bicubic_model, RuntimeOptions(**running))
        work = UpscaleSpec(models, target or OutputSize(scale=2), value_range)
        upscale_file(source, tmp_path / name, work, lambda _: None, enlarge.notes.append)
        return tmp_path / name

    enlarge.notes = []
    return enlarge


def bicubic(pixels: np.ndarray) -> np.ndarray:
    """What the untrained network makes of (H, W, C) or (H, W): not rounded between the passes."""
    planes = pixels.astype(np.float64).reshape(*pixels.shape[:2], -1)
    exact = upscale(planes, 2)
    if pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        exact = exact.round().clip(limits.min, limits.max)
    return exact.reshape(exact.shape[:2] if pixels.ndim == 2 else exact.shape)


def far(made: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference."""
    assert made.shape == wanted.shape
    return float(np.abs(made.astype(np.float64) - wanted).max())
