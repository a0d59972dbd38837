"""Upscaling with an untrained network, which is bicubic, so that its result is known."""

from pathlib import Path

import pytest

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
    """A function that upscales a file into the test's folder; ``notes`` has what was reported."""

    def enlarge(source, name, target=None, value_range=None, *, overviews=False, **running):
        models = Models.from_file(bicubic_model, RuntimeOptions(**running))
        work = UpscaleSpec(models, target or OutputSize(scale=2), value_range, overviews=overviews)
        upscale_file(source, tmp_path / name, work, lambda _: None, enlarge.notes.append)
        return tmp_path / name

    enlarge.notes = []
    return enlarge
