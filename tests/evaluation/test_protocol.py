"""Protocols agree with another program, and invalid ones are refused."""

import csv

import numpy as np
import pytest

from drnsr.data.prepare import prepare_benchmark
from drnsr.evaluation.benchmark import bicubic, mean_values, measure
from drnsr.evaluation.protocol import PROTOCOLS, Protocol, ProtocolError, get_protocol
from drnsr.images.resize import downscale
from tests.conftest import PROJECT, benchmark_files, texture

GRAY = {"gray": "as_luma"}
FLOAT = {"lr": "float", "sr": "float"}
LUMA = {**GRAY, "computed_on": "y", "luma_rounded": True}

# The ways to measure of tests/oracles/bicubic_measured.csv, in our terms.
VARIANTS = {
    "rgb_u8": GRAY,
    "rgb_u8_mirror": {**GRAY, "resize_border": "mirror"},
    "rgb_srfloat": {**GRAY, "sr": "float"},
    "rgb_lrfloat": {**GRAY, "lr": "float"},
    "rgb_allfloat": {**GRAY, **FLOAT},
    "yround": {**GRAY, "luma_rounded": True},
    "ychan_Aplus": {**LUMA, "lr": "float"},
    "ychan_float": {**GRAY, **FLOAT, "computed_on": "y"},
    "ychan_lru8": LUMA,
    "crop0": {**GRAY, "border_scales": 0},
    "crop_s+6": {**GRAY, "border_pixels": 6},
    "rgb_psnr": {**GRAY, "measured_on": "rgb"},
    "rgb_psnr_s+6": {"measured_on": "rgb", "border_pixels": 6},
    "y_gray_conv": {},
}

# The names that are frozen, and the variant that each of them is.
NAMED = {
    "paper_y": "y_gray_conv",
    "classic_y": "ychan_Aplus",
    "yround": "yround",
    "rgb": "rgb_psnr_s+6",
}


def known_numbers():
    with (PROJECT / "tests/oracles/bicubic_measured.csv").open() as file:
        rows = csv.DictReader(file)
        return {(row["dataset"], int(row["scale"]), row["variant"]): row for row in rows}


def measure_bicubic(mirror, tmp_path, name, scale, protocol):
    originals = [hr for hr, _ in benchmark_files(mirror, name, scale)]
    dataset = prepare_benchmark(originals, tmp_path, name=name)
    measured = list(measure(dataset, [bicubic(scale, protocol)], scale=scale, protocol=protocol))
    scores = [picture.results["bicubic"].values for picture in measured]
    return mean_values(scores, [picture.pixels for picture in measured], protocol)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scale"), [("Set5", 2), ("Set5", 3), ("Set5", 4), ("Set14", 2)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_bicubic_agrees_with_another_program(mirror, tmp_path, name, scale, variant):
    protocol = Protocol("own", **VARIANTS[variant])
    mean = measure_bicubic(mirror, tmp_path, name, scale, protocol)
    known = known_numbers()[name, scale, variant]
    assert mean["psnr"] == pytest.approx(float(known["psnr_db"]), abs=0.002)
    if known["ssim"]:
        assert mean["ssim"] == pytest.approx(float(known["ssim"]), abs=0.0002)


@pytest.mark.parametrize("name", NAMED)
def test_the_named_protocols_are_frozen(name):
    fields = vars(Protocol(name, **VARIANTS[NAMED[name]]))
    assert vars(PROTOCOLS[name]) == fields
    assert set(PROTOCOLS) == {*NAMED, "bands"}  # which tests/evaluation/test_bands.py measures


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Set5", "Set14"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_classic_y_gives_the_published_bicubic_rows(mirror, tmp_path, name, scale):
    mean = measure_bicubic(mirror, tmp_path, name, scale, PROTOCOLS["classic_y"])
    known = known_numbers()[name, scale, "ychan_Aplus"]
    assert mean["psnr"] == pytest.approx(float(known["published_psnr"]), abs=0.01)
    assert mean["ssim"] == pytest.approx(float(known["published_ssim"]), abs=0.001)


def test_the_mean_over_pixels_is_that_of_one_large_picture(tmp_path):
    errors, pixels = [4.0, 16.0], [300, 100]
    scores = [{"psnr": 10 * np.log10(255**2 / error), "ssim": 0.5} for error in errors]
    pooled = (4.0 * 300 + 16.0 * 100) / 400
    mean = mean_values(scores, pixels, Protocol("own", mean_over="pixels"))
    assert mean["psnr"] == pytest.approx(10 * np.log10(255**2 / pooled))


def test_pillows_downscaler_differs_a_little_from_matlabs(tmp_path):
    picture = texture(40, 60)
    lr, _ = Protocol("own", downscaler="pillow").prepare(picture, 2)
    difference = np.abs(lr.astype(int) - downscale(picture, 2))
    assert 0 < difference[3:-3, 3:-3].max() <= 3


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("paper_z", "'paper_z' is unknown"),
        ({"name": "own", "chanel": "y"}, "protocol.chanel: no such field"),
        ({"name": "own", "lr": "uint16"}, "protocol.lr: 'uint16' is none of uint8, type, float"),
        (
            {"name": "own", "border_pixels": "2"},
            "protocol.border_pixels: '2' is not a whole number",
        ),
        ({"name": "own", "luma_rounded": 1}, "protocol.luma_rounded: 1 is not true or false"),
        ({"name": "own", "border_pixels": -2}, "a border cannot be negative"),
        ({"name": "paper_y"}, "paper_y is taken"),
        ({"lr": "float"}, "needs a name"),
        ({"name": "own", "computed_on": "y", "measured_on": "rgb"}, "RGB cannot be measured"),
    ],
)
def test_invalid_protocols_are_refused(choice, message):
    with pytest.raises(ProtocolError, match=message):
        get_protocol(choice)


def test_a_protocol_of_the_user():
    assert get_protocol({"name": "mine", "border_pixels": 2}).border(3) == 5
