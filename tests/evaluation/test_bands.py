"""Bands of 16 bits through a whole benchmark, against numpy, scikit-image and torchmetrics."""

import numpy as np
import pytest
import tifffile
import torch
from numpy.testing import assert_array_equal
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from drnsr.data.pixels import Pixels
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import DataError
from drnsr.data.readers import make_reader
from drnsr.evaluation.benchmark import Method, bicubic, measure
from drnsr.evaluation.methods import network_method
from drnsr.evaluation.metrics import METRICS
from drnsr.evaluation.protocol import Protocol, ProtocolError, get_protocol
from drnsr.images.pixel_format import PixelFormat
from drnsr.images.resize import crop_to_multiple, downscale, upscale
from drnsr.networks import DRNSR

BANDS = get_protocol("bands")
NAMES = ["green", "red", "nir"]


def benchmark(folder, pixels, **choices):
    tifffile.imwrite(folder / "scene.tif", np.moveaxis(pixels, 2, 0), photometric="minisblack")
    names = NAMES if pixels.shape[2] == 3 else [f"b{n}" for n in range(pixels.shape[2])]
    reader = make_reader(Pixels(bands=names, **choices))
    pictures = reader.pictures([folder / "scene.tif"])
    return prepare_benchmark(pictures, folder / "dataset", name="scenes", reader=reader)


