"""No file with NaN or infinite pixels is written, and no model with such weights is loaded."""

import pytest
from PIL import Image

from drnsr.cli import main
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, load_model, save_model
from tests.conftest import texture
from tests.networks.building import overflowing


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(texture(9, 8)).save("a.png")
    return tmp_path


def test_a_network_that_overflows_writes_no_file_and_the_error_names_the_source(folder):
    save_model(folder / "m.safetensors", overflowing(3e38), Origin())
    load_model(folder / "m.safetensors")  # its weights are finite
    with pytest.raises(SystemExit, match=r"1 of 1 .*: a\.png: the model makes NaN") as caught:
        main(["upscale", "a.png", "--model", "m.safetensors", "--out", "out"])
    assert "\n" not in str(caught.value.code)
    assert [path for path in folder.rglob("*") if "a_x2" in path.name] == []


def test_a_model_with_infinite_weights_is_rejected_by_name(folder):
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    name, weight = next(iter(network.named_parameters()))
    weight.data.view(-1)[0] = float("inf")
    save_model(folder / "m.safetensors", network, Origin())
    for command in (
        ["upscale", "a.png", "--model", "m.safetensors", "--out", "out"],
        ["info", "m.safetensors"],
        ["evaluate", "m.safetensors", "--benchmark", "folder", "--folder", "."],
    ):
        with pytest.raises(SystemExit, match=rf"m\.safetensors: tensor '{name}' holds NaN"):
            main(command)
