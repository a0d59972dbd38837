"""The command `drnsr compare`."""

import json
import shutil

import numpy as np
import pytest
import torch

from drnsr.cli import main
from drnsr.evaluation.protocol import PROTOCOLS
from drnsr.evaluation.results import Row, summary, write_rows, write_summary
from drnsr.images.encoding import write_png
from drnsr.networks import ARCHITECTURES
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture
from tests.networks.building import wake
from tests.reporting.html_pages import loads, parse


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """An empty folder, in which the command keeps its data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drnsr.evaluation.cost.peak_memory", lambda *_: 512.0)
    return tmp_path


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["compare", *arguments])
    capsys.readouterr()
    message = str(ended.value.code)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def model(folder, name, seed):
    torch.manual_seed(seed)
    network = ARCHITECTURES["DRNSR"](scale=2, num_features=4, num_blocks=1)
    save_model(folder / name, wake(network), Origin("", "", str(seed)))
    return name


def evaluated(folder, gains, *, benchmark="mine", scale=2, protocol="paper_y", **more):
    """Write what a run leaves, with these PSNR over bicubic, which has 30 dB and more."""
    rows = [
        Row(
            benchmark,
            f"{number}.png",
            100,
            bicubic={"psnr": 30.0 + number, "ssim": 0.9},
            model={"psnr": 30.0 + number + gain, "ssim": 0.9 + gain / 100},
        )
        for number, gain in enumerate(gains)
    ]
    content = summary(rows, scale=scale, protocol=PROTOCOLS[protocol])
    content[benchmark] |= more
    write_summary(folder / "metrics/benchmark.json", content)
    write_rows(folder / "metrics/per_image.csv", rows)
    return folder.name


def table(page, caption):
    (found,) = [
        each
        for each in page.all("table")
        if each.all("caption") and each.all("caption")[0].text.startswith(caption)
    ]
    return found.rows()


def test_runs_are_compared_by_their_files(somewhere, capsys):
    first = evaluated(somewhere / "first", [1.0] * 8)
    second = evaluated(somewhere / "second", [1.5 + 0.1 * number for number in range(8)])
    main(["compare", first, f"{second}/", "--out", "page.html"])
    printed = capsys.readouterr().out
    # The mean of 0.5 to 1.2 dB
    assert "mine: second/ is +0.850 dB from first in PSNR" in printed
    assert printed.splitlines()[0].endswith(": better")
    page = parse((somewhere / "page.html").read_text())
    assert loads(page) == []
    (verdict,) = page.all("p", "verdict")
    expected = "second/ is 0.85 dB over first on mine: 35.35 dB PSNR, better on all 8 pictures."
    assert verdict.text == expected
    cells = table(page, "The means")
    assert cells[2][:3] == ["mine", "second/", "35.350"]
    assert (cells[2][4], cells[2][-1]) == ("+0.850", "better")
    order = [row[0] for row in table(page, "mine: 8 pictures")[2:-1]]
    assert order == [f"{number}.png" for number in reversed(range(8))]
    assert "There are no pictures:" in page.text  # there is no such benchmark here
    (command,) = page.all("div", "command")
    assert command.all("code")[0].text.startswith("drnsr compare first second/ --out page.html")


@pytest.mark.slow
def test_models_are_measured_and_drawn(somewhere, capsys):
    for number in range(3):
        write_png(somewhere / f"own/{number}.png", texture(48, 56, seed=number))
    names = [model(somewhere, f"{seed}.safetensors", seed) for seed in (1, 2)]
    arguments = [*names, "bicubic", "--benchmark", "folder", "--folder", "own"]
    main(["compare", *arguments])
    assert "3 pictures are too few" in capsys.readouterr().out
    page = parse((somewhere / "compare.html").read_text())
    assert len(page.all("article", "picture")) == 3
    assert len(page.all("article", "picture")[0].all("img")) == 6  # and bicubic's errors
    main(["evaluate", *arguments, "--json"])
    rows = json.loads(capsys.readouterr().out)
    for row in table(page, "The means")[1:]:
        psnr = np.mean([each["psnr"] for each in rows if each["method"] == row[1]])
        assert row[2] == f"{psnr:.3f}"
    (parameters,) = {each["parameters"] for each in rows if each["method"] == names[0]}
    assert table(page, "Measured on cpu")[1][1] == f"{parameters:,}"

    # A run that measured the same pictures stands beside a model; other pictures are refused.
    run = somewhere / "run"
    means = {row["image"]: row["psnr"] for row in rows if row["method"] == "bicubic"}
    own = [
        Row("folder", image, 9, {"psnr": psnr, "ssim": 0.5}, {"psnr": psnr + 2, "ssim": 0.6})
        for image, psnr in means.items()
    ]
    write_summary(
        run / "metrics/benchmark.json", summary(own, scale=2, protocol=PROTOCOLS["paper_y"])
    )
    write_rows(run / "metrics/per_image.csv", own)
    main(["compare", "bicubic", "run", "--folder", "own"])  # --benchmark is that of the run
    assert "folder: run is +2.000 dB from bicubic in PSNR" in capsys.readouterr().out
    assert "the model of run is not at hand" in (somewhere / "compare.html").read_text()
    write_png(somewhere / "own/1.png", texture(48, 56, seed=9))
    message = refused(capsys, "bicubic", "run", "--folder", "own")
    assert "folder had other pictures for the models than for run: 1.png" in message


def test_the_page_is_html_also_without_the_suffix(somewhere, capsys):
    runs = [evaluated(somewhere / name, [gain] * 3) for name, gain in (("one", 1.0), ("two", 2.0))]
    (somewhere / "pages").mkdir()
    for asked, written in {
        "page": "page.html",
        "v1.2": "v1.2.html",
        "page.HTM": "page.HTM",
        "pages": "pages/compare.html",
        "new/": "new/compare.html",
    }.items():
        main(["compare", *runs, "--out", asked])
        assert capsys.readouterr().out.splitlines()[-1] == written
        assert (somewhere / written).is_file()


def test_long_paths_are_shortened_in_tables_and_named_once(somewhere, capsys):
    runs = [
        evaluated(somewhere / f"outputs/2026-11-27/{name}", [gain] * 3)
        for name, gain in (("learning_rate_1e-4", 1.0), ("learning_rate_2e-4", 2.0))
    ]
    paths = [f"outputs/2026-11-27/{name}" for name in runs]
    main(["compare", *paths])
    page = parse((somewhere / "compare.html").read_text())
    shown = [row[1] for row in table(page, "The means")[1:]]
    assert shown == [".../learning_rate_1e-4", ".../learning_rate_2e-4"]
    assert dict(page.all("table", "facts")[0].rows()) == dict(zip(shown, paths, strict=True))
    assert f"mine: {paths[1]} is +1.000 dB from {paths[0]}" in capsys.readouterr().out


def test_mistakes_are_one_line(somewhere, capsys):
    first = evaluated(somewhere / "first", [1.0] * 3)
    assert "two are compared" in refused(capsys, first)
    assert "first twice" in refused(capsys, first, first)
    assert "first/ and first are the same" in refused(capsys, first, "first/")
    name = model(somewhere, "a.safetensors", 1)
    shutil.copy(name, "b.safetensors")
    message = refused(capsys, name, "b.safetensors")
    assert "b.safetensors and a.safetensors are the same" in message
    assert "missing.pt: there is no such file" in refused(capsys, first, "missing.pt")
    (somewhere / "empty").mkdir()
    assert "empty: there is no metrics/benchmark.json" in refused(capsys, first, "empty")
    cases = {
        "another": ({"benchmark": "other"}, "no benchmark in common"),
        "scaled": ({"scale": 3}, "another scale: scaled has 3 on mine, and first has 2"),
        "protocol": ({"protocol": "rgb"}, "another protocol: protocol has rgb"),
        "degraded": ({"degradation": "realistic"}, "another degradation: degraded has realistic"),
    }
    for folder, (change, expected) in cases.items():
        evaluated(somewhere / folder, [1.0] * 3, **change)
        assert expected in refused(capsys, first, folder)
    fewer = evaluated(somewhere / "fewer", [1.0] * 2)
    assert "mine had other pictures for fewer than for first: 2.png" in refused(
        capsys, first, fewer
    )
    second = evaluated(somewhere / "second", [1.5] * 3)
    assert "--scale: 4 is not that of first, 2" in refused(capsys, first, second, "--scale", "4")
    assert "--benchmark: set5 is not among" in refused(capsys, first, second, "--benchmark", "set5")
    (somewhere / "mine.html").write_text("my own page")
    assert "take another --out" in refused(capsys, first, second, "--out", "mine.html")
    assert (somewhere / "mine.html").read_text() == "my own page"
    assert not (somewhere / "compare.html").exists()
