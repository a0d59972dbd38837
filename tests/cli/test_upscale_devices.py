"""`drnsr upscale --devices`: several processes write what one writes, and all end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from drnsr.cli import main
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

PROGRAM = "from drnsr.cli import main; main()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="lists processes in /proc")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model, and images of different sizes, of which the last takes seconds in small tiles."""
    monkeypatch.chdir(tmp_path)
    save_model(Path("m.safetensors"), DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    Path("in").mkdir()
    for number in range(5):
        Image.fromarray(texture(20 + 7 * number, 30, seed=number)).save(f"in/{number}.png")
    Image.fromarray(texture(400, 400)).save("in/large.bmp")
    return tmp_path


def command(out, *more):
    return ["upscale", "in", "--model", "m.safetensors", "--out", out, "--tile", "16", *more]


def start(out):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command(out, "--devices", "2")],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        start_new_session=True,  # so that a signal can be sent to all of its processes, as Ctrl-C
    )
    while len(files(out)) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    return process


def files(out):
    return {path.name: path.read_bytes() for path in Path(out).glob("*_x2.*")}


def workers(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in commands.items() if b"spawn_main" in line]


@pytest.mark.slow
def test_files_are_those_of_one_process_also_if_workers_are_killed(folder, capsys):
    Path("in/bad.png").write_bytes(b"")
    with pytest.raises(SystemExit):
        main(command("one", "--compare"))
    error = r"1 of 7 could not be upscaled: in/bad\.png: an empty file"
    with pytest.raises(SystemExit, match=error):
        main(command("two", "--compare", "--devices", "2"))
    assert "two: 6 upscaled" in capsys.readouterr().out
    one, two = ({p.name: p.read_bytes() for p in Path(out).iterdir()} for out in ("one", "two"))
    assert one == two
    assert len(one) == 13

    process = start("killed")
    for worker in workers(process):
        os.kill(worker, signal.SIGKILL)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 1
    lost = ": the worker died (signal 9; out of memory?); another one begins it again"
    assert lost in " ".join(message.split())
    assert files("killed") == files("one")


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_leaves_no_incomplete_file(folder):
    # So large that no worker is done with it before the signal, also on a busy machine.
    Image.fromarray(texture(2000, 2000)).save("in/large.bmp")
    process = start("out")
    alive = workers(process)
    assert len(alive) == 2
    os.killpg(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert message.splitlines()[-1] == "error: ended early; the same command goes on with the rest"
    assert process.returncode == 128 + signal.SIGINT
    assert not any(Path(f"/proc/{worker}").exists() for worker in alive)
    left = {path.name for path in Path("out").iterdir()}
    assert left == set(files("out"))
    assert "large_x2.bmp" not in left


def test_devices_that_cannot_be_used(folder, capsys):
    for devices in ("0", "cuda:0,"):
        with pytest.raises(SystemExit):
            main(command("out", "--devices", devices))
        assert "invalid number or names of devices value" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="could choose other backends: name one"):
        main(command("out", "--devices", "2", "--backend", "fastest"))
