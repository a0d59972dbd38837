"""The command `drnsr evaluate`."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from drnsr.cli import main
from drnsr.evaluation.metrics import METRICS, reported_metrics
from drnsr.images.encoding import write_png
from drnsr.networks import DRNSR, VDSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture
from tests.networks.building import wake


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """An empty folder, in which the command keeps its data."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_json_csv_and_the_table_have_the_same_numbers(somewhere, capsys):
    fields = "{name: mine, lr: float, sr: float, resize_border: mirror}"
    arguments = ["evaluate", "bicubic", "lanczos", "--protocol", fields]
    main([*arguments, "--json"])  # the benchmark is fetched, and only the result is printed
    rows = json.loads(capsys.readouterr().out)
    main([*arguments, "--csv"])
    cells = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    main(arguments)
    table = " ".join(capsys.readouterr().out.split())
    assert len(rows) == len(cells) == 10
    assert [row["psnr"] for row in rows] == [float(cell["psnr"]) for cell in cells]
    assert {row["protocol"] for row in rows} == {"mine"}
    bicubic = [row["psnr"] for row in rows if row["method"] == "bicubic"]
    assert f"{sum(bicubic) / 5:.3f}" in table
    assert "5 pictures are too few to prove a difference" in table
    assert "LR is MATLAB's bicubic on RGB as float, mirrored at the border" in table


