"""Choices for params.yaml are found for a run by hand, and compose to its configuration."""

import shutil

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from drnsr.config.compose import compose_graph, load_option, validate
from drnsr.config.errors import ConfigError
from drnsr.config.overrides import find_choices, recorded_choices, result_relevant, write_choices
from drnsr.project import CONF
from tests.conftest import PROJECT


def job(*overrides):
    """The configuration of a training by hand."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", overrides=["run.output=made", *overrides])
    return validate(composed).model_dump()


def of_an_older_version(config):
    """The configuration of a run before some keys were known."""
    older = {key: value for key, value in config.items() if key not in ("degradation", "extend")}
    trainer = {key: value for key, value in config["trainer"].items() if key != "early_stopping"}
    return older | {"trainer": trainer}


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=edsr_baseline", "seed=2", "optimizer.lr=3e-4", "trainer.max_steps=10"],
        pytest.param(["experiment=vdsr", "scale=3"], marks=pytest.mark.slow),
        pytest.param(["experiment=esrgan_x4", "debug=fast"], marks=pytest.mark.slow),
        pytest.param(["data=folder", "folder=/a/b c", "benchmark=classic"], marks=pytest.mark.slow),
        pytest.param(["protocol={name: mine, border_pixels: 2}"], marks=pytest.mark.slow),
    ],
)
def test_choices_that_are_found_compose_to_the_same(tmp_path, overrides):
    wanted = job(*overrides)
    params = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", params)
    (tmp_path / "conf").mkdir()
    shutil.copy(PROJECT / "conf/from_scratch", tmp_path / "conf/from_scratch")
    write_choices(params, find_choices(of_an_older_version(wanted)))
    composed = compose_graph(params).model_dump()
    assert result_relevant(composed) == result_relevant(wanted)
    comments = [line for line in (PROJECT / "params.yaml").read_text().splitlines() if "#" in line]
    assert [line for line in params.read_text().splitlines() if "#" in line] == comments


def test_a_key_that_no_lines_can_express_is_named():
    wanted = job()
    wanted["optimizer"]["momentum"] = 0.9
    del wanted["optimizer"]["lr"]
    with pytest.raises(ConfigError, match=r"optimizer\.\w+: "):
        find_choices(wanted)


@pytest.mark.parametrize(
    ("group", "option"),
    [("benchmark", "classic"), ("data", "single"), ("gan", "esrgan"), ("scheduler", "step")],
)
def test_a_file_that_is_loaded_alone_is_what_hydra_composes(group, option):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", overrides=[f"{group}={option}"])
    assert OmegaConf.to_container(load_option(group, option)) == OmegaConf.to_container(
        composed[group]
    )


def test_only_the_line_of_the_choice_is_changed(tmp_path):
    params = tmp_path / "params.yaml"
    text = (PROJECT / "params.yaml").read_text()
    params.write_text(text)
    write_choices(params, {"scale": 3})
    assert params.read_text() == text.replace("scale: null", "scale: 3")


def adopted(tmp_path, choices):
    """The configuration that the graph composes from choices in params.yaml."""
    params = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", params)
    (tmp_path / "conf").mkdir(exist_ok=True)
    shutil.copy(PROJECT / "conf/from_scratch", tmp_path / "conf/from_scratch")
    write_choices(params, choices)
    return compose_graph(params).model_dump()


def longer(choices):
    """The same choices, with three hundred steps."""
    trainer = {**choices["set"]["trainer"], "max_steps": 300}
    return {**choices, "set": {**choices["set"], "trainer": trainer}}


def test_what_the_training_starts_from_is_as_it_was_in_the_run(tmp_path):
    on_hub = f"hf://me/mine@{'a1' * 20}"
    ran = job("init_from=hf://me/mine") | {"init_from": on_hub}
    choices = recorded_choices({}, ["init_from=hf://me/mine"], ran)
    assert choices == {"set": {"init_from": on_hub}}
    assert adopted(tmp_path, choices)["init_from"] == on_hub
    params = tmp_path / "params.yaml"
    write_choices(params, {"init_from": "start.safetensors"})
    write_choices(params, recorded_choices({}, [], job()))
    assert compose_graph(params).init_from is None


OVERRIDES = ["experiment=smoke", "model=edsr_baseline", "seed=3", "trainer.max_steps=140"]
OVERRIDES += ["logger=none", "logger.experiment=mine", "scheduler.warmup_steps=7"]


def test_auto_and_derived_values_stay_so_when_a_run_is_adopted(tmp_path):
    ran = job(*OVERRIDES)
    ran["trainer"]["precision"] = "bf16-mixed"  # the machine's choice for `auto`
    choices = recorded_choices({}, OVERRIDES, ran)
    assert choices == {
        "experiment": "smoke",
        "model": "edsr_baseline",
        "seed": 3,
        "set": {"trainer": {"max_steps": 140}, "scheduler": {"warmup_steps": 7}},
    }
    config = adopted(tmp_path, choices)
    auto = {**config["trainer"], "precision": "bf16-mixed"}
    assert result_relevant({**config, "trainer": auto}) == result_relevant(ran)
    config = adopted(tmp_path, longer(choices))
    assert config["scheduler"]["total_steps"] == 300
    assert config["trainer"]["precision"] == "auto"


def test_derived_values_stay_so_for_a_run_without_a_record_of_its_choices(tmp_path):
    ran = job("trainer.max_steps=140", "scheduler=warmup_linear")
    choices = find_choices(ran)
    assert "scheduler" not in choices["set"]
    config = adopted(tmp_path, longer(choices))
    assert config["scheduler"]["total_steps"] == 300


def test_a_run_of_the_graph_has_the_lines_of_its_params_and_its_overrides(tmp_path):
    params = {"scale": 3, "model": None, "init_from": "conf/from_scratch", "folder": "data/own"}
    params |= {"set": {"optimizer": {"lr": 1e-3}}}
    lines = "scale: 3\nset: {optimizer: {lr: 1e-3}}\nfolder: data/own"
    (tmp_path / "ran").mkdir()
    (tmp_path / "ran/params.yaml").write_text(lines)
    ran = compose_graph(tmp_path / "ran/params.yaml").model_dump()
    choices = recorded_choices(params, ["logger.experiment=null"], ran)
    assert choices == {"scale": 3, "folder": "data/own", "set": {"optimizer": {"lr": 1e-3}}}
    ran["optimizer"]["betas"] = [0.5, 0.9]  # conf/ said so then
    choices = recorded_choices(params, [], ran)
    assert choices["set"] == {"optimizer": {"lr": 1e-3, "betas": [0.5, 0.9]}}


def test_a_run_from_before_a_key_keeps_what_it_did(tmp_path):
    """conf/ says hr and 2 now, for this experiment."""
    ran = job("experiment=release_x2")
    del ran["data"]["crop_grid"], ran["model"]["kernel_expansion"]
    choices = recorded_choices({}, ["experiment=release_x2"], ran)
    assert choices["set"] == {"data": {"crop_grid": "lr"}, "model": {"kernel_expansion": None}}
    config = adopted(tmp_path, choices)
    assert (config["data"]["crop_grid"], config["model"]["kernel_expansion"]) == ("lr", None)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["~model.published"], "~model.published: params.yaml has no line for this"),
        (["experiment=rcan_x2", "model=edsr"], "model: edsr contradicts experiment rcan_x2"),
    ],
)
def test_overrides_that_params_cannot_express(overrides, message):
    with pytest.raises(ConfigError, match=message):
        recorded_choices({}, overrides, job())
