"""The commands of a report are ones that drnsr understands."""

import argparse
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from drnsr.reporting.commands import model_commands, reproduction_command


def parsed(text):
    program, name, *arguments = shlex.split(text)
    assert program == "drnsr"
    parser = argparse.ArgumentParser()
    import_module(f"drnsr.cli.{name}").add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("protocol", ["rgb", {"name": "mine", "border_pixels": 3}])
def test_the_commands_can_be_called(protocol):
    from drnsr.cli.evaluation_options import parse_protocol
    from drnsr.evaluation.protocol import get_protocol

    benchmarks = {
        "set5": {"registry": "conf/registry/set5_x3.txt", "folder": None},
        "folder": {"registry": None, "folder": "my pictures"},
    }
    commands = model_commands(
        Path("a model.safetensors"), scale=3, protocol=protocol, benchmarks=benchmarks
    )
    measured, used, compared = (parsed(text) for _, text in commands)
    assert measured.methods == ["bicubic", "a model.safetensors"]
    assert (measured.benchmark, measured.scale) == ("set5,folder", 3)
    assert measured.folder == Path("my pictures")
    assert parse_protocol(measured.protocol) == get_protocol(protocol)
    assert used.model == "a model.safetensors"
    assert compared.scale == 3


def test_a_part_of_the_training_picture_cannot_be_measured_alone():
    benchmarks = {"single": {"registry": None, "folder": None}}
    commands = model_commands(Path("m"), scale=2, protocol="rgb", benchmarks=benchmarks)
    assert not any("evaluate" in text for _, text in commands)
    assert any("compare" in text for _, text in commands)


def test_a_model_of_bands_is_not_measured_on_the_pictures_of_papers():
    commands = model_commands(Path("m"), scale=2, protocol="bands", benchmarks={})
    assert not any("set5" in text for _, text in commands)


def test_a_run_is_made_again_from_its_record_or_its_commit():
    ((_, text),) = reproduction_command({"MLflow run": "abc", "git commit": "def"})
    assert parsed(text).run == "abc"
    untracked = {"MLflow run": "not tracked, or not yet"}
    ((_, text),) = reproduction_command({**untracked, "git commit": "def"})
    assert text == "git checkout def\ndvc repro"
    ((title, _),) = reproduction_command({**untracked, "git commit": "def and uncommitted changes"})
    assert "without its uncommitted changes" in title
    assert reproduction_command({**untracked, "git commit": "unknown"}) == []
