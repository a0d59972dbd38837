"""The report as a page: its parts, by an HTML parser."""

import re
from dataclasses import replace

import numpy as np
import pytest

from drnsr.evaluation.benchmark import Measured, Result
from drnsr.reporting.charts import curve_charts
from drnsr.reporting.page import PagePicture, script_of
from drnsr.reporting.views import draw_views
from tests.reporting.html_pages import loads, parse
from tests.reporting.pages import circumstances, complete_page, page, rows, views, write_curves


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return complete_page(tmp_path_factory.mktemp("page"), circumstances=circumstances())


@pytest.fixture(scope="module")
def tree(html):
    return parse(html)


def table(tree, caption):
    (found,) = [
        each
        for each in tree.all("table")
        if each.all("caption") and each.all("caption")[0].text.startswith(caption)
    ]
    return found.rows()


def test_the_page_loads_nothing_from_elsewhere(tree, html):
    assert loads(tree) == []
    assert not re.findall(r"url\((?!#|data:)", html)
    assert "@import" not in html


def test_the_verdict_is_one_line(tree):
    # (1 + 3 + 2.5 + 2 - 1 - 0.5 + 0.25) / 7 = 1.0357
    (verdict,) = tree.all("p", "verdict")
    expected = "drnsr is 1.04 dB over bicubic on set5: 31.04 dB PSNR, better on 5 of 7 pictures."
    assert verdict.text == expected


def test_the_gains_are_sorted(tree):
    cells = table(tree, "set5: 7 pictures")
    order = ["best", "second", "third", "a&b.png", "last", "next", "worst"]
    assert [row[0] for row in cells[2:]] == [*order, "mean"]
    assert cells[2][1:3] == ["+3.00", "+0.0300"]
    assert cells[-2][1] == "-1.00"
    widths = [each.attributes["style"] for each in tree.all("span", "bar")]
    assert widths[0] == "width:100.0%"
    assert widths[-1] == "width:33.3%"


def test_the_best_and_the_worst_three_are_shown(tree):
    shown = [each.all("h4")[0].text for each in tree.all("article", "picture")]
    assert [text.split()[0] for text in shown] == [
        *("best", "second", "third"),
        *("worst", "next", "last"),
    ]
    first = tree.all("article", "picture")[0]
    assert len(first.all("div", "slider")) == 1
    assert len(first.all("img")) == 5  # both crops, the original, two error maps
    assert "CC0, <someone>" in first.text
    # The pictures have the name of the tables.
    assert [each.text for each in first.all("span", "name")] == ["bicubic", "drnsr"]
    assert [each.text for each in first.all("figcaption")][-1] == "Error of drnsr"


@pytest.mark.parametrize(
    ("gains", "titles"),
    [
        ([2, 1, 0.5, 0.25], ["the largest gains", "the least gains"]),
        ([2, 1, -0.5, -1], ["the largest gains", "the largest losses"]),
        ([2, 1, 0.5, -1], ["the largest gains", "the losses and the least gains"]),
        ([2, -1, -0.5, -2], ["the gains and the least losses", "the largest losses"]),
        ([-2, -1, -0.5, -3], ["the least losses", "the largest losses"]),
        ([-2], ["its picture"]),
    ],
)
def test_a_loss_is_not_called_a_gain(gains, titles):
    tree = parse(page(rows=rows({str(number): gain for number, gain in enumerate(gains)})))
    assert [each.text for each in tree.all("h3")] == [f"set5: {title}" for title in titles]


def test_what_cannot_be_seen_has_a_text(tree):
    assert all(each.attributes.get("alt") for each in tree.all("img"))
    assert all(each.attributes.get("aria-label") for each in tree.all("input"))
    assert all(each.attributes.get("aria-label") for each in tree.all("svg"))
    for each in tree.all("table"):
        is_list = "facts" in (each.attributes.get("class") or "")
        assert is_list or each.all("caption")
        assert all(cell.attributes.get("scope") for cell in each.all("th"))
    assert tree.all("html")[0].attributes["lang"] == "en"
    levels = [int(each.tag[1]) for tag in ("h1", "h2", "h3", "h4") for each in tree.all(tag)]
    assert set(levels) == {1, 2, 3, 4}


