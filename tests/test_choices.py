"""Choices are found for what Hydra composed from a command line."""

import shutil

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from drnsr.choices import choices_of, that_counts, write_choices
from drnsr.config import CONF, ConfigError, check, compose_graph
from tests.conftest import PROJECT


def job(*overrides):
    """The configuration of a training that was called by hand."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", overrides=["run.output=made", *overrides])
    return OmegaConf.to_container(check(composed))


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
def test_written_into_the_file_they_compose_to_the_same(tmp_path, overrides):
    wanted = job(*overrides)
    params = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", params)
    (tmp_path / "conf").mkdir()
    shutil.copy(PROJECT / "conf/from_scratch", tmp_path / "conf/from_scratch")
    write_choices(params, choices_of(wanted))
    composed = OmegaConf.to_container(compose_graph(params))
    assert that_counts(composed) == that_counts(wanted)
    comments = [line for line in (PROJECT / "params.yaml").read_text().splitlines() if "#" in line]
    assert [line for line in params.read_text().splitlines() if "#" in line] == comments


def test_what_no_lines_say_is_named():
    wanted = job()
    wanted["optimizer"]["momentum"] = 0.9
    del wanted["optimizer"]["lr"]
    with pytest.raises(ConfigError, match=r"optimizer\.\w+: "):
        choices_of(wanted)
