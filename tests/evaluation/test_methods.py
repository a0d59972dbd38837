import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import DataError
from drnsr.evaluation.benchmark import measure
from drnsr.evaluation.methods import (
    MethodError,
    classical_method,
    model_method,
    pictures_method,
)
from drnsr.evaluation.protocol import get_protocol
from drnsr.images.encoding import write_png
from drnsr.networks import DRNSR, VDSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

PROTOCOL = get_protocol("paper_y")


def test_nearest_and_lanczos_agree_with_pillow():
    lr = texture(8, 9)
    for name, kernel in (
        ("nearest", Image.Resampling.NEAREST),
        ("lanczos", Image.Resampling.LANCZOS),
    ):
        expected = np.asarray(Image.fromarray(lr).resize((27, 24), kernel))
        assert_array_equal(classical_method(name, 3, PROTOCOL).upscale(lr), expected)
        floating = classical_method(name, 3, PROTOCOL).upscale(lr.astype(float))
        assert floating.dtype == np.float64


def test_a_model_of_another_scale_is_refused(tmp_path):
    save_model(tmp_path / "x3.safetensors", DRNSR(scale=3), Origin("", "", ""))
    with pytest.raises(MethodError, match=r"x3\.safetensors: DRNSR has no x2; it enlarges by x3"):
        model_method(tmp_path / "x3.safetensors", 2, "x3")


def test_a_network_on_luma_is_measured_by_any_protocol_at_each_of_its_scales(dataset, tmp_path):
    network = VDSR(scales=[2, 3], num_features=4, num_layers=3)
    for parameter in network.parameters():
        parameter.data.zero_()  # what is left is the bicubic enlargement
    save_model(tmp_path / "vdsr.safetensors", network, Origin("", "", ""))
    for scale, name in ((2, "classic_y"), (3, "paper_y")):
        protocol = get_protocol(name)
        methods = [model_method(tmp_path / "vdsr.safetensors", scale, "vdsr")]
        methods.append(classical_method("bicubic", scale, protocol))
        for measured in measure(dataset, methods, scale=scale, protocol=protocol):
            scores = [result.values for result in measured.results.values()]
            # On uint8 MATLAB's bicubic is rounded between its passes, and a network's is not.
            difference = abs(scores[0]["psnr"] - scores[1]["psnr"])
            assert difference < (0.001 if name == "classic_y" else 0.1)


@pytest.fixture
def dataset(picture_folder, tmp_path):
    return prepare_benchmark(sorted(picture_folder.iterdir()), tmp_path / "dataset", name="mine")


def test_pictures_of_another_tool_are_matched_by_name(dataset, tmp_path):
    for number, image in enumerate(dataset.images):
        # In another format and order of writing; the originals themselves.
        write_png(tmp_path / "made" / f"{image.name}", dataset.hr(number))
    method = pictures_method(tmp_path / "made", dataset, PROTOCOL)
    for measured in measure(dataset, [method], scale=2, protocol=PROTOCOL):
        assert measured.results[method.name].values["psnr"] == np.inf


def test_two_pictures_with_one_name_are_refused(dataset, tmp_path):
    for image in dataset.images:
        write_png(tmp_path / "made" / image.name, texture(10, 10))
    (tmp_path / "made" / "picture1.jpg").write_bytes(b"which of the two?")
    with pytest.raises(MethodError, match=r"picture1\.jpg and .*picture1\.png have one name"):
        pictures_method(tmp_path / "made", dataset, PROTOCOL)


def test_missing_pictures_and_wrong_sizes_are_refused(dataset, tmp_path):
    write_png(tmp_path / "made" / "picture0.png", texture(10, 10))
    with pytest.raises(MethodError, match=r"no picture for picture1\.png, picture2\.png"):
        pictures_method(tmp_path / "made", dataset, PROTOCOL)
    for number in (1, 2, 3):
        write_png(tmp_path / "made" / f"picture{number}.png", texture(10, 10))
    method = pictures_method(tmp_path / "made", dataset, PROTOCOL)
    with pytest.raises(DataError, match=r"picture0\.png of mine: 10 x 10 pixels of 3 channels"):
        next(measure(dataset, [method], scale=2, protocol=PROTOCOL))
