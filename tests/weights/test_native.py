import json
import os
import resource
import struct
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from drnsr.networks import DRNSR, EDSR
from drnsr.weights.native import ModelFileError, Origin, load_model, read_info, save_model

ORIGIN = Origin(config="c" * 64, data="d" * 64, code="e" * 64)


def test_a_saved_model_says_everything_needed_to_run_it(tmp_path):
    network = EDSR(scale=3, num_features=8, num_blocks=2, residual_scale=0.1)
    save_model(tmp_path / "model.safetensors", network, ORIGIN)
    info = read_info(tmp_path / "model.safetensors")
    assert info.architecture == "EDSR"
    assert info.hyper_parameters["residual_scale"] == 0.1
    assert (info.scales, info.colour, info.value_range) == ((3,), "RGB", (0.0, 1.0))
    assert info.origin == ORIGIN
    picture = torch.rand(1, 3, 5, 5)
    assert torch.equal(load_model(tmp_path / "model.safetensors")(picture), network(picture))


SAVE = """
import sys, torch
from pathlib import Path
from drnsr.weights.native import Origin, save_model
from drnsr.networks import DRNSR
torch.manual_seed(1)
save_model(Path(sys.argv[1]), DRNSR(scale=2, num_features=8, num_blocks=2), Origin("a", "b", "c"))
"""


def test_equal_models_are_equal_to_the_byte_in_another_process(tmp_path):
    here, there = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
    torch.manual_seed(1)
    save_model(here, DRNSR(scale=2, num_features=8, num_blocks=2), Origin("a", "b", "c"))
    subprocess.run([sys.executable, "-c", SAVE, str(there)], check=True)
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_model_has_the_permissions_of_new_files(tmp_path):
    save_model(tmp_path / "model", DRNSR(scale=2, num_features=4, num_blocks=1), ORIGIN)
    (tmp_path / "any").touch()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_the_header_holds_json_that_other_programs_can_read(tmp_path):
    save_model(tmp_path / "model.safetensors", DRNSR(scale=2, num_features=8, num_blocks=1), ORIGIN)
    data = (tmp_path / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])  # the format's definition
    header = json.loads(data[8 : 8 + length])
    content = json.loads(header["__metadata__"]["drnsr"])
    assert content["architecture"] == "DRNSR"
    assert "skip.weight" not in header  # a constant, and no part of the checkpoint


def test_other_files_are_refused_in_one_line(tmp_path):
    with pytest.raises(ModelFileError, match=r"gone\.safetensors: there is no such file"):
        load_model(tmp_path / "gone.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"\x99" * 40)
    with pytest.raises(ModelFileError, match=r"torn\.safetensors: not a readable"):
        load_model(tmp_path / "torn.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match=r"other\.safetensors: .*not a model written by drnsr"):
        load_model(tmp_path / "other.safetensors")
    metadata = {"drnsr": json.dumps(_info("Transformer"))}
    save_file({"a": torch.zeros(1)}, tmp_path / "new.safetensors", metadata=metadata)
    with pytest.raises(ModelFileError, match="'Transformer' is unknown"):
        load_model(tmp_path / "new.safetensors")
    metadata = {"drnsr": json.dumps(_info("DRNSR") | {"mood": "good"})}
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata=metadata)
    with pytest.raises(ModelFileError, match=r"odd\.safetensors: written by another version"):
        load_model(tmp_path / "odd.safetensors")


@pytest.mark.parametrize(
    ("architecture", "hyper_parameters"),
    [("VDSR", {"scales": [2**31]}), ("DRNSR", {"scale": 4096}), ("DRNSR", {"scale": 2**40})],
)
def test_an_absurd_scale_is_refused_without_allocating_its_filters(
    tmp_path, architecture, hyper_parameters
):
    metadata = {"drnsr": json.dumps(_info(architecture) | {"hyper_parameters": hyper_parameters})}
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata=metadata)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match=r"odd\.safetensors: .*weights are not those"):
        load_model(tmp_path / "odd.safetensors")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 200 * 1024  # KiB; scale 4096 has filters of 3 GiB


def test_an_infinite_scale_is_refused(tmp_path):
    metadata = {"drnsr": json.dumps(_info("DRNSR") | {"scales": [float("inf")]})}
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata=metadata)
    with pytest.raises(ModelFileError, match=r"odd\.safetensors: written by another version"):
        load_model(tmp_path / "odd.safetensors")


def _info(architecture):
    return {
        "architecture": architecture,
        "hyper_parameters": {},
        "scales": [2],
        "colour": "RGB",
        "value_range": [0, 1],
        "origin": {"config": "", "data": "", "code": ""},
    }