def low_byte(bands=3, height=50, width=46):
    """All detail is in the low byte: the high byte has one value."""
    random = np.random.default_rng(0)
    smooth = upscale(random.integers(0, 256, (height // 2, width // 2, bands)).astype(float), 2)
    return (0x4200 + smooth.clip(0, 255).round()).astype(np.uint16)


def values(dataset, methods, protocol=BANDS, scale=2):
    (measured,) = measure(dataset, methods, scale=scale, protocol=protocol)
    return {name: result.values for name, result in measured.results.items()}


def test_every_bit_of_sixteen_is_measured(tmp_path):
    pixels = low_byte()
    dataset = benchmark(tmp_path, pixels)
    perfect = Method("perfect", lambda lr: crop_to_multiple(pixels, 2), takes="any")
    off_by_one = Method("one", lambda lr: crop_to_multiple(pixels, 2) + np.uint16(1), takes="any")
    found = values(dataset, [bicubic(2, BANDS), perfect, off_by_one])
    assert found["perfect"]["psnr"] == np.inf
    assert found["perfect"]["ssim"] == 1
    assert found["perfect"]["ergas"] == 0
    assert found["one"]["psnr"] == pytest.approx(20 * np.log10(65535))
    sr = upscale(downscale(pixels, 2), 2)
    assert sr.dtype == np.uint16
    inside = slice(2, -2)
    hr, sr = (each[inside, inside].astype(np.float64) for each in (pixels, sr))
    for band, name in enumerate(NAMES):
        theirs = peak_signal_noise_ratio(hr[..., band], sr[..., band], data_range=65535)
        assert found["bicubic"][f"psnr_{name}"] == pytest.approx(theirs)
        theirs = structural_similarity(
            hr[..., band], sr[..., band], data_range=65535, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )[1][5:-5, 5:-5].mean()  # fmt: skip
        assert found["bicubic"][f"ssim_{name}"] == pytest.approx(theirs)
    each = [found["bicubic"][f"psnr_{name}"] for name in NAMES]
    assert found["bicubic"]["psnr"] == pytest.approx(np.mean(each))
    # Kruse 1993 and Wald 2002, by their equations.
    cosine = (hr * sr).sum(2) / np.sqrt((hr**2).sum(2) * (sr**2).sum(2))
    assert found["bicubic"]["sam"] == pytest.approx(np.degrees(np.arccos(cosine)).mean(), rel=1e-3)
    relative = ((hr - sr) ** 2).mean((0, 1)) / hr.mean((0, 1)) ** 2
    assert found["bicubic"]["ergas"] == pytest.approx(100 / 2 * np.sqrt(relative.mean()))


def test_the_peak_is_of_the_type_declared_or_the_pictures(tmp_path):
    pixels = low_byte()
    dataset = benchmark(tmp_path, pixels, range=[16000, 18000])
    of_type = values(dataset, [bicubic(2, BANDS)])["bicubic"]["psnr"]
    inside = pixels[2:-2, 2:-2]
    for name, peak in (("declared", 2000), ("picture", int(inside.max()) - int(inside.min()))):
        protocol = get_protocol(
            {"name": "mine", "computed_on": "bands", "measured_on": "bands"}
            | {"lr": "type", "sr": "type", "data_range": name}
        )
        found = values(dataset, [bicubic(2, protocol)], protocol)["bicubic"]["psnr"]
        assert found - of_type == pytest.approx(20 * np.log10(peak / 65535))


def test_a_network_of_bands_sees_the_range_of_its_training(tmp_path):
    pixels = low_byte(4)
    network = DRNSR(scale=2, num_features=4, num_blocks=1, channels=4)  # untrained: bicubic
    network.pixels = PixelFormat(tuple("abcd"), 16, (16000, 18000), (16000, 18000))
    dataset = benchmark(tmp_path, pixels)
    ours, photo, gray = (
        network_method(each, 2, name)
        for name, each in (
            ("ours", network),
            ("photo", DRNSR(scale=2, num_features=4, num_blocks=1)),
            ("gray", DRNSR(scale=2, num_features=4, num_blocks=1, channels=1)),
        )
    )
    lr, _ = BANDS.prepare(dataset.hr(0), 2)
    expected = np.floor(upscale(lr.astype(np.float64), 2) + 0.5).clip(0, 65535)
    for method in (ours, photo, gray):  # the last two band by band
        made = method.adapt(dataset.pixels)(lr)
        assert made.dtype == np.uint16
        assert np.abs(made - expected).max() <= 1  # fp32 holds 16 bits, to half a step
    with torch.no_grad():
        network.tail.bias.fill_(0.5)  # half of the range from black to white
    brighter = network_method(network, 2, "brighter").adapt(dataset.pixels)(lr)
    assert np.abs(brighter - expected - 1000).max() <= 1
    three = benchmark(tmp_path, low_byte(3))
    with pytest.raises(
        DataError, match=r"takes 4 bands of 16 bits \(a, b, c, d\), and there are 3"
    ):
        values(three, [ours])


def test_a_benchmark_of_floats_is_seen_in_the_units_of_its_files(tmp_path):
    network = DRNSR(scale=2, num_features=4, num_blocks=1, channels=1)
    network.pixels = PixelFormat(("height",), 16, (-100.0, 300.0), (0.0, 65535.0))
    with torch.no_grad():
        network.tail.bias.fill_(1.0)  # 400 m
    floats = np.linspace(0, 99, 40 * 40).reshape(40, 40, 1).astype(np.float32)
    dataset = benchmark(tmp_path, floats, range=[-1000, 1000])
    lr, _ = BANDS.prepare(dataset.hr(0), 2)
    made = network_method(network, 2, "m").adapt(dataset.pixels)(lr)
    metres = made / 65535 * 2000 - 1000
    expected = upscale(lr.astype(np.float64), 2) / 65535 * 2000 - 1000 + 400
    assert np.abs(metres - expected).max() < 2000 / 65535


def test_a_protocol_for_photographs_measures_no_bands(tmp_path):
    dataset = benchmark(tmp_path, low_byte())
    with pytest.raises(
        ProtocolError, match=r"paper_y: is for 8-bit RGB, and scenes has 3 bands of"
    ):
        values(dataset, [bicubic(2, get_protocol("paper_y"))], get_protocol("paper_y"))
    for fields, problem in (
        ({"computed_on": "bands"}, "both"),
        ({"computed_on": "bands", "measured_on": "bands"}, "type instead of uint8"),
        ({"data_range": "picture"}, "for bands alone"),
    ):
        with pytest.raises(ProtocolError, match=problem):
            Protocol("mine", **fields)


def test_angles_and_relative_errors_are_undefined_without_light():
    black, gray = np.zeros((12, 12, 3)), np.full((12, 12, 3), 9.0)
    assert METRICS["sam"].compute(gray, black, 2) is None
    assert METRICS["ergas"].compute(gray, black, 2) is None
    assert METRICS["sam"].compute(gray[:, :, :1], gray[:, :, :1], 2) is None
    half = np.where(np.arange(12)[:, None, None] < 6, gray, black)
    assert METRICS["sam"].compute(gray, half, 2) == pytest.approx(0, abs=0.05)


def test_bits_survive_the_resize():
    pixels = low_byte(1)
    assert_array_equal(downscale(pixels, 1), pixels)
    exact = downscale(pixels.astype(np.float64), 2)
    assert np.abs(downscale(pixels, 2) - exact).max() <= 1.2  # rounded after each pass