def test_own_images_are_read_again_and_the_cost_of_a_model_is_shown(
    somewhere, picture_folder, capsys, monkeypatch
):
    # To measure it starts a process that imports torch.
    monkeypatch.setattr("drnsr.evaluation.cost.peak_memory", lambda *_: 512.0)
    network = VDSR(scales=[2], num_features=4, num_layers=3)
    name = "[bold]\x1b[2J.safetensors"
    save_model(somewhere / name, network, Origin("", "", ""))
    arguments = ["evaluate", "bicubic", name, "--benchmark", "folder"]
    arguments += ["--folder", str(picture_folder)]
    main([*arguments, "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {row["image"] for row in rows} == {path.name for path in picture_folder.iterdir()}
    assert {row["parameters"] for row in rows if row["method"] == "bicubic"} == {None}
    assert {row["parameters"] for row in rows if row["method"] != "bicubic"} == {
        9 * (4 + 16 + 4) + 4 + 4 + 1
    }
    gone = sorted(picture_folder.iterdir())[0]
    gone.unlink()
    main(["evaluate", "bicubic", *arguments[3:], "--csv"])
    cells = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {cell["image"] for cell in cells} == {path.name for path in picture_folder.iterdir()}
    main(arguments)
    table = capsys.readouterr().out
    assert "225" in table
    assert "MiB" in table
    assert "512" in table
    assert table.count("[bold]\\x1b[2J") == 3  # neither executed nor taken for markup


@pytest.mark.slow
def test_a_network_on_luma_is_evaluated_at_one_of_its_scales(somewhere, capsys):
    network = VDSR(scales=[2, 3], num_features=4, num_layers=3)
    save_model(somewhere / "vdsr.safetensors", network, Origin("", "", ""))
    arguments = ["evaluate", "vdsr.safetensors", "--benchmark", "sample_test", "--json"]
    main([*arguments, "--scale", "3", "--protocol", "classic_y"])
    rows = json.loads(capsys.readouterr().out)
    assert {(row["method"], row["scale"], row["protocol"]) for row in rows} == {
        ("vdsr.safetensors", 3, "classic_y")
    }
    with pytest.raises(SystemExit, match="VDSR has no x4; it enlarges by x2 or x3"):
        main([*arguments, "--scale", "4"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.safetensors"], r"gone\.safetensors: there is no such file"),
        (["bicubic", "--benchmark", "set7"], "benchmark/set7"),
        (["bicubic", "--metrics", "psnr,lpips"], "'lpips' is unknown"),
        (["bicubic", "--metrics", ""], "metrics: '' is unknown"),
        (["drnsr-x2", "--device", "nothing"], "device nothing: cannot be used here"),
        (["bicubic", "--protocol", "paper_z"], "'paper_z' is unknown"),
        (["bicubic", "--protocol", "{name: mine, lr"], "neither a name nor"),
        (["bicubic", "--protocol", "{name: mine, lr: 16}"], "lr: 16 is none of uint8, type, float"),
        (["bicubic", "--protocol", ""], "None is neither a name nor the fields"),
        (["bicubic", "--benchmark", "folder"], "--benchmark folder and --folder PATH go together"),
        (["bicubic", "--folder", "here"], "--benchmark folder and --folder PATH go together"),
        (["bicubic", "--benchmark", "folder", "--folder", "here"], "here: there is no such folder"),
        (["gone", "--images"], "gone: there is no such folder"),
    ],
)
def test_a_mistake_is_one_line(somewhere, arguments, message):
    with pytest.raises(SystemExit, match=message) as caught:
        main(["evaluate", *arguments])
    assert str(caught.value.code).startswith("error: ")
    assert "\n" not in str(caught.value.code)


@pytest.fixture
def own_pictures(somewhere, picture_folder):
    """Arguments that evaluate on images of a folder."""
    return ["--benchmark", "folder", "--folder", str(picture_folder)]


def test_only_the_requested_metrics_are_shown(own_pictures, capsys):
    arguments = ["evaluate", "bicubic", "nearest", *own_pictures]
    main([*arguments, "--csv"])
    usual = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    defaults = [column for column in usual[0] if column in METRICS]
    assert defaults == [metric.name for metric in reported_metrics("y")]
    assert defaults[:2] == ["psnr", "ssim"]
    main([*arguments, "--json", "--metrics", "vif,psnr", "--device", "auto"])
    rows = json.loads(capsys.readouterr().out)
    assert [column for column in rows[0] if column in METRICS] == ["vif", "psnr"]
    assert [row["psnr"] for row in rows] == [float(row["psnr"]) for row in usual]
    main([*arguments, "--metrics", "vif,psnr"])
    table = " ".join(capsys.readouterr().out.split())
    mean = sum(row["vif"] for row in rows if row["method"] == "bicubic") / 4
    assert "┃ benchmark ┃ method ┃ VIF ┃ PSNR in dB ┃" in table
    assert f"│ folder │ bicubic │ {mean:.3f} │" in table
    assert "from bicubic in VIF (95 % interval" in table


def test_a_degraded_benchmark_says_so_and_is_harder(somewhere, picture_folder, capsys):
    options = ["--folder", str(picture_folder), "--scale", "3"]
    means = []
    for name in ("folder", "folder_realistic"):
        main(["evaluate", "bicubic", "--benchmark", name, *options, "--json"])
        rows = json.loads(capsys.readouterr().out)
        assert {row["benchmark"] for row in rows} == {name}
        means.append(sum(row["psnr"] for row in rows) / 4)
    assert means[1] < means[0] - 0.5
    arguments = ["evaluate", "bicubic", "--benchmark", "folder_realistic", *options]
    main(arguments)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"│ folder_realistic │ bicubic │ {means[1]:.3f} │" in printed
    assert "folder_realistic: LR is degraded: realistic, seed 0" in printed
    with pytest.raises(SystemExit, match=r"protocol classic_y: makes LR .* with paper_y or rgb"):
        main([*arguments, "--protocol", "classic_y"])


@pytest.mark.slow
def test_processes_share_the_images_and_precision_is_a_choice(
    own_pictures, somewhere, capsys, monkeypatch
):
    monkeypatch.setattr("drnsr.evaluation.cost.measure_cost", lambda *_: None)  # takes seconds
    torch.manual_seed(0)
    network = wake(DRNSR(scale=2, num_features=4, num_blocks=1))
    save_model(somewhere / "m.safetensors", network, Origin())

    def psnrs(*options):
        main(["evaluate", "bicubic", "m.safetensors", *own_pictures, "--json", *options])
        rows = json.loads(capsys.readouterr().out)
        return {(row["image"], row["method"]): (row["psnr"], row["ssim"]) for row in rows}

    one = psnrs()
    two = psnrs("--devices", "2")
    assert list(two.items()) == list(one.items())
    low = psnrs("--precision", "bf16")
    assert low != one
    assert low[("picture0.png", "bicubic")] == one[("picture0.png", "bicubic")]
    for key, values in one.items():
        assert low[key] == pytest.approx(values, abs=0.05)
    with pytest.raises(SystemExit, match="no model is run with --images"):
        main(["evaluate", "pictures", "--images", *own_pictures, "--devices", "2"])


def test_every_metric_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in METRICS)


def test_a_metric_may_be_defined_for_no_image(somewhere, capsys):
    small = somewhere / "small"
    for number in range(2):
        write_png(small / f"{number}.png", texture(40, 40, seed=number))
    folder = ["--benchmark", "folder", "--folder", str(small), "--metrics", "vif"]
    main(["evaluate", "bicubic", "nearest", *folder])
    shown = capsys.readouterr().out
    assert "folder: nearest and bicubic: VIF is defined on none of the pictures" in shown


def test_the_slices_of_own_volumes_are_images(somewhere, capsys):
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 2**16, (40, 36, 3), np.uint16)
    (somewhere / "mine").mkdir()
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), somewhere / "mine/head.nii.gz")
    options = ["--benchmark", "folder", "--folder", "mine", "--protocol", "bands", "--json"]
    main(["evaluate", "bicubic", *options, "--pixels", "{bands: [t1]}"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["image"] for row in rows] == ["head_0000", "head_0001", "head_0002"]


def test_own_images_are_not_kept(own_pictures, somewhere, capsys):
    main(["evaluate", "bicubic", *own_pictures])
    assert list((somewhere / "data" / "evaluate").iterdir()) == []


def test_ctrl_c_ends_it_with_one_line(own_pictures, somewhere, monkeypatch, capsys):
    monkeypatch.setattr(
        "drnsr.evaluation.methods.pillow_resize", lambda *_: signal.raise_signal(signal.SIGINT)
    )
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", "lanczos", *own_pictures, "--json"])
    assert caught.value.code == 130
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-1] == "error: ended by Ctrl-C"
    assert list((somewhere / "data" / "evaluate").iterdir()) == []


def test_files_of_a_killed_evaluation_are_removed_by_the_next(own_pictures, somewhere):
    cache = somewhere / "data" / "evaluate"
    program = """
import os, signal
import drnsr.evaluation.methods
from drnsr.cli import main
drnsr.evaluation.methods.pillow_resize = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
    command = [sys.executable, "-c", program, "evaluate", "lanczos", *own_pictures]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert len(list(cache.iterdir())) == 1
    main(["evaluate", "bicubic", *own_pictures])
    assert list(cache.iterdir()) == []


@pytest.mark.slow
def test_two_processes_share_one_benchmark(somewhere, picture_folder):
    program = "from drnsr.cli import main; main()"
    options = ["--benchmark", "sample_test,folder", "--folder", str(picture_folder), "--json"]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, "evaluate", "bicubic", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert printed[0][0] == printed[1][0]
    assert len(json.loads(printed[0][0])) == 9
