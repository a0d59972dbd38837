import threading

import numpy as np
import pytest

from drnsr.config.compose import load_option
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import DataError
from drnsr.degradation.parameters import Degradation
from drnsr.errors import SignalError
from drnsr.evaluation.benchmark import Method, bicubic, measure
from drnsr.evaluation.metrics import METRICS
from drnsr.evaluation.protocol import ProtocolError, get_protocol
from drnsr.evaluation.results import mean_row, read_rows, row_of, summary, write_rows
from drnsr.images.resize import upscale

PROTOCOL = get_protocol("paper_y")


@pytest.fixture
def dataset(picture_folder, tmp_path):
    return prepare_benchmark(sorted(picture_folder.iterdir()), tmp_path / "dataset", name="mine")


def model(function):
    return [bicubic(2, PROTOCOL), Method("model", function)]


def test_bicubic_gains_nothing_over_bicubic(dataset):
    methods = model(lambda lr: upscale(lr, 2))
    for measured in measure(dataset, methods, scale=2, protocol=PROTOCOL):
        assert measured.results["model"].values == measured.results["bicubic"].values
        assert measured.lr.shape[0] * 2 == measured.hr.shape[0]
        assert measured.pixels == (measured.hr.shape[0] - 4) * (measured.hr.shape[1] - 4)


def test_the_original_itself_has_an_infinite_psnr(dataset):
    originals = iter([PROTOCOL.prepare(dataset.hr(n), 2)[1] for n in range(4)])
    for measured in measure(dataset, model(lambda _: next(originals)), scale=2, protocol=PROTOCOL):
        assert measured.results["model"].values["psnr"] == np.inf
        assert measured.results["model"].values["ssim"] == pytest.approx(1.0)


def test_a_network_on_rgb_is_refused_by_a_protocol_on_luma(dataset):
    classic = get_protocol("classic_y")
    with pytest.raises(ProtocolError, match="classic_y: model takes RGB"):
        next(measure(dataset, model(lambda lr: lr), scale=2, protocol=classic))


def test_degraded_lr_is_measured_at_its_scale(picture_folder, tmp_path):
    realistic = Degradation(**load_option("degradation", "realistic"))
    pictures = sorted(picture_folder.iterdir())
    dataset = prepare_benchmark(
        pictures, tmp_path / "degraded", name="mine", degradation=realistic, scales=[2]
    )
    found = list(measure(dataset, [bicubic(2, PROTOCOL)], scale=2, protocol=PROTOCOL))
    for number, measured in enumerate(found):
        lr = dataset.lr(number, 2)  # the last picture is gray, and this protocol repeats it
        np.testing.assert_array_equal(measured.lr, np.broadcast_to(lr, measured.lr.shape))
        assert measured.lr.shape[2] == 3
    with pytest.raises(DataError, match=r"mine is degraded at the scales \[2\], not at 3"):
        next(measure(dataset, [bicubic(3, PROTOCOL)], scale=3, protocol=PROTOCOL))


def test_a_picture_too_small_to_measure_is_named(dataset):
    with pytest.raises(DataError, match=r"picture0\.png of mine has 100 x 96 pixels: too small"):
        list(measure(dataset, [bicubic(45, PROTOCOL)], scale=45, protocol=PROTOCOL))


def test_rows_are_read_as_written_and_averaged(dataset, tmp_path):
    def darker(lr):
        return upscale(lr, 2) // 2

    rows = [
        row_of("mine", measured)
        for measured in measure(dataset, model(darker), scale=2, protocol=PROTOCOL)
    ]
    write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows
    content = summary(rows, scale=2, protocol=PROTOCOL)["mine"]
    expected = np.mean([row.model["psnr"] for row in rows])
    assert content["model"]["psnr"] == pytest.approx(expected, abs=1e-12)
    assert mean_row(rows, PROTOCOL).model["psnr"] == pytest.approx(expected, abs=1e-12)
    assert content["protocol"] == "paper_y"


@pytest.mark.parametrize("protocol", ["paper_y", "classic_y", "rgb"])
def test_the_number_of_threads_changes_neither_order_nor_values(dataset, protocol):
    protocol = get_protocol(protocol)
    methods = [bicubic(2, protocol)]
    metrics = [
        metric for metric in METRICS.values() if metric.measured_on in ("any", protocol.measured_on)
    ]
    measured = [
        list(
            measure(dataset, methods, scale=2, protocol=protocol, metrics=metrics, workers=workers)
        )
        for workers in (1, 5)
    ]
    in_turn = []
    for number in range(len(dataset.images)):
        lr, hr = protocol.prepare(dataset.hr(number), 2)
        compared = protocol.compared_planes(methods[0].upscale(lr), hr, 2)
        in_turn.append({metric.name: metric.compute(*compared, 2) for metric in metrics})
    for pictures in measured:
        assert [picture.name for picture in pictures] == [image.name for image in dataset.images]
        assert [picture.results["bicubic"].values for picture in pictures] == in_turn


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("no room\nfor it"), r"^model: picture2\.png of mine: MemoryError: no room$"),
        (DataError("wrong kind"), r"^model: picture2\.png of mine: wrong kind$"),
    ],
)
def test_an_error_with_one_picture_is_one_line_that_names_it(dataset, error, message):
    methods = model(failing_at(2, error))
    with pytest.raises(DataError, match=message):
        list(measure(dataset, methods, scale=2, protocol=PROTOCOL))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SignalError("SIGTERM came", 15)])
def test_an_interruption_is_passed_on_and_leaves_no_thread(dataset, error):
    before = threading.active_count()
    with pytest.raises(type(error)):
        list(measure(dataset, model(failing_at(1, error)), scale=2, protocol=PROTOCOL))
    assert threading.active_count() == before


def failing_at(number, error):
    """Bicubic, but for one picture."""
    pictures = iter(range(100))

    def upscale_or_fail(lr):
        if next(pictures) == number:
            raise error
        return upscale(lr, 2)

    return upscale_or_fail
