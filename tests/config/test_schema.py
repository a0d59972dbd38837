"""The schema: which types and values it accepts, and what it converts."""

import math

import pytest
from omegaconf import OmegaConf
from pydantic import ValidationError

from drnsr.config.compose import compose_choices, read_resolved, resolve, to_yaml, validate
from drnsr.config.errors import ConfigError
from drnsr.config.schema import TRAINING_KEYS, recipe, select


@pytest.fixture(scope="module")
def composed():
    return compose_choices({"experiment": "esrgan_x4"})


def resolved(composed, **values):
    """The configuration with other values, whose keys have __ for a dot."""
    changed = composed.copy()
    for key, value in values.items():
        OmegaConf.update(changed, key.replace("__", "."), value, merge=False)
    return resolve(changed)


@pytest.mark.parametrize(
    ("key", "written", "typed"),
    [
        ("trainer__max_steps", "300", 300),
        ("trainer__max_steps", 1e3, 1000),
        ("checkpoints__seconds", 5, 5.0),
        ("checkpoints__seconds", "5e1", 50.0),
        ("trainer__deterministic", "true", True),
        ("trainer__deterministic", 0, False),
        ("trainer__compile", "auto", "auto"),
        ("data__name", 291, "291"),
        ("folder", None, None),
        ("gan", None, None),
    ],
)
def test_a_value_is_converted_where_nothing_is_lost(composed, key, written, typed):
    found = select(resolved(composed, **{key: written}), key.replace("__", "."))
    assert found == typed
    assert type(found) is type(typed)


def test_an_interpolation_has_the_converted_value(composed):
    changed = compose_choices({"set": {"trainer": {"max_steps": 1e3}, "seed": "${scale}"}})
    values = resolve(changed)
    assert values["scheduler"]["total_steps"] == 1000
    assert isinstance(values["scheduler"]["total_steps"], int)
    assert values["seed"] == 2


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer__max_steps", 1.5, "trainer.max_steps: 1.5 is not a whole number"),
        ("trainer__devices", "auto", "trainer.devices: auto is not a number; give one"),
        ("trainer__max_steps", True, "trainer.max_steps: true is not a number"),
        ("trainer__max_steps", None, "trainer.max_steps: null is not a whole number"),
        (
            "trainer__max_steps",
            10**9 + 1,
            "trainer.max_steps: 1000000001 is not 1000000000 or less",
        ),
        ("trainer__ema_decay", 1.0, "trainer.ema_decay: 1.0 is not less than 1"),
        ("trainer__ema_decay", "nan", "trainer.ema_decay: nan is not a finite number"),
        ("trainer__compile", "maybe", "trainer.compile: maybe is not one of auto, true, false"),
        (
            "trainer__nonfinite_loss",
            "stop",
            "trainer.nonfinite_loss: stop is not one of fail, skip",
        ),
        ("trainer__precision", "16-true", "trainer.precision: 16-true does not train: .* 16-mixed"),
        ("optimizer__lr", math.inf, "optimizer.lr: inf is not a finite number"),
        ("optimizer__betas", [0.9, -1], "optimizer.betas.1: -1 is not 0 or more"),
        ("seed", 2**64, "seed: the number does not fit in 64 bits"),
        ("seed", "${nowhere}", "seed: Interpolation key 'nowhere' not found"),
        ("loss", {"eps": 1}, "loss: expected _target_, the class or function to call"),
        ("loss", 5, "loss: 5 is not keys and values"),
        ("data__scales", [2, 2], r"data.scales: \[2, 2\] is not different whole numbers from 2"),
        ("data__parts__df2k__exclude", "a.png", "data.parts.df2k.exclude: a.png is not a list"),
        (
            "data__parts__df2k",
            {"exclude": [], "shrink": {"*": 1}, "validation_fraction": 0.1, "licences": {}},
            r"data.parts.df2k.shrink.\*: 1 is not 2 or more",
        ),
        ("data__weight_by", "area", "data.weight_by: area is not one of images, pixels"),
        ("data__crop_grid", "sr", "data.crop_grid: sr is not one of lr, hr"),
        ("model__kernel_expansion", 0, "model.kernel_expansion: 0 is not 1 or more"),
        ("mode", "all", "mode: all is not one of zero_shot, half"),
        ("gan__weights", None, "gan.weights: null is not keys and values"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(composed, key, value, message):
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        resolved(composed, **{key: value})
    assert "\n" not in str(caught.value)


def test_an_unknown_key_is_named_before_the_one_that_it_replaces(composed):
    content = resolve(composed)
    content["trainer"]["max_stepz"] = content["trainer"].pop("max_steps")
    with pytest.raises(ConfigError, match=r"^trainer\.max_stepz: there is no such key"):
        resolve(OmegaConf.create(content))
    del content["trainer"]["max_stepz"]
    with pytest.raises(ConfigError, match=r"^trainer\.max_steps: this key is missing"):
        resolve(OmegaConf.create(content))


def test_a_configuration_cannot_be_changed(composed):
    with pytest.raises(ValidationError, match="frozen"):
        validate(composed).trainer.max_steps = 1


def test_what_is_written_is_read_again(tmp_path, composed):
    config = validate(composed)
    (tmp_path / "resolved.yaml").write_text(to_yaml(config))
    assert read_resolved(tmp_path / "resolved.yaml") == config


FSDP = {"gan": None, "trainer__strategy": "fsdp", "trainer__devices": 2, "trainer__ema_decay": 0}


@pytest.mark.parametrize(
    ("value", "needed"),
    [
        ({"trainer__devices": 1}, "more than one process"),
        ({"trainer__ema_decay": 0.9}, "trainer.ema_decay=0"),
        ({"trainer__precision": "16-mixed"}, "trainer.precision auto, 32-true or bf16-mixed"),
        ({"optimizer___target_": "drnsr.training.muon.Muon"}, "an optimizer that needs no whole"),
    ],
)
def test_weights_are_shared_out_in_trainings_that_allow_it_alone(composed, value, needed):
    validate(OmegaConf.create(resolved(composed, **FSDP)))
    with pytest.raises(ConfigError, match=f"trainer.strategy: fsdp is for {needed}.*take ddp"):
        validate(OmegaConf.create(resolved(composed, **FSDP | value)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("trainer: [1", "not readable as YAML"),
        ("5", "not readable as YAML"),
        ("[]", "not keys and values; `dvc repro config` writes it anew"),
        ("loader: {}", "loader: there is no such key; `dvc repro config` writes it anew"),
    ],
)
def test_a_file_of_another_version_or_a_damaged_one_is_named(tmp_path, content, message):
    (tmp_path / "resolved.yaml").write_text(content)
    with pytest.raises(ConfigError, match=rf"resolved\.yaml: .*{message}"):
        read_resolved(tmp_path / "resolved.yaml")


def test_the_values_of_a_training_are_those_of_its_keys(composed):
    config = validate(composed)
    values = config.training_values()
    assert tuple(values) == TRAINING_KEYS
    assert values["model.network"] == config.model.network
    assert values["prepare.bad_images"] == "fail"


def test_a_recipe_has_the_keys_that_are_not_about_network_or_data(composed):
    content = validate(composed).model_dump()
    found = recipe(content)
    assert list(found)[:3] == ["seed", "init_from", "loss"]
    assert found["trainer"] == content["trainer"]
    assert not {"scale", "model", "data", "prepare"} & set(found)
    del content["gan"]  # as in a run of an older version
    assert "gan" not in recipe(content)
