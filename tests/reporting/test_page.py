import re

import pytest
from PIL import Image

from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import PublishedRow
from drnsr.evaluation.results import Row
from drnsr.evaluation.verify import PublishedComparison
from drnsr.reporting.curves import curves_svg
from drnsr.reporting.page import ReportPicture, render_report

ROW = Row(
    "set<1>",
    "a&b.png",
    100,
    bicubic={"psnr": 30.0, "ssim": 0.9},
    model={"psnr": 31.234, "ssim": 0.92345},
)
PUBLISHED = PublishedRow("Bicubic", "Set5", 2, {"psnr": 33.66, "ssim": None}, "a paper")


def write_curves(folder):
    (folder / "training_loss.csv").write_text("step,loss,learning_rate\n10,0.5,0.1\n20,0.25,0.1\n")
    (folder / "validation_psnr.csv").write_text("step,psnr_db\n10,30.5\n20,31\n")


def page(tmp_path):
    write_curves(tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    return render_report(
        [ROW, ROW],
        model="drnsr",
        scale=2,
        protocol=get_protocol("paper_y"),
        comparisons=[
            PublishedComparison(
                "set5", "bicubic", "classic_y", {"psnr": 33.662, "ssim": 0.9299}, PUBLISHED
            )
        ],
        curves=curves_svg(tmp_path, colour="RGB"),
        pictures=[ReportPicture("a&b.png", tmp_path / "a.png", "CC0, <someone>")],
        cost={"parameters": "1,000"},
        lineage={"git commit": "abc"},
        config={"model": {"name": "drnsr"}, "data": {"scales": [2, 3]}},
    )


def test_the_page_loads_nothing_from_elsewhere(tmp_path):
    html = page(tmp_path)
    assert "<script" not in html
    linked = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", html)
    assert all(link.startswith(("data:", "#")) for link in linked), linked


def test_the_page_has_numbers_names_and_configuration(tmp_path):
    html = page(tmp_path)
    for text in (
        "31.23",
        "+1.23",
        "+0.002",
        "0.9234",
        "paper_y",
        "data.scales.1",
        "abc",
        "a&amp;b.png",
    ):
        assert text in html
    assert "<someone>" not in html  # escaped


def test_equal_results_give_an_equal_page(tmp_path):
    assert page(tmp_path) == page(tmp_path)


@pytest.mark.parametrize("colour", ["RGB", "Y"])
def test_the_validation_curve_names_the_channels_of_the_network(tmp_path, colour):
    write_curves(tmp_path)
    svg = curves_svg(tmp_path, colour=colour)
    assert f">Validation PSNR ({colour})<" in svg
    assert svg.count("Validation PSNR") == 1
