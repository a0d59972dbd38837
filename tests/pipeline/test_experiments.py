"""Every experiment of conf/experiment: that it composes, is the published network, and trains."""

import shutil

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from drnsr.checkpoints.native import load_model, read_info
from drnsr.config import CONF, check
from drnsr.data.preparation import pack_training_set
from drnsr.imaging.files import write_png
from pipelines.train import train
from tests.checkpoints.foreign_networks import EDSRPyTorch
from tests.conftest import SMALL, texture

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))

# Of the papers' own code; VDSR's with biases.
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


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return check(compose("config", overrides=["run=graph", "logger=none", *overrides]))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_it_composes_to_the_published_network(experiment):
    config = composed(f"experiment={experiment}")
    if experiment in PUBLISHED:
        with torch.device("meta"):
            network = instantiate(config.model.network)
        assert sum(tensor.numel() for tensor in network.parameters()) == PUBLISHED[experiment]


# What each of the sweep is there to change.
SWEPT = {
    "sweep_adam": "optimizer",
    "sweep_batch_16": "loader.batch_size",
    "sweep_deep": "model.network",
    "sweep_fp32": "trainer.precision",
    "sweep_linear": "scheduler._target_",
    "sweep_mse": "loss",
    "sweep_no_skip": "model",
    "sweep_no_warmup": "scheduler.warmup_steps",
    "sweep_patch_48": "loader.patch_size",
    "sweep_rate_double": "optimizer.lr",
    "sweep_rate_half": "optimizer.lr",
    "sweep_seed": "seed",
    "sweep_short_ema": "trainer.ema_decay",
    "sweep_wide": "model.network",
}
STEPS = {"trainer.max_steps", "trainer.validate_every", "scheduler.total_steps"}


def test_each_of_a_sweep_differs_from_its_base_in_one_thing():
    names = [name for name in EXPERIMENTS if name.startswith("sweep_")]
    choices = {name: leaves(composed(f"experiment={name}")) for name in names}
    base = choices.pop("sweep_base")
    assert base["scale"] == 2
    assert set(choices) == set(SWEPT)
    for name, chosen in choices.items():
        every = base.keys() | chosen.keys()
        differing = {key for key in every if base.get(key) != chosen.get(key)} - STEPS
        assert differing, name
        assert all(f"{key}.".startswith(f"{SWEPT[name]}.") for key in differing), (name, differing)


def leaves(config, prefix=""):
    """Every value, by its dotted key."""
    found = {}
    for key, value in config.items():
        if isinstance(value, DictConfig):
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project's folder with a small prepared set, at every scale that an experiment has."""
    root = tmp_path_factory.mktemp("project")
    pictures = []
    for number in range(3):
        pictures.append(root / f"pictures/{number}.png")
        write_png(pictures[-1], texture(96, 104, seed=number))
    pack_training_set(
        pictures,
        root / "data/prepared/train",
        name="sample",
        scales=[2, 3, 4, 8],
        validation_fraction=0.1,
    )
    return root


def shrunk(config):
    """Quick to train, and with nothing to download."""
    config.model.network.update(
        {name: SMALL[name] for name in config.model.network if name in SMALL}
    )
    if config.gan is not None:
        config.gan.discriminator.num_features = 4
        config.gan.features.weights = None
    return config


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_it_trains_for_a_few_steps(experiment, prepared, monkeypatch):
    monkeypatch.chdir(prepared)
    config = shrunk(composed(f"experiment={experiment}", "debug=fast"))
    train(config)
    info = read_info(prepared / "models/model.safetensors")
    assert info.architecture == config.model.network._target_.rpartition(".")[2]
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
def test_another_programs_weights_are_a_start(prepared, monkeypatch, caplog):
    monkeypatch.chdir(prepared)
    source = EDSRPyTorch(2, SMALL["num_features"], SMALL["num_blocks"]).state_dict()
    torch.save(source, "x2.pt")
    # No step goes anywhere.
    overrides = ("debug=fast", "init_from=x2.pt", "optimizer.lr=0")
    config = composed("experiment=edsr_baseline_x3", *overrides)
    config.model.network.update({name: SMALL[name] for name in ("num_features", "num_blocks")})
    with caplog.at_level("INFO", logger="drnsr"):
        train(config)
    assert "all layers taken but upsampler.0, which start anew" in caplog.text
    trained = load_model(prepared / "models/model.safetensors").state_dict()
    assert torch.equal(trained["body.1.conv2.weight"], source["body.1.body.2.weight"])
    torch.testing.assert_close(trained["head.weight"], source["head.0.weight"])
