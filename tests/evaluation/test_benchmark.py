import numpy as np
import pytest

from drnsr.data.packing import DataError
from drnsr.data.preparation import pack_benchmark
from drnsr.evaluation.benchmark import Method, bicubic, measure
from drnsr.evaluation.protocol import ProtocolError, get_protocol
from drnsr.evaluation.results import mean_row, read_rows, row_of, summary, write_rows
from drnsr.imaging.resize import upscale

PROTOCOL = get_protocol("paper_y")


@pytest.fixture
def pack(picture_folder, tmp_path):
    return pack_benchmark(sorted(picture_folder.iterdir()), tmp_path / "pack", name="mine")


def model(enlarge):
    return [bicubic(2, PROTOCOL), Method("model", enlarge)]


def test_bicubic_gains_nothing_over_bicubic(pack):
    methods = model(lambda lr: upscale(lr, 2))
    for measured in measure(pack, methods, scale=2, protocol=PROTOCOL):
        assert measured.results["model"].score == measured.results["bicubic"].score
        assert measured.lr.shape[0] * 2 == measured.hr.shape[0]
        assert measured.pixels == (measured.hr.shape[0] - 4) * (measured.hr.shape[1] - 4)


def test_the_original_itself_is_infinitely_good(pack):
    originals = iter([PROTOCOL.prepare(pack.hr(n), 2)[1] for n in range(4)])
    for measured in measure(pack, model(lambda _: next(originals)), scale=2, protocol=PROTOCOL):
        assert measured.results["model"].score.psnr == np.inf
        assert measured.results["model"].score.ssim == pytest.approx(1.0)


def test_a_network_for_rgb_is_refused_where_lr_is_luma(pack):
    classic = get_protocol("classic_y")
    with pytest.raises(ProtocolError, match="classic_y: model takes RGB"):
        next(measure(pack, model(lambda lr: lr), scale=2, protocol=classic))


def test_a_picture_too_small_to_measure_is_named(pack):
    with pytest.raises(DataError, match=r"picture0\.png of mine has 100 x 96 pixels: too small"):
        list(measure(pack, [bicubic(45, PROTOCOL)], scale=45, protocol=PROTOCOL))


def test_rows_survive_their_file_and_the_mean_is_the_mean(pack, tmp_path):
    def darker(lr):
        return upscale(lr, 2) // 2

    rows = [
        row_of("mine", measured)
        for measured in measure(pack, model(darker), scale=2, protocol=PROTOCOL)
    ]
    write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows
    content = summary(rows, scale=2, protocol=PROTOCOL)["mine"]
    expected = np.mean([row.model_psnr for row in rows])
    assert content["model"]["psnr"] == pytest.approx(expected, abs=1e-12)
    assert mean_row(rows, PROTOCOL).model_psnr == pytest.approx(expected, abs=1e-12)
    assert content["protocol"] == "paper_y"
