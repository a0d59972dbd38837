"""A long training of photo_gan at a small size: its discriminator learns, and the network stays."""

import csv
import math
import shutil
from pathlib import Path
from statistics import fmean

import pytest
from lightning import Callback
from skimage import data as photographs

from drnsr.data.prepare import Part, prepare_training_set
from drnsr.images.encoding import write_png
from pipelines.train import train
from tests.conftest import with_values
from tests.pipeline.experiments import QUICK_FEATURES, composed

STEPS = 2000
SMALL = {
    **{"data.name": "sample", "logger.experiment": None, "trainer.threads": 1},
    **{"model.network.num_features": 16, "model.network.num_blocks": 2},
    **{"datamodule.patch_size": None, "trainer.validate_every": STEPS},
}
CANNOT_TELL = 2 * math.log(2)  # the loss of a discriminator that cannot tell the pictures apart


class Losses(Callback):
    """Keeps the losses of each step."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, outputs, *_):
        self.steps.append({name: float(value) for name, value in outputs.items()})


def last_psnr():
    with Path("metrics/curves/validation_psnr.csv").open() as file:
        return float(list(csv.DictReader(file))[-1]["psnr_db"])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with four photographs, prepared with Real-ESRGAN's degradation."""
    monkeypatch.chdir(tmp_path)
    pictures = []
    for name in ("chelsea", "coffee", "rocket", "immunohistochemistry"):
        pictures.append(Path(f"{name}.png"))
        write_png(pictures[-1], getattr(photographs, name)()[:300, :400].copy())
    prepare_training_set(
        [Part(pictures, 0.25)],
        Path("data/prepared/train"),
        name="sample",
        scales=[2],
        degradation=composed("degradation=second_order").degradation,
    )
    return tmp_path


@pytest.mark.slow
def test_photo_gan_trains_stably_for_two_thousand_steps(project):
    for_pixels = composed("experiment=smoke", "degradation=second_order")
    sizes = {"datamodule.hr_patch_size": 48, "datamodule.batch_size": 8, "optimizer.lr": 3e-3}
    lengths = {
        "trainer.max_steps": 100,
        "scheduler.total_steps": 100,
        "trainer.validate_every": 100,
    }
    train(with_values(for_pixels, SMALL | sizes | lengths))
    start = last_psnr()
    shutil.copy("models/model.safetensors", "start.safetensors")

    losses = Losses()
    config = composed("experiment=photo_gan", "scale=2")
    # Most of a step is Python's, whatever is computed.
    sizes = {"datamodule.hr_patch_size": 16, "datamodule.batch_size": 2}
    sizes |= {"gan.features.network.layers": ["conv1_1"]}
    sizes |= {"gan.discriminator.num_features": 4, "trainer.max_steps": STEPS}
    values = SMALL | QUICK_FEATURES | sizes | {"init_from": "start.safetensors"}
    train(with_values(config, values), [losses])

    assert len(losses.steps) == STEPS
    assert all(math.isfinite(value) for step in losses.steps for value in step.values())
    of_discriminator = [step["train_discriminator"] for step in losses.steps]
    assert fmean(of_discriminator[:100]) == pytest.approx(CANNOT_TELL, abs=0.01)
    # It has learned something, and has not won.
    assert 0.5 < fmean(of_discriminator[-500:]) < CANNOT_TELL - 0.02
    assert last_psnr() > start - 0.5
