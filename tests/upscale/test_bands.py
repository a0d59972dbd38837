"""A model of several bands of 16 bits: its file, and what `drnsr upscale` makes with it."""

import numpy as np
import pytest
import rasterio
import tifffile
import torch
from numpy.testing import assert_array_equal
from rasterio.transform import from_origin

from drnsr import Upscaler
from drnsr.cli import main
from drnsr.errors import UserError
from drnsr.images.pixel_format import PixelFormat
from drnsr.images.resize import upscale
from drnsr.inference.export_info import read_exported
from drnsr.networks import DRNSR
from drnsr.reporting.file_info import describe_file
from drnsr.weights.loading import load_network
from drnsr.weights.native import Origin, read_info, save_model

PIXELS = PixelFormat(("green", "red", "edge", "nir"), 16, (16000.0, 18000.0), (16000.0, 18000.0))
MIXING = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]])


LIMITS = (16000.0, 12000.0, 15000.0, 14000.0), (18000.0, 20000.0, 18000.0, 19000.0)
PER_BAND = PixelFormat(PIXELS.bands, 16, LIMITS, LIMITS)


@pytest.fixture
def model(tmp_path, request):
    """A network whose residual is half of the next band: all bands go through it together."""
    network = DRNSR(scale=2, num_features=4, num_blocks=1, channels=4)
    network.pixels = getattr(request, "param", PIXELS)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for band in range(4):
            network.head.weight[band, band, 1, 1] = 1
            source = int(MIXING[band].argmax())
            network.tail.weight[band * 4 : band * 4 + 4, source, 1, 1] = 0.5
    save_model(tmp_path / "m.safetensors", network, Origin())
    return tmp_path / "m.safetensors"


def scene(bands=4):
    return np.random.default_rng(0).integers(16000, 18000, (20, 24, bands)).astype(np.uint16)


def expected(pixels, trained):
    black, white = map(np.array, trained.value_range)
    seen = (pixels - black) / (white - black)
    added = 0.5 * np.repeat(np.repeat(seen @ MIXING.T, 2, axis=0), 2, axis=1)
    return np.floor((upscale(seen, 2) + added) * (white - black) + black + 0.5)


