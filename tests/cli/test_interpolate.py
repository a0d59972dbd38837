"""The command `drnsr interpolate`."""

import pytest
import torch

from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.images.pixel_format import PixelFormat
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, load_model, read_info, save_model


@pytest.fixture
def models(tmp_path):
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        save_model(tmp_path / name, DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    return tmp_path


def call(models, *arguments):
    main(["interpolate", str(models / "a"), str(models / "b"), *arguments])


def test_the_result_is_interpolated_and_names_its_sources(models, capsys):
    call(models, "--alpha", "0.8", str(models / "out.safetensors"))
    a, b, out = (load_model(models / name).state_dict() for name in ("a", "b", "out.safetensors"))
    assert torch.allclose(out["head.weight"], 0.2 * a["head.weight"] + 0.8 * b["head.weight"])
    made_from = read_info(models / "out.safetensors").origin.made_from
    for part in ("interpolated", file_sha256(models / "a"), file_sha256(models / "b"), "alpha 0.8"):
        assert part in made_from
    assert made_from in capsys.readouterr().out


def test_the_result_has_the_licences_of_both(models, capsys):
    cc0, cc_by = "CC0-1.0, A. B., https://example.org/a", "CC-BY-4.0, C. D., https://example.org/c"
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    save_model(models / "a", network, Origin(licences={cc0: 3, cc_by: 2}))
    save_model(models / "b", network, Origin(licences={cc0: 5}))
    call(models, "--alpha", "0.5", str(models / "out.safetensors"))
    assert read_info(models / "out.safetensors").origin.licences == {cc0: 5, cc_by: 2}
    save_model(models / "b", network, Origin())
    call(models, "--alpha", "0.5", str(models / "out.safetensors"))
    main(["info", "--credits", str(models / "out.safetensors")])
    printed = capsys.readouterr().out
    assert f"3 pictures: {cc0}\n" in printed
    assert "unknown number of pictures: not stated, the pictures of b\n" in printed


def test_different_networks_are_one_line_and_nothing_is_written(models):
    save_model(models / "b", DRNSR(scale=2, num_features=5, num_blocks=1), Origin())
    with pytest.raises(SystemExit, match=r"two different networks .*: num_features 4 and 5"):
        call(models, str(models / "out.safetensors"), "--alpha=0.5")
    for name, white in (("a", 1000.0), ("b", 4000.0)):
        network = DRNSR(scale=2, num_features=4, num_blocks=1, channels=2)
        network.pixels = PixelFormat(("red", "nir"), 16, (0.0, white), (0.0, white))
        save_model(models / name, network, Origin())
    with pytest.raises(SystemExit, match=r"white 1000 and 2 bands .*white 4000$"):
        call(models, str(models / "out.safetensors"), "--alpha=0.5")
    assert not (models / "out.safetensors").exists()
