"""Every experiment of conf/experiment composes, has the published network, and trains."""

import csv
import math
import shutil
from pathlib import Path
from statistics import fmean

import pytest
import torch
from lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader

from drnsr.config.compose import refuse_contradictions
from drnsr.config.schema import select
from drnsr.config.targets import instantiate
from drnsr.data.crops import ValidationCrops
from drnsr.data.prepared import PreparedDataset
from drnsr.project import CONF
from drnsr.training.module import SRModule
from drnsr.training.trainer import seed_everything
from drnsr.weights.native import load_model, read_info
from pipelines.train import train
from tests.conftest import with_values
from tests.networks.building import shrink
from tests.pipeline.experiments import (
    EXPERIMENTS,
    QUICK_FEATURES,
    composed,
    prepared_textures,
    shrunk,
)
from tests.weights.foreign_networks import EDSRPyTorch

# The numbers of parameters in the papers' own code; VDSR's with biases.
PUBLISHED = {
    "edsr_baseline_x2": 1_369_859,
    "edsr_baseline_x3": 1_554_499,
    "edsr_baseline_x4": 1_517_571,
    "edsr_x2": 40_729_603,
    "edsr_x3": 43_680_003,
    "edsr_x4": 43_089_923,
    "rcan_x2": 15_444_643,
    "rcan_x3": 15_629_283,
    "rcan_x4": 15_592_355,
    "rcan_x8": 15_740_067,
    "dbpn_x2": 5_953_526,
    "dbpn_x4": 10_426_358,
    "dbpn_x8": 23_205_878,
    "rrdb_psnr_x4": 16_697_987,
    "esrgan_x4": 16_697_987,
    "vdsr": 665_921,
}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_it_composes_to_the_published_network(experiment):
    config = composed(f"experiment={experiment}")
    assert config.trainer.max_steps > 0
    refuse_contradictions({"experiment": experiment})  # it agrees with itself
    if experiment in PUBLISHED:
        with torch.device("meta"):
            network = instantiate(config.model.network)
        assert sum(tensor.numel() for tensor in network.parameters()) == PUBLISHED[experiment]


# The options with which BasicSR, the authors' code, trains ESRGAN's two stages.
BASICSR = {
    "rrdb_psnr_x4": {
        "optimizer.lr": 2e-4,
        "optimizer.betas": [0.9, 0.99],
        "scheduler.T_0": 250_000,
        "scheduler.eta_min": 1e-7,
        "trainer.max_steps": 1_000_000,
    },
    "esrgan_x4": {
        "optimizer.lr": 1e-4,
        "optimizer.betas": [0.9, 0.99],
        "scheduler.milestones": [50_000, 100_000, 200_000, 300_000],
        "scheduler.gamma": 0.5,
        "trainer.max_steps": 400_000,
        "gan.weights.pixel": 1e-2,
        "gan.weights.perceptual": 1.0,
        "gan.weights.adversarial": 5e-3,
    },
}
BASICSR_BOTH = {
    "trainer.ema_decay": 0.999,
    "datamodule.hr_patch_size": 128,
    "datamodule.batch_size": 16,
}


@pytest.mark.parametrize("experiment", BASICSR)
def test_esrgan_has_the_options_of_its_authors_code(experiment):
    config = composed(f"experiment={experiment}").model_dump()
    for name, value in (BASICSR[experiment] | BASICSR_BOTH).items():
        assert select(config, name) == value, name


# The part of the configuration that each experiment of the sweep changes.
SWEPT = {
    "sweep_adam": "optimizer",
    "sweep_batch_16": "datamodule.batch_size",
    "sweep_deep": "model.network",
    "sweep_fp32": "trainer.precision",
    "sweep_linear": "scheduler._target_",
    "sweep_mse": "loss",
    "sweep_no_skip": "model",
    "sweep_no_warmup": "scheduler.warmup_steps",
    "sweep_patch_48": "datamodule.patch_size",
    "sweep_rate_double": "optimizer.lr",
    "sweep_rate_half": "optimizer.lr",
    "sweep_seed": "seed",
    "sweep_short_ema": "trainer.ema_decay",
    "sweep_wide": "model.network",
}
STEPS = {"trainer.max_steps", "trainer.validate_every", "scheduler.total_steps"}