@pytest.mark.parametrize("model", [PIXELS, PER_BAND], indirect=True)
def test_all_bands_are_upscaled_at_once_between_the_black_and_white_of_the_training(
    model, tmp_path
):
    pixels = scene()
    tifffile.imwrite(
        tmp_path / "scene.tif", pixels, photometric="minisblack", planarconfig="contig"
    )
    main(["upscale", str(tmp_path / "scene.tif"), "--model", str(model), "--out", str(tmp_path)])
    made = tifffile.imread(tmp_path / "scene_x2.tif")
    assert made.dtype == np.uint16
    assert np.abs(made - expected(pixels, read_info(model).pixels)).max() <= 1
    tifffile.imwrite(
        tmp_path / "three.tif", scene(3), photometric="minisblack", planarconfig="contig"
    )
    with pytest.raises(SystemExit) as error:
        main(
            ["upscale", str(tmp_path / "three.tif"), "--model", str(model), "--out", str(tmp_path)]
        )
    line = "three.tif: 3 bands, but the model takes 4 bands of 16 bits (green, red, edge, nir)"
    assert line in str(error.value)
    # In memory, as RGBA from Python, it is the same; and an alpha that is a band.
    assert_array_equal(Upscaler.from_file(model)(pixels), made)
    tifffile.imwrite(tmp_path / "nir.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    main(["upscale", str(tmp_path / "nir.tif"), "--model", str(model), "--out", str(tmp_path)])
    assert_array_equal(tifffile.imread(tmp_path / "nir_x2.tif"), made)


@pytest.mark.parametrize("model", [PER_BAND], indirect=True)
def test_a_model_with_a_range_for_each_band(model, tmp_path):
    assert read_info(model).pixels == PER_BAND
    text = "black is 16000, 12000, 15000, 14000 and white 18000, 20000, 18000, 19000"
    assert describe_file(model)["pixels"].endswith(text)
    main(["export", str(model), str(tmp_path / "m.onnx")])
    assert read_exported(tmp_path / "m.onnx").descriptor.pixels == PER_BAND
    with pytest.raises(UserError, match="3 bands, but the model takes 4"):
        Upscaler.from_file(model)(scene(5)[:, :, :3])


def test_a_model_of_photographs_takes_bands_one_by_one(tmp_path):
    network = DRNSR(scale=2, num_features=4, num_blocks=1)  # untrained: bicubic
    save_model(tmp_path / "rgb.safetensors", network, Origin())
    pixels = scene(5)
    tifffile.imwrite(tmp_path / "five.tif", pixels, photometric="minisblack", planarconfig="contig")
    arguments = ["--model", str(tmp_path / "rgb.safetensors"), "--out", str(tmp_path)]
    main(["upscale", str(tmp_path / "five.tif"), *arguments])
    made = tifffile.imread(tmp_path / "five_x2.tif")
    assert np.abs(made - np.floor(upscale(pixels.astype(float), 2) + 0.5)).max() <= 1


def test_a_model_file_carries_bands_depth_and_range(model, tmp_path):
    assert read_info(model).pixels == load_network(model).descriptor.pixels == PIXELS
    described = describe_file(model)
    assert described["colour"] == "bands"
    assert described["pixels"] == (
        "4 bands of 16 bits (green, red, edge, nir), black is 16000 and white 18000"
    )
    photo = DRNSR(scale=2, num_features=4, num_blocks=1)
    save_model(tmp_path / "rgb.safetensors", photo, Origin())
    assert b'"pixels' not in (tmp_path / "rgb.safetensors").read_bytes()[:2000]
    network = load_network(model)
    network.pixels = PixelFormat(("one",), 16)
    save_model(tmp_path / "wrong.safetensors", network, Origin())
    with pytest.raises(UserError, match="not a DRNSR of drnsr: its pixels have 1 channels"):
        load_network(tmp_path / "wrong.safetensors")


@pytest.mark.slow
def test_an_exported_model_of_bands_makes_the_same(model, tmp_path):
    pytest.importorskip("onnxruntime")
    main(["export", str(model), str(tmp_path / "m.onnx")])
    pixels = scene()
    tifffile.imwrite(
        tmp_path / "scene.tif", pixels, photometric="minisblack", planarconfig="contig"
    )
    arguments = ["upscale", str(tmp_path / "scene.tif"), "--out", str(tmp_path)]
    main([*arguments, "--model", str(tmp_path / "m.onnx")])
    made = tifffile.imread(tmp_path / "scene_x2.tif")
    assert np.abs(made - expected(pixels, PIXELS)).max() <= 1


def write_bands(folder, pixels, *names):
    folder.mkdir()
    place = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_400_000, 10, 10)}
    shape = {"height": 20, "width": 24, "count": 1, "dtype": "uint16"}
    for number, band in enumerate(PIXELS.bands):
        for name in names:
            path = folder / f"{name}_{band}.tif"
            with rasterio.open(path, "w", driver="GTiff", nodata=0, **place, **shape) as file:
                file.write(pixels[:, :, number], 1)


def test_files_of_one_band_each_are_joined(model, tmp_path):
    pixels = scene()
    write_bands(tmp_path / "in", pixels, "north", "south")
    call = ["upscale", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    joined = [*call, "--model", str(model), "--join", "{scene}_{band}"]
    main([*joined, "--tile", "16"])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["north_x2.tif", "south_x2.tif"]
    with rasterio.open(tmp_path / "out" / "south_x2.tif") as made:
        assert (made.count, made.nodata, made.transform.a) == (4, 0, 5)
        assert np.abs(np.moveaxis(made.read(), 0, 2) - expected(pixels, PIXELS)).max() <= 1
    other = tmp_path / "in" / "north_nir.tif"
    tifffile.imwrite(other, pixels[:10, :, 0])
    with pytest.raises(SystemExit, match=r"north_nir.tif: its size is \(24, 10\), but \(24, 20\)"):
        main([*joined, "--overwrite"])
    other.unlink()
    with pytest.raises(SystemExit, match=r"north: no file for nir of this scene"):
        main(joined)
    with pytest.raises(SystemExit, match=r"its name does not match --join"):
        main([*joined[:-1], "{scene}-{band}"])
    with pytest.raises(SystemExit, match=r"--join: is for a model of several bands"):
        main([*call, "--join", "{scene}_{band}"])
