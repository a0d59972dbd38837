"""`drnsr evaluate`, as a user calls it."""

import csv
import json

import pytest

from drnsr.checkpoints.native import Origin, save_model
from drnsr.cli import main
from drnsr.networks import VDSR


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """A folder of the test's own, in which the command keeps its data."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_json_csv_and_a_table_of_the_same_numbers(somewhere, capsys):
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


def test_ones_own_pictures_as_they_are_now_and_what_a_model_costs(
    somewhere, picture_folder, capsys
):
    network = VDSR(scales=[2], num_features=4, num_layers=3)
    save_model(somewhere / "vdsr.safetensors", network, Origin("", "", ""))
    arguments = ["evaluate", "bicubic", "vdsr.safetensors", "--benchmark", "folder"]
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
    main([*arguments, "--csv"])
    cells = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {cell["image"] for cell in cells} == {path.name for path in picture_folder.iterdir()}
    main(arguments)
    table = capsys.readouterr().out
    assert "225" in table
    assert "MiB" in table


@pytest.mark.slow
def test_a_network_on_luma_at_one_of_its_scales(somewhere, capsys):
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
        (["bicubic", "--protocol", "paper_z"], "'paper_z' is unknown"),
        (["bicubic", "--protocol", "{name: mine, lr"], "neither a name nor"),
        (["bicubic", "--protocol", "{name: mine, lr: 16}"], "lr: 16 is none of uint8, float"),
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