def test_each_experiment_of_a_sweep_differs_from_its_base_in_one_part():
    names = [name for name in EXPERIMENTS if name.startswith("sweep_")]
    choices = {name: leaves(composed(f"experiment={name}").model_dump()) for name in names}
    base = choices.pop("sweep_base")
    assert base["scale"] == 2
    assert set(choices) == set(SWEPT)
    for name, chosen in choices.items():
        every = base.keys() | chosen.keys()
        differing = {key for key in every if base.get(key) != chosen.get(key)} - STEPS
        assert differing, name
        assert all(f"{key}.".startswith(f"{SWEPT[name]}.") for key in differing), (name, differing)


def leaves(config, prefix=""):
    """Return every value by its dotted key."""
    found = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


# One experiment of each recipe; the others differ from it in scale, sizes and length alone.
RECIPES = [
    *("dbpn_x2", "drnsr_x2", "edsr_baseline_x2", "esrgan_x4", "mdsr", "photo_gan", "photo_x2"),
    *("rcan_x2", "rrdb_psnr_x4", "eleven_seconds", "one_minute", "five_minutes", "release_x2"),
    *("single_image", "smoke", "sweep_adam", "sweep_base", "sweep_fp32", "sweep_linear"),
    *("sweep_mse", "sweep_no_skip", "sweep_no_warmup", "sweep_rate_double", "sweep_rate_half"),
    *("sweep_short_ema", "open_photos_x2", "through_plane", "vdsr"),
]


def recipe(experiment):
    """Return what decides whether a training is stable, but for the sizes of network and crops."""
    config = composed(f"experiment={experiment}")
    trainer, scheduler = config.trainer, {**config.scheduler, "total_steps": None}
    chosen = [config.optimizer, scheduler, config.loss, config.gan, config.clipping]
    several = len(config.datamodule.scales) > 1
    network = config.model.network["_target_"], config.model.kernel_expansion
    return str([*network, *chosen, trainer.precision, trainer.ema_decay, several])


def test_the_list_of_recipes_has_each_once():
    recipes = {name: recipe(name) for name in EXPERIMENTS}
    listed = [recipes[name] for name in RECIPES]
    assert sorted(listed) == sorted(set(recipes.values()))


# One experiment of each network, at each scale, that none of the recipes above trains.
OTHER_NETWORKS = [
    *("dbpn_x4", "dbpn_x8", "drnsr_x3", "edsr_baseline_x3", "edsr_baseline_x4", "edsr_x2"),
    *("edsr_x3", "edsr_x4", "rcan_x3", "rcan_x4", "rcan_x8"),
]


def shrunk_network(experiment):
    """The network of an experiment, and its scale, but for the sizes that a test makes small."""
    config = composed(f"experiment={experiment}")
    return str(config.model.network | shrink(config.model.network))


def test_the_lists_have_each_network_at_each_scale():
    # The pictures of these tests are RGB; tests/pipeline/test_bands.py trains networks of bands.
    rgb = (name for name in EXPERIMENTS if composed(f"experiment={name}").data.pixels is None)
    networks = {name: shrunk_network(name) for name in rgb}
    trained = {networks[name] for name in RECIPES}
    listed = [networks[name] for name in OTHER_NETWORKS]
    assert sorted(listed) == sorted(set(networks.values()) - trained)


@pytest.fixture(scope="module")
def textures(tmp_path_factory):
    """A project's folder with a prepared set whose pictures are large enough for a trend."""
    return prepared_textures(tmp_path_factory.mktemp("textures"), 8, (160, 168), validation=0.25)


def for_sixty_steps(experiment):
    """Return a recipe for 60 steps at its own rates, with small crops and a narrow network.

    VDSR keeps its width and depth, since its rates suit no other size.
    """
    config = composed(f"experiment={experiment}", "run.evaluate_after_training=false")
    depths = {"num_blocks": 2, "num_groups": 2, "num_stages": 3}
    widths = {"num_features": 16, "num_shallow_features": 16, "num_growth": 8, "reduction": 4}
    sizes, network = depths | widths, config.model.network
    values = {
        **{"data.name": "sample", "datamodule.patch_size": None, "datamodule.hr_patch_size": 32},
        **{"datamodule.batch_size": 4, "trainer.max_steps": 60, "trainer.validate_every": 60},
        **{"trainer.log_every": 1, "trainer.threads": 1, "logger.experiment": None},
        **{"trainer.accelerator": "cpu", "data.crop_grid": "lr"},  # as the textures were prepared
    }
    if experiment != "vdsr":
        small = {name: min(network[name], sizes[name]) for name in network if name in sizes}
        values |= {f"model.network.{name}": size for name, size in small.items()}
    if not config.degradation.is_bicubic:  # the validation pictures are bicubic
        values["degradation"] = composed().degradation
    if config.gan is not None:
        judge = {name: 32 for name in config.gan.discriminator if name == "input_size"}
        judge |= {"num_features": 8}
        values |= {f"gan.discriminator.{name}": size for name, size in judge.items()}
        values |= QUICK_FEATURES | {"datamodule.batch_size": 2}
    return with_values(config, values)


