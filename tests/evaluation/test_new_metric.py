"""Metrics that only the registry knows go through everything that shows or compares numbers."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from drnsr.cli import main
from drnsr.config.compose import compose_choices, validate
from drnsr.config.schema import recipe
from drnsr.data.prepare import prepare_benchmark
from drnsr.evaluation.benchmark import Method, bicubic, measure
from drnsr.evaluation.metrics import METRICS, Metric
from drnsr.evaluation.protocol import ProtocolError, get_protocol
from drnsr.evaluation.published import PublishedRow
from drnsr.evaluation.results import (
    Row,
    mean_row,
    read_rows,
    row_of,
    summary,
    write_rows,
    write_summary,
)
from drnsr.evaluation.verify import (
    PublishedComparison,
    VerifyError,
    check_bicubic,
    read_comparisons,
    write_comparisons,
)
from drnsr.images.encoding import write_png
from drnsr.project import PARAMS
from drnsr.reporting.card import model_card
from drnsr.reporting.page import Report, render_report
from drnsr.reporting.pictures import draw_panels
from drnsr.reporting.table import comparison_table, result_table
from drnsr.tracking.promotion import Evaluation, NotBetterError, proven_gain
from tests.conftest import texture

PROTOCOL = get_protocol("rgb")
SMALL = 0  # the picture for which the toy metrics are not defined
PICTURES = 8


def largest_error(image, reference):
    return None if min(image.shape[:2]) < 32 else float(np.abs(image - reference).max())


def blue(image):
    """A metric without a reference: the mean of the blue channel."""
    return None if min(image.shape[:2]) < 32 else float(image[:, :, 2].mean())


LARGEST_ERROR = Metric(
    name="largest_error",
    label="Largest error",
    function=largest_error,
    unit="levels",
    digits=1,
    comparison_digits=2,
    higher_is_better=False,
    reported=True,
    tolerance=0.5,
)
BLUE = Metric(
    name="blue",
    label="Blue",
    function=blue,
    digits=0,
    comparison_digits=1,
    higher_is_better=True,
    needs_reference=False,
    measured_on="rgb",
    reported=True,
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for metric in (LARGEST_ERROR, BLUE):
        monkeypatch.setitem(METRICS, metric.name, metric)


@pytest.fixture
def dataset(tmp_path):
    """Pictures that can be made brighter by some levels without clipping."""
    for number in range(PICTURES):
        side = 32 if number == SMALL else 64
        picture = np.minimum(texture(side, side, seed=number), 200)
        write_png(tmp_path / "originals" / f"{number}.png", picture)
    originals = sorted((tmp_path / "originals").iterdir())
    return prepare_benchmark(originals, tmp_path / "dataset", name="set5")


def measured_pictures(dataset, error):
    """Bicubic, and a model that is wrong by as many levels in every pixel."""
    originals = iter([PROTOCOL.prepare(dataset.hr(n), 2)[1] for n in range(PICTURES)])
    methods = [bicubic(2, PROTOCOL), Method("model", lambda _: next(originals) + np.uint8(error))]
    return list(measure(dataset, methods, scale=2, protocol=PROTOCOL))


def rows_of(dataset, error=3):
    return [row_of("set5", each) for each in measured_pictures(dataset, error)]


def test_it_is_measured_written_and_read(dataset, tmp_path):
    rows = rows_of(dataset)
    assert [row.model["largest_error"] for row in rows] == [None] + [3.0] * (PICTURES - 1)
    write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows
    cells = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert [row["model_largest_error"] for row in cells[:2]] == ["", "3.0"]
    assert cells[SMALL]["gain_blue"] == ""
    write_summary(tmp_path / "summary.json", summary(rows, scale=2, protocol=PROTOCOL))
    content = json.loads((tmp_path / "summary.json").read_text())["set5"]
    assert content["model"]["largest_error"] == 3.0
    defined = [n for n in range(PICTURES) if n != SMALL]
    expected = np.mean([dataset.hr(n)[8:-8, 8:-8, 2].mean() + 3 for n in defined])
    assert content["model"]["blue"] == pytest.approx(expected)


def test_without_any_picture_for_which_it_is_defined(dataset, tmp_path):
    rows = rows_of(dataset)[SMALL : SMALL + 1]
    content = summary(rows, scale=2, protocol=PROTOCOL)["set5"]
    assert content["model"]["largest_error"] is content["gain"]["largest_error"] is None
    assert mean_row(rows, PROTOCOL).gain["blue"] is None
    assert " / - / -" in text_of(result_table(rows, model="m", scale=2, protocol=PROTOCOL))


def text_of(renderable, width=200):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_the_table_the_picture_and_the_report_show_it(dataset):
    rows = rows_of(dataset)
    table = text_of(result_table(rows, model="m", scale=2, protocol=PROTOCOL))
    assert "PSNR in dB / SSIM / Largest error in levels / Blue at scale 2" in table
    assert " / 3.0 / " in table
    narrow = result_table(rows, model="m", scale=2, protocol=PROTOCOL)
    assert "…" not in text_of(narrow, width=70)
    for each in measured_pictures(dataset, 3)[:2]:
        draw_panels(each, "m")  # the captions hold values and a value that is not defined
    results = {"rows": rows, "model": "m", "scale": 2, "protocol": PROTOCOL}
    none = {"comparisons": [], "beside": None, "curves": [], "pictures": {}, "audit": ""}
    html = render_report(Report(**results, **none, cost={}, lineage={}, commands=[], config={}))
    assert html.count(">Largest error (levels)</th>") == 3
    assert '<th colspan="4" scope="colgroup">gain</th>' in html
    assert "<td>3.0</td>" in html
    # A smaller error is an improvement, though the gain is negative.
    assert '<td class="better">-' in html
    assert "<td>-</td>" in html


def test_the_card_shows_it(dataset):
    config = validate(compose_choices({"experiment": "release_x2"})).model_dump()
    card = model_card(
        "m",
        config=config,
        recipe=recipe(config),
        summary=summary(rows_of(dataset), scale=2, protocol=PROTOCOL),
        comparisons=[],
        cost={},
        lineage={},
    )
    assert "PSNR in dB / SSIM / Largest error in levels / Blue, the mean over" in card
    (ours,) = (line for line in card.splitlines() if line.startswith("| **m**"))
    assert " / 3.0 / " in ours
    (published,) = (line for line in card.splitlines() if line.startswith("| VDSR"))
    assert "37.53 / 0.9590 / - / -" in published


def test_a_published_number_of_it_is_held_to_its_tolerance(tmp_path):
    published = PublishedRow("Bicubic", "Set5", 2, {"psnr": 33.66, "largest_error": 3.0}, "a paper")
    ours = {"psnr": 33.66, "ssim": 0.93, "largest_error": 3.4, "blue": 100.0}
    row = PublishedComparison("set5", "bicubic", "rgb", ours, published)
    write_comparisons(tmp_path / "verify.json", [row])
    assert read_comparisons(tmp_path / "verify.json") == [row]
    assert row.agrees
    assert "33.660 / 0.9300 / 3.40" in text_of(comparison_table([row]))  # no one publishes Blue
    worse = replace(row, ours={**ours, "largest_error": 3.6})
    assert not worse.agrees
    with pytest.raises(VerifyError, match=r"33\.660 dB / 0\.9300 / 3\.60 levels at scale 2"):
        check_bicubic(worse)


def test_models_are_promoted_by_it(dataset):
    champion, candidate = (
        Evaluation(summary(rows, scale=2, protocol=PROTOCOL), rows)
        for rows in (rows_of(dataset, 5), rows_of(dataset, 3))
    )
    _, gain = proven_gain(champion, candidate, None, LARGEST_ERROR)
    assert (gain.mean, gain.pictures) == (-2.0, PICTURES - 1)
    with pytest.raises(NotBetterError, match=r"^worse \(\+2\.00 levels, \+2\.00 to \+2\.00, over"):
        proven_gain(candidate, champion, None, LARGEST_ERROR)
    with pytest.raises(NotBetterError, match="set5: the two have no picture with VIF in common"):
        proven_gain(champion, candidate, None, METRICS["vif"])


def test_a_run_from_before_it_was_added_is_still_read(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "benchmark,image,pixels,bicubic_psnr,bicubic_ssim,model_psnr,model_ssim,gain_psnr,gain_ssim\n"
        "set5,a.png,100,30.0,0.9,31.0,0.91,1.0,0.01\n"
    )
    (row,) = rows = read_rows(tmp_path / "rows.csv")
    assert row == Row("set5", "a.png", 100, {"psnr": 30, "ssim": 0.9}, {"psnr": 31, "ssim": 0.91})
    table = text_of(result_table(rows, model="m", scale=2, protocol=PROTOCOL))
    assert "PSNR in dB / SSIM at scale 2" in table


def test_a_run_with_a_metric_that_was_removed_is_still_read(dataset, tmp_path, monkeypatch):
    write_rows(tmp_path / "rows.csv", rows_of(dataset))
    monkeypatch.delitem(METRICS, "blue")
    rows = read_rows(tmp_path / "rows.csv")
    table = text_of(result_table(rows, model="m", scale=2, protocol=PROTOCOL))
    assert "SSIM / Largest error in levels at scale 2" in table
    assert set(summary(rows, scale=2, protocol=PROTOCOL)["set5"]["model"]) == {
        "psnr",
        "ssim",
        "largest_error",
    }


def test_it_is_measured_on_its_own_channels_and_refused_where_they_are_not_computed(dataset):
    luma, rgb, classic = map(get_protocol, ("paper_y", "rgb", "classic_y"))
    on_rgb = replace(rgb, border_pixels=0)
    (of_luma, of_rgb) = (
        next(measure(dataset, [bicubic(2, each)], scale=2, protocol=each)).results["bicubic"].values
        for each in (luma, on_rgb)
    )
    assert of_luma["blue"] == of_rgb["blue"]
    assert of_luma["psnr"] != of_rgb["psnr"]
    with pytest.raises(ProtocolError, match="classic_y: Blue is defined on RGB, and here the BT"):
        next(measure(dataset, [bicubic(2, classic)], scale=2, protocol=classic))


def test_drnsr_evaluate_computes_it(dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    PARAMS.touch()  # a project
    arguments = ["evaluate", "bicubic", "nearest", "--benchmark", "folder", "--protocol", "rgb"]
    arguments += ["--folder", str(tmp_path / "originals")]
    main([*arguments, "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {"psnr", "ssim", "largest_error", "blue"} < set(rows[0])
    main([*arguments, "--metrics", "largest_error"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Largest error in levels" in shown
    assert "from bicubic in Largest error (95 % interval" in shown
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "largest_error" in capsys.readouterr().out
