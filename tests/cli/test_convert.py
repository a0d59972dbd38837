"""`drnsr convert` and `drnsr info`, and commands that take a foreign file directly."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from drnsr.cli import main
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import EDSR
from drnsr.weights.native import load_model, read_info
from tests.conftest import texture
from tests.weights.foreign_networks import EDSRPyTorch


@pytest.fixture
def edsr(tmp_path, monkeypatch):
    """A checkpoint of EDSR-PyTorch in an empty folder."""
    monkeypatch.chdir(tmp_path)
    torch.save(EDSRPyTorch(2, 8, 2).state_dict(), "edsr.pt")
    return "edsr.pt"


def test_a_checkpoint_becomes_a_model_file(edsr, capsys):
    main(["convert", edsr, "edsr.safetensors", "--set", "residual_scale=0.5"])
    assert "edsr.safetensors: EDSR x2, weights of EDSR-PyTorch" in capsys.readouterr().err
    network = load_model(Path("edsr.safetensors"))
    assert isinstance(network, EDSR)
    assert network.hyper_parameters["residual_scale"] == 0.5
    assert "converted from edsr.pt (sha256 " in read_info(Path("edsr.safetensors")).origin.made_from


def test_info_shows_a_checkpoint_and_a_model_file(edsr, capsys):
    main(["info", edsr])
    reported = capsys.readouterr().out
    main(["convert", edsr, "edsr.safetensors"])
    main(["info", "edsr.safetensors"])
    ours = capsys.readouterr().out
    for expected in ("EDSR-PyTorch", "x2", "num_blocks: 2", "residual_scale (as published"):
        assert expected in reported
    for expected in ("drnsr", "x2", "num_blocks: 2", "converted from edsr.pt"):
        assert expected in ours
    parameters = f"{sum(p.numel() for p in EDSRPyTorch(2, 8, 2).parameters()) - 24:,}"
    assert parameters in reported  # all but the mean shift's
    assert parameters in ours


def test_every_command_takes_a_foreign_file(edsr, picture_folder, capsys):
    arguments = ["evaluate", edsr, "--benchmark", "folder", "--folder", str(picture_folder)]
    main([*arguments, "--json"])
    assert {row["method"] for row in json.loads(capsys.readouterr().out)} == {edsr}
    main(["interpolate", edsr, edsr, "mixed.safetensors", "--alpha=0.5"])
    assert isinstance(load_model(Path("mixed.safetensors")), EDSR)
    main(["convert", edsr, "edsr.safetensors"])
    picture = texture(9, 10)
    np.testing.assert_array_equal(
        Upscaler.from_file(edsr)(picture), Upscaler.from_file("edsr.safetensors")(picture)
    )


def test_an_assumed_hyper_parameter_is_reported_once(edsr, caplog):
    file = Path(edsr).rename("loaded_twice.pt")
    with caplog.at_level("INFO", logger="drnsr"):
        Upscaler.from_file(file)
        Upscaler.from_file(file)
    (reported,) = caplog.messages
    assert reported.startswith(
        "loaded_twice.pt: EDSR x2, weights of EDSR-PyTorch; not in the file, assumed"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edsr.pt", "edsr.pth"], r"edsr\.pth: the name of a model file ends with \.safetensors"),
        (["edsr.pt", "out.safetensors", "--set", "residual_scale"], "is not KEY=VALUE"),
        (["edsr.pt", "out.safetensors", "--set", "scale=3"], "scale cannot be set"),
        (["edsr.pt", "edsr.pt/out.safetensors"], r"error: .*edsr\.pt.*: File exists"),
        (["gone.pt", "out.safetensors"], r"gone\.pt: there is no such file"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(edsr, arguments, message, tmp_path):
    with pytest.raises(SystemExit, match=message) as caught:
        main(["convert", *arguments])
    assert "\n" not in str(caught.value.code)
    assert [file.name for file in tmp_path.iterdir()] == ["edsr.pt"]
