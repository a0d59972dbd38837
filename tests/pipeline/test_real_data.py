"""The graph on real data sets, from the mirror."""

import json

import pytest


@pytest.mark.slow
def test_bsds500_and_set5_from_the_mirror(mirror, project):
    project.variables["DRNSR_MIRROR"] = str(mirror)
    project.choose(experiment="smoke", data="bsds500", benchmark="set5")
    project.run_stages("fetch", "prepare", "train", "evaluate", "verify", "report")
    (bicubic,) = json.loads((project.root / "metrics/verify.json").read_text())
    assert bicubic["ours"]["psnr"] == pytest.approx(33.66, abs=0.01)  # the published row
    assert "set5 x2" in (project.root / "reports/index.html").read_text()


@pytest.mark.slow
def test_a_leak_is_refused_by_name(mirror, project):
    project.variables["DRNSR_MIRROR"] = str(mirror)
    project.choose(
        data="bsds500", benchmark="set5", set={"data": {"parts": {"bsds500": {"exclude": []}}}}
    )
    for part in ("train", "test"):  # the picture in question and some others
        registry = project.root / f"conf/registry/bsds500_{part}.txt"
        lines = registry.read_text().splitlines(keepends=True)
        registry.write_text("".join([*lines[:10], *(x for x in lines if "302003" in x)]))
    result = project.run_stages("fetch", "prepare", fails=True)
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "train__302003.jpg is img_005_SRF_2_HR.png of set5_x2" in error
    assert not (project.root / "data/prepared/train/index.json").exists()
