"""docs/ray_upscale.py: its worker, and where Ray is installed the whole program."""

import os
import runpy
import subprocess
import sys

import pytest
from PIL import Image

from drnsr import Upscaler
from drnsr.upscale.jobs import plan
from tests.conftest import PROJECT, texture

SCRIPT = PROJECT / "docs/ray_upscale.py"


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(texture(16, 20 + number, seed=number)).save(folder / f"{number}.png")
    (folder / "torn.png").write_bytes((folder / "0.png").read_bytes()[:300])
    return folder


def check(out, pictures):
    upscaler = Upscaler.from_pretrained("drnsr-x2")
    assert sorted(path.name for path in out.iterdir()) == ["0_x2.png", "1_x2.png", "2_x2.png"]
    for number in range(3):
        expected = upscaler(Image.open(pictures / f"{number}.png"))
        assert Image.open(out / f"{number}_x2.png").tobytes() == expected.tobytes()


def test_a_worker_upscales_as_the_command_does(pictures, tmp_path):
    worker = runpy.run_path(str(SCRIPT))["Worker"]("drnsr-x2", 2)
    jobs = plan([str(pictures)], tmp_path / "out", "_x2", None, overwrite=False).jobs
    outcomes = [worker.upscale(job) for job in jobs]
    assert [bool(outcome.error) for outcome in outcomes] == [False, False, False, True]
    assert "torn.png" in outcomes[-1].error
    check(tmp_path / "out", pictures)


@pytest.mark.slow
def test_ray_shares_the_images_out(pictures, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "out"
    command = [sys.executable, str(SCRIPT), str(pictures), "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "RAY_USAGE_STATS_ENABLED": "0"}
    two = [*command, "--workers", "2"]
    ended = subprocess.run(two, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "torn.png" in ended.stderr
    check(out, pictures)
    again = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "0 upscaled, 3 existed before" in again.stdout
