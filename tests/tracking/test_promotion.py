"""Hand-made results, where it is plain which is better."""

from dataclasses import replace

import pytest

from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.results import Row, summary
from drnsr.tracking.promotion import Evaluation, NotBetterError, proven_gain


def evaluation(gains, *, pictures=10, benchmarks=("mine",), protocol="paper_y", scale=2):
    """Bicubic has 20, 21, ... dB on the pictures; the model has ``gains(picture)`` dB more."""
    rows = [
        Row(
            name,
            f"{n}.png",
            100,
            bicubic={"psnr": 20.0 + n, "ssim": 0.5},
            model={"psnr": 20.0 + n + gains(n), "ssim": 0.6},
        )
        for name in benchmarks
        for n in range(pictures)
    ]
    return Evaluation(summary(rows, scale=scale, protocol=get_protocol(protocol)), rows)


def champion():
    return evaluation(lambda n: 3.0)


def test_better_on_every_picture_is_better():
    benchmark, gain = proven_gain(champion(), evaluation(lambda n: 3.1 + n / 100), None)
    assert benchmark == "mine"
    assert gain.mean == pytest.approx(0.145)
    assert 0.1 < gain.low < 0.145 < gain.high < 0.19
    assert gain.pictures == 10


def test_the_order_of_the_rows_does_not_matter():
    candidate = evaluation(lambda n: 3.5)
    candidate.rows.reverse()
    _, gain = proven_gain(champion(), candidate, "mine")
    assert (gain.low, gain.high) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (evaluation(lambda n: 2.5 + n / 100), r"^worse \(-0\.455 dB, .*, over 10 pictures of mine"),
        (evaluation(lambda n: 3 + (-1) ** n), "no difference is proven: the interval holds zero"),
        (evaluation(lambda n: 3.0), "no difference is proven"),
        (
            evaluation(lambda n: 4.0, protocol="rgb"),
            "by rgb at scale 2, and the champion by",
        ),
        (evaluation(lambda n: 4.0, scale=3), "at scale 3, and the champion by paper_y at"),
        (evaluation(lambda n: 4.0, pictures=11), r"other pictures for the champion: 10\.png"),
        (
            evaluation(lambda n: 4.0, benchmarks=("yours",)),
            "champion was not measured on yours",
        ),
        (evaluation(lambda n: 4.0, benchmarks=("mine", "b")), "mine, b: say by --benchmark which"),
    ],
)
def test_no_proof_is_refused_with_its_reason(candidate, message):
    with pytest.raises(NotBetterError, match=message):
        proven_gain(champion(), candidate, None)


def test_five_pictures_are_too_few_however_much_better():
    few = [evaluation(lambda n, gain=gain: gain, pictures=5) for gain in (3.0, 9.0)]
    with pytest.raises(NotBetterError, match="5 pictures are too few"):
        proven_gain(*few, None)


def test_a_benchmark_that_was_not_measured():
    with pytest.raises(NotBetterError, match=r"not measured on set5 \(measured on: mine\)"):
        proven_gain(champion(), champion(), "set5")


def test_another_picture_of_the_same_name_is_detected_by_its_bicubic_psnr():
    candidate = evaluation(lambda n: 4.0)
    candidate.rows[3] = replace(candidate.rows[3], bicubic={"psnr": 23.1, "ssim": 0.5})
    with pytest.raises(NotBetterError, match=r"another picture 3\.png .* 23\.000 dB there and"):
        proven_gain(champion(), candidate, None)
