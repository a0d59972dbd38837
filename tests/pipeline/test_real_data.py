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


@pytest.mark.slow
def test_free_photographs_from_the_mirror(mirror, project):
    if not (mirror / "raw.githubusercontent.com/gianni-rosato").is_dir():
        pytest.skip("the mirror has no free photographs")
    project.variables["DRNSR_MIRROR"] = str(mirror)
    project.choose(experiment="smoke", data="open_photos_bsds500", benchmark="cid22_valid")
    # The first pictures of each folder, and those that have to be left out.
    for name in ("open_photos", "bsds500_train", "bsds500_test", "cid22_valid"):
        registry = project.root / f"conf/registry/{name}.txt"
        folders = {}
        for line in registry.read_text().splitlines(keepends=True):
            folders.setdefault(line.split("/")[0], []).append(line)
        kept = [line for lines in folders.values() for line in lines[: len(lines) // 9 + 1][:3]]
        others = (line for lines in folders.values() for line in lines if line not in kept)
        kept += [line for line in others if "302003" in line or "3316926_opo25u" in line]
        registry.write_text("".join(kept))
    project.run_stages("fetch", "prepare", "train", "evaluate", "verify", "report")
    index = json.loads((project.root / "data/prepared/train/index.json").read_text())
    sizes = {image["name"]: (image["width"], image["height"]) for image in index["images"]}
    assert sizes["budgie__abstract-spiral.jpg"] == (1920, 1080)  # a half of 3840 x 2160
    assert sizes["gb82__baby-lossless.png"] == (576, 576)
    assert "train__302003.jpg" not in sizes
    withheld = [image["part"] for image in index["images"] if image["split"] == "validation"]
    assert sorted(withheld) == ["bsds500", "open_photos"]
    printed = project.call("drnsr", "info", "models/model.safetensors", "--credits").stdout
    assert "pictures: CC-BY-SA-4.0, Cloudinary Image Dataset '22, https://github.com/" in printed
    assert "pictures: non-commercial research and education" in printed
    assert "Cloudinary Image Dataset" in (project.root / "reports/index.html").read_text()