def test_published_rows_stand_beside_ours(tree):
    cells = table(tree, "Published means beside ours")
    by_method = {row[0]: row for row in cells[2:]}
    # 31.0357 - 37.99, of Lim et al. 2017 as IMDN's table prints it
    assert by_method["EDSR-baseline"][1:4] == ["1.37 M", "37.99 / 0.9604", "-6.95"]
    assert by_method["drnsr"][1:3] == ["1 M", "31.04 / 0.9100"]
    methods = [row[0] for row in cells[2:]]
    assert methods.index("EDSR-baseline") < methods.index("SRCNN") < methods.index("drnsr")
    charts = [each.text for each in tree.all("figure", "chart")]
    assert "IMDN-RTC" in charts[0]
    assert "seconds" in charts[0]
    assert "EDSR-baseline" in charts[1]
    assert all("drnsr" in each for each in charts[:2])


def test_commands_are_there_to_copy(tree):
    codes = [each.all("code")[0].text for each in tree.all("div", "command")]
    assert codes == ["drnsr reproduce <r1>", "drnsr upscale 'a b.png' && echo <done>"]


def test_the_rest_is_there(tree, html):
    for text in ("33.662", "+0.002", "paper_y", "data.scales.1", "abc", "1,000", "no picture is a"):
        assert text in tree.text
    assert "<someone>" not in html  # escaped


def test_equal_results_give_an_equal_page(tmp_path, html):
    assert complete_page(tmp_path, circumstances=circumstances()) == html


def test_a_page_without_its_circumstances_loads_them_and_says_so(tmp_path, html):
    without = complete_page(tmp_path, script="times/0.js")
    tree = parse(without)
    assert loads(tree) == ["times/0.js"]
    for text in ("95 s", "drnsr reproduce", "IMDN-RTC"):
        assert text not in without
        assert text in html
        assert text in script_of(circumstances())
    assert ("has no times" in without) > ("not known here" in html)
    assert "EDSR-baseline" in tree.all("figure", "chart")[0].text


def test_without_published_rows_curves_and_views(tmp_path):
    (tmp_path / "empty").mkdir()
    tree = parse(
        page(
            rows=rows({"only.png": 1.0}, "mine"),
            comparisons=[],
            curves=curve_charts(tmp_path / "empty", colour="RGB"),
            degradations={"mine": "realistic"},
            notes=["Trained against a discriminator."],
        )
    )
    text = tree.text
    assert "drnsr is 1.00 dB over bicubic on mine: 31.00 dB PSNR, on one picture." in text
    assert "1 pictures are" not in text
    assert "Nothing is published for mine at scale 2" in text
    assert "There is no training curve" in text
    assert "No views of this picture were kept" in text
    assert "LR is degraded by realistic" in text
    assert "Trained against a discriminator." in text
    assert len(tree.all("article", "picture")) == 1


def test_a_page_with_many_pictures_stays_small():
    many = {f"{number:03}.png": float(number) for number in range(100)}
    each = PagePicture(views())
    shown = {("set5", name): each for name in many}
    html = page(rows=rows(many), pictures=shown)
    tree = parse(html)
    assert len(tree.all("article", "picture")) == 6
    (details,) = [e for e in tree.all("details") if "all 100 pictures" in e.text]
    assert len(table(details, "set5: 100 pictures")) == 103
    assert len(html) < 1_000_000


def test_a_metric_that_is_not_defined_for_a_picture():
    found = rows()
    found[0] = replace(found[0], model={"psnr": float("inf"), "ssim": None})
    text = parse(page(rows=found)).text
    assert "inf" in text


@pytest.mark.parametrize("colour", ["RGB", "Y"])
def test_the_validation_curve_names_the_channels_of_the_network(tmp_path, colour):
    write_curves(tmp_path)
    charts = curve_charts(tmp_path, colour=colour)
    assert len(charts) == 2
    assert f">Validation PSNR ({colour})<" in charts[1]


def test_the_views_show_where_a_method_is_wrong():
    hr = np.full((60, 60, 3), 100, np.uint8)
    wrong = hr.copy()
    wrong[30:40, 20:30] += 50
    values = {"psnr": 30.0}
    results = {"bicubic": Result(wrong, values), "model": Result(hr, values)}
    found = draw_views(Measured("a", hr[::2, ::2], hr, 1, results), ("bicubic", "model"), "bicubic")
    assert found.error_limit == 50
    assert found.errors["model"] != found.errors["bicubic"]
    assert set(found.crops) == {"bicubic", "model", "HR (original)"}
    assert found.crops["model"] == found.crops["HR (original)"]
