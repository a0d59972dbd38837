"""Reports of made-up results, for tests of the page."""

from drnsr.evaluation.benchmark import Measured, Result
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import PublishedRow
from drnsr.evaluation.results import Row
from drnsr.evaluation.verify import PublishedComparison
from drnsr.images.resize import downscale, upscale
from drnsr.reporting.beside_published import OurMethod, beside_published
from drnsr.reporting.charts import curve_charts
from drnsr.reporting.page import Circumstances, PagePicture, Report, render_report
from drnsr.reporting.views import draw_views
from tests.conftest import texture

PROTOCOL = get_protocol("paper_y")
# Bicubic has 30 dB on each picture, and the model gains these.
GAINS = {
    "a&b.png": 1.0,
    "best": 3.0,
    "second": 2.5,
    "third": 2.0,
    "worst": -1.0,
    "next": -0.5,
    "last": 0.25,
}


def rows(gains=GAINS, benchmark="set5"):
    return [
        Row(
            benchmark,
            name,
            100,
            bicubic={"psnr": 30.0, "ssim": 0.9},
            model={"psnr": 30.0 + gain, "ssim": 0.9 + gain / 100},
        )
        for name, gain in gains.items()
    ]


def views():
    hr = texture(48, 60)
    lr = downscale(hr, 2)
    values = {"psnr": 30.0}
    results = {"bicubic": Result(upscale(lr, 2), values), "model": Result(hr, values)}
    return draw_views(Measured("a", lr, hr, 1, results), ("bicubic", "model"), "bicubic")


def write_curves(folder):
    (folder / "training_loss.csv").write_text("step,loss,learning_rate\n10,0.5,0.1\n20,0.25,0.1\n")
    (folder / "validation_psnr.csv").write_text("step,psnr_db\n10,30.5\n20,31\n")


def page(circumstances=None, script="", **changes):
    values = {
        "rows": rows(),
        "model": "drnsr",
        "scale": 2,
        "protocol": PROTOCOL,
        "comparisons": [
            PublishedComparison(
                "set5",
                "bicubic",
                "classic_y",
                {"psnr": 33.662, "ssim": 0.9299},
                PublishedRow("Bicubic", "Set5", 2, {"psnr": 33.66, "ssim": None}, "a paper"),
            )
        ],
        "beside": None,
        "curves": [],
        "pictures": {},
        "audit": "Passed: no picture is a copy.",
        "cost": {"parameters": "1,000"},
        "lineage": {"model (sha256)": "abc"},
        "commands": [("Again:", "drnsr upscale 'a b.png' && echo <done>")],
        "config": {"model": {"name": "drnsr"}, "data": {"scales": [2, 3]}},
        **changes,
    }
    return render_report(Report(**values), circumstances=circumstances, script=script)


def beside(ours=None, reference=None):
    mean = {"psnr": 31.0357, "ssim": 0.91}
    return beside_published(
        [OurMethod("drnsr", {"set5": mean}, parameters=1e6, seconds=ours)],
        {"set5": "Set5"},
        scale=2,
        protocol=PROTOCOL,
        metrics=rows()[0].metrics,
        reference_seconds=reference,
    )


def circumstances():
    return Circumstances(
        beside=beside(ours=0.5, reference=1.0),
        cost={"training": "95 s"},
        lineage={"MLflow run": "r1"},
        commands=[("The same:", "drnsr reproduce <r1>")],
    )


def complete_page(tmp_path, **changes):
    write_curves(tmp_path)
    pictures = {("set5", name): PagePicture(views(), "CC0, <someone>") for name in GAINS}
    curves = curve_charts(tmp_path, colour="RGB")
    return page(beside=beside(), pictures=pictures, curves=curves, **changes)
