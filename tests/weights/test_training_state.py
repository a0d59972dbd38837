"""The training states of a run are loaded like models."""

from pathlib import Path

import pytest
import torch

from drnsr.cli import main
from drnsr.networks import DRNSR
from drnsr.weights.loading import load_foreign, load_network
from drnsr.weights.native import ModelFileError, load_model, read_info
from drnsr.weights.warm_start import warm_start
from tests.training.runs import against_a_discriminator, train


@pytest.fixture
def run(dataset, tmp_path):
    """A finished run's network (the average, as it is kept), and the folder of its states."""
    folder = tmp_path / "run"
    return train(dataset, folder, seconds_between_states=0, steps=11), folder / "states"


def newest(states):
    return max(states.glob("step-*.ckpt"))


def test_the_moving_average_is_used_and_described(run, dataset, tmp_path):
    network, states = run
    state = load_foreign(states / "best.ckpt")
    assert isinstance(state.network, DRNSR)
    assert state.network.hyper_parameters == network.hyper_parameters
    assert "a training of drnsr after step" in state.description
    assert "their moving average (EMA)" in state.description
    content = torch.load(states / "best.ckpt", weights_only=True)
    average, trained = content["state_dict"], content["current_model_state"]
    for name, value in state.network.state_dict().items():
        assert torch.equal(value, average[f"network.{name}"]), name
    assert not torch.equal(average["network.head.weight"], trained["network.head.weight"])


def test_without_an_average_and_against_a_discriminator(dataset, tmp_path):
    train(dataset, tmp_path, training=against_a_discriminator, ema_decay=0, steps=5)
    state = load_foreign(tmp_path / "states/best.ckpt")
    assert "no moving average" in state.description
    content = torch.load(tmp_path / "states/best.ckpt", weights_only=True)
    for name, value in state.network.state_dict().items():
        assert torch.equal(value, content["state_dict"][f"network.{name}"]), name


def test_commands_take_a_state_as_a_model(run, tmp_path, monkeypatch, capsys):
    _, states = run
    monkeypatch.chdir(tmp_path)
    state = str(newest(states))
    main(["info", state])
    reported = capsys.readouterr().out
    assert "a training of drnsr after step 10" in reported
    assert "moving average" in reported
    assert "num_blocks: 1" in reported
    main(["convert", state, "out.safetensors"])
    weights = load_network(newest(states)).state_dict()
    converted = load_model(Path("out.safetensors")).state_dict()
    assert all(torch.equal(value, converted[name]) for name, value in weights.items())
    assert "a training of drnsr" in read_info(Path("out.safetensors")).origin.made_from
    network = DRNSR(scale=2, num_features=8, num_blocks=1)
    assert "all layers taken" in warm_start(network, load_network(Path(state)), state)
    with pytest.raises(SystemExit, match="scale cannot be set: the state determines it"):
        main(["convert", state, "out.safetensors", "--set", "scale=3"])


CHANGES = [
    (lambda s: s.pop("drnsr_network"), "an older drnsr, which does not describe its network"),
    (lambda s: s["drnsr_network"].update(architecture="Best"), "'Best' is unknown"),
    (lambda s: s["drnsr_network"]["hyper_parameters"].update(num_blocks=9), "not those of its"),
    (lambda s: s["drnsr_network"]["hyper_parameters"].update(mood=1), "not a DRNSR of drnsr"),
    (lambda s: s["drnsr_network"].update(hyper_parameters=[]), "but damaged"),
    (lambda s: s["state_dict"].pop("network.head.weight"), "not those of its"),
    (
        lambda s: s["state_dict"]["network.head.weight"].fill_(float("nan")),
        r"tensor 'head\.weight' holds NaN or infinite",
    ),
]


def test_a_damaged_state_gives_an_error_of_one_line(run, tmp_path):
    for change, message in CHANGES:
        content = torch.load(run[1] / "best.ckpt", weights_only=True)
        change(content)
        torch.save(content, tmp_path / "best.ckpt")
        with pytest.raises(ModelFileError, match=rf"best\.ckpt: .*{message}") as caught:
            load_network(tmp_path / "best.ckpt")
        assert "\n" not in str(caught.value)
