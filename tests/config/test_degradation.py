"""The values of a degradation, and the LR that a configuration may not make twice."""

import pytest
import yaml
from omegaconf import OmegaConf

from drnsr.config.compose import (
    compose_benchmarks,
    compose_choices,
    load_option,
    resolve,
    validate,
)
from drnsr.config.errors import ConfigError
from drnsr.degradation.parameters import Degradation
from drnsr.project import CONF
from tests.conftest import with_values

DEGRADATIONS = sorted(path.stem for path in (CONF / "degradation").glob("*.yaml"))


@pytest.fixture(scope="module")
def second_order():
    return resolve(compose_choices({"degradation": "second_order"}))


def test_bicubic_is_the_default_and_every_file_has_its_name():
    assert compose_choices({}).degradation.name == "bicubic"
    for name in DEGRADATIONS:
        assert Degradation(**load_option("degradation", name)).name == name


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("clean_prob", 1.5, "clean_prob: 1.5 is not 1.0 or less"),
        ("clean_prob", True, "clean_prob: true is not a number"),
        ("margin", -1, "margin: -1 is not 0 or more"),
        ("final", None, "degradation: final: null leaves the size"),
        ("rounds", [], "degradation: final: is for a last round with a random resize"),
        ("final.kernels", ["lanczos"], "final.kernels.0: lanczos is not one of area, bilinear"),
        ("final.final_sinc", 1, "final.final_sinc: there is no such key"),
        ("0.resize", None, "degradation: rounds.0.resize: null is for the last round alone"),
        ("0.resize.resize_range", [0.2, 0.8], "rounds.0.resize.resize_range: .* contain 1"),
        ("0.resize.resize_prob", {"up": 0.5}, "rounds.0.resize.resize_prob: .* up to 0.5, not"),
        ("0.blur.kernel_size", [7, 20], "rounds.0.blur.kernel_size: .* side of a kernel is odd"),
        ("0.blur.blur_sigma", [3.0, 0.2], r"rounds.0.blur.blur_sigma: \[3.0, 0.2\] is not \[small"),
        ("0.blur.blur_sigma", [3.0], r"rounds.0.blur.blur_sigma: \[3.0\] is not \[smallest"),
        ("0.blur.kernel_prob", {"box": 1.0}, "rounds.0.blur.kernel_prob.*: box is not one of iso"),
        ("1.noise.noise_range", [1, 300], "rounds.1.noise.noise_range.1: 300 is not 255.0 or less"),
        ("1.jpeg.jpeg_range", [0, 95], "rounds.1.jpeg.jpeg_range.0: 0 is not 1 or more"),
        ("1.jpeg.jpeg_range", [50.5, 95], "rounds.1.jpeg.jpeg_range.0: 50.5 is not a whole number"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(second_order, key, value, message):
    degradation = second_order["degradation"]
    number, _, rest = key.partition(".")
    if number.isdigit():
        rounds = list(degradation["rounds"])
        rounds[int(number)] = with_values(rounds[int(number)], {rest: value})
        key, value = "rounds", rounds
    changed = second_order | {"degradation": with_values(degradation, {key: value})}
    with pytest.raises(ConfigError, match=f"^(degradation.)?{message}") as caught:
        resolve(OmegaConf.create(changed))
    assert "\n" not in str(caught.value)


def test_pairs_of_the_user_are_not_degraded():
    with pytest.raises(ConfigError, match=r"^degradation: realistic makes the LR"):
        validate(compose_choices({"data": "pairs", "degradation": "realistic"}))


def test_a_degraded_benchmark_has_the_pictures_of_the_other_and_the_degradations_values():
    files = sorted((CONF / "benchmark").glob("*_realistic.yaml"))
    for file in files:
        name = file.stem.removesuffix("_realistic")
        degraded = yaml.safe_load(file.read_text())
        clean = yaml.safe_load(file.with_name(f"{name}.yaml").read_text())[name]
        assert degraded.pop("defaults") == [
            {f"/degradation@{file.stem}.degradation": "realistic"},
            "_self_",
        ]
        assert degraded == {file.stem: clean | {"published": None}}
    composed = compose_benchmarks("set14_realistic", 2)["set14_realistic"].degradation
    assert composed == Degradation(**load_option("degradation", "realistic"))