def psnr_of(network, config):
    """Return the mean PSNR of the validation crops in dB, as a training measures it."""
    crops = ValidationCrops(
        PreparedDataset.open(Path("data/prepared/train")),
        scale=config.scale,
        crop_size=config.datamodule.validation_crop,
    )
    module = SRModule(network, loss=nn.L1Loss(), optimizer=None, scheduler=None, channels_last=True)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    trainer.validate(module, DataLoader(crops), verbose=False)
    return float(trainer.callback_metrics["val_psnr"])


@pytest.mark.slow
@pytest.mark.parametrize("experiment", RECIPES)
def test_it_learns_from_the_first_steps(experiment, textures, monkeypatch):
    monkeypatch.chdir(textures)
    config = for_sixty_steps(experiment)
    seed_everything(config.seed, threads=config.trainer.threads)
    start = psnr_of(instantiate(config.model.network), config)
    train(config)
    losses = column("training_loss.csv", "loss")
    assert len(losses) == 60
    assert all(map(math.isfinite, losses))
    assert fmean(losses[-20:]) < fmean(losses[:20])
    if config.gan is None:  # against a discriminator PSNR falls on purpose
        assert column("validation_psnr.csv", "psnr_db")[-1] > start - 0.5


def column(file, name):
    with (Path("metrics/curves") / file).open() as curve:
        return [float(row[name]) for row in csv.DictReader(curve)]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", OTHER_NETWORKS)
def test_the_other_networks_train_for_a_few_steps(experiment, prepared, monkeypatch):
    monkeypatch.chdir(prepared)
    config = shrunk(composed(f"experiment={experiment}", "debug=fast"))
    train(config)
    info = read_info(prepared / "models/model.safetensors")
    assert info.architecture == config.model.network["_target_"].rpartition(".")[2]
    steps = (prepared / "metrics/curves/training_loss.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in steps] == ["1", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [*sorted(p.stem for p in (CONF / "model").glob("*.yaml")), "gan"])
def test_the_same_training_gives_the_same_bytes(model, prepared, monkeypatch):
    monkeypatch.chdir(prepared)
    chosen = "experiment=esrgan_x4" if model == "gan" else f"model={model}"
    made = []
    for _ in range(2):
        train(shrunk(composed(chosen, "debug=fast", "trainer.max_steps=4", "checkpoints.keep=1")))
        made.append({path: (prepared / path).read_bytes() for path in COMPARED})
        shutil.rmtree(prepared / "runs")  # or it would go on from the first one's states
    assert made[0] == made[1]


COMPARED = (
    "models/model.safetensors",
    "metrics/curves/training_loss.csv",
    "metrics/curves/validation_psnr.csv",
)


@pytest.mark.slow
def test_a_training_starts_from_another_programs_weights(prepared, monkeypatch, caplog):
    monkeypatch.chdir(prepared)
    # With this rate, no step changes a weight.
    overrides = ("debug=fast", "init_from=x2.pt", "optimizer.lr=0")
    config = composed("experiment=edsr_baseline_x3", *overrides)
    small = shrink(config.model.network)
    config = with_values(config, {f"model.network.{name}": value for name, value in small.items()})
    source = EDSRPyTorch(2, small["num_features"], small["num_blocks"]).state_dict()
    torch.save(source, "x2.pt")
    with caplog.at_level("INFO", logger="drnsr"):
        train(config)
    assert "all layers taken but upsampler.0, which start anew" in caplog.text
    trained = load_model(prepared / "models/model.safetensors").state_dict()
    assert torch.equal(trained["body.1.conv2.weight"], source["body.1.body.2.weight"])
    torch.testing.assert_close(trained["head.weight"], source["head.0.weight"])
    licences = read_info(prepared / "models/model.safetensors").origin.licences
    assert licences["not stated, the pictures of x2.pt"] == 0  # and those of its own pictures
    assert len(licences) > 1
