"""Bicubic agrees with its published numbers, and changed pictures do not."""

import pytest
from PIL import Image

from drnsr.data.prepare import prepare_benchmark
from drnsr.evaluation.published import find_published, published_rows
from drnsr.evaluation.verify import (
    PublishedComparison,
    VerifyError,
    check_bicubic,
    compare_bicubic,
)
from tests.conftest import benchmark_files


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scale"), [("Set5", 2), ("Set5", 3), ("Set14", 4)])
def test_bicubic_agrees_with_the_published_numbers(mirror, tmp_path, name, scale):
    # From the files of scale 2 alone, as conf/benchmark has it.
    originals = [hr for hr, _ in benchmark_files(mirror, name, 2)]
    row = compare_bicubic("set", prepare_benchmark(originals, tmp_path, name="set"), name, scale)
    assert row is not None
    assert row.agrees
    check_bicubic(row)


@pytest.mark.slow
def test_changed_pictures_are_detected(mirror, tmp_path):
    for number, (hr, _) in enumerate(benchmark_files(mirror, "Set5", 2)):
        (tmp_path / "touched").mkdir(exist_ok=True)
        Image.open(hr).save(tmp_path / "touched" / f"{number}.jpg", quality=90)
    pictures = sorted((tmp_path / "touched").iterdir())
    dataset = prepare_benchmark(pictures, tmp_path / "dataset", name="set5")
    row = compare_bicubic("set5", dataset, "Set5", 2)
    assert row is not None
    with pytest.raises(VerifyError, match=r"set5: bicubic is .* published is 33\.66 dB / 0\.9299"):
        check_bicubic(row)


@pytest.mark.parametrize(
    ("psnr", "ssim", "agrees"),
    [(33.66, 0.9299, True), (33.64, 0.9299, False), (33.66, 0.928, False)],
)
def test_the_tolerance(psnr, ssim, agrees):
    published = find_published("Bicubic", "Set5", 2)
    assert published is not None
    ours = {"psnr": psnr, "ssim": ssim}
    row = PublishedComparison("set5", "bicubic", "classic_y", ours, published)
    assert row.agrees is agrees


def test_nothing_is_compared_without_published_numbers(tmp_path, picture_folder):
    dataset = prepare_benchmark(sorted(picture_folder.iterdir()), tmp_path / "dataset", name="mine")
    assert compare_bicubic("mine", dataset, "Set5", 7) is None


def test_every_published_number_has_a_source_and_a_plausible_value():
    rows = published_rows()
    assert len(rows) > 400
    for row in rows:
        assert row.source
        assert 15 < row.values["psnr"] < 45
        assert row.values["ssim"] is None or 0.4 < row.values["ssim"] < 1
