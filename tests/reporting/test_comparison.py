"""A comparison shows the pixels of the upscaled file and of bicubic interpolation."""

import numpy as np
import pytest
import tifffile
import torch
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.images.resample import resize_rows
from drnsr.images.resize import upscale
from drnsr.networks import DRNSR
from drnsr.reporting.comparison import (
    compare_with_bicubic,
    draw_comparison,
    framed_thumbnail,
    write_comparison,
)
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

YELLOW = (255, 255, 0)


@pytest.fixture
def models(tmp_path):
    """A model that adds noise to bicubic interpolation."""
    torch.manual_seed(0)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    save_model(tmp_path / "noisy.safetensors", network, Origin())
    return Models.from_file(tmp_path / "noisy.safetensors", RuntimeOptions())


@pytest.fixture
def bicubic_spec(tmp_path):
    """A spec with an untrained network, which is bicubic interpolation."""
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    save_model(tmp_path / "untrained.safetensors", network, Origin())
    return UpscaleSpec(
        Models.from_file(tmp_path / "untrained.safetensors", RuntimeOptions()), OutputSize(scale=2)
    )


def to_array(image):
    return np.asarray(image).astype(int)


def crop_of(pixels, box):
    return pixels[box.top : box.bottom, box.left : box.right]


def upscaled_file(source, target, spec):
    upscale_file(source, target, spec, lambda _: None, print)
    return target


def test_the_panels_are_the_pixels_of_the_file_and_of_bicubic(tmp_path, models):
    pixels = texture(150, 170)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    spec = UpscaleSpec(models, OutputSize(scale=2))
    comparison = compare_with_bicubic(tmp_path / "a.png", spec)
    assert (comparison.size, comparison.new_size) == ((170, 150), (340, 300))
    assert (comparison.model, comparison.note) == ("noisy", "")
    upscaled = to_array(Image.open(upscaled_file(tmp_path / "a.png", tmp_path / "b.png", spec)))
    assert_array_equal(to_array(comparison.upscaled), crop_of(upscaled, comparison.crop))
    assert_array_equal(to_array(comparison.bicubic), crop_of(upscale(pixels, 2), comparison.crop))
    assert np.abs(to_array(comparison.bicubic) - to_array(comparison.upscaled)).max() > 10


def test_another_factor(tmp_path, models):
    pixels = texture(150, 170)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    spec = UpscaleSpec(models, OutputSize(factor=1.7))
    comparison = compare_with_bicubic(tmp_path / "a.png", spec)
    assert comparison.new_size == (289, 255)
    upscaled = to_array(Image.open(upscaled_file(tmp_path / "a.png", tmp_path / "b.png", spec)))
    assert_array_equal(to_array(comparison.upscaled), crop_of(upscaled, comparison.crop))
    bicubic = np.concatenate(list(resize_rows([pixels], (150, 170), (255, 289))))
    assert_array_equal(to_array(comparison.bicubic), crop_of(bicubic, comparison.crop))


def test_the_crop_is_the_most_detailed_one(tmp_path, bicubic_spec):
    pixels = np.full((900, 1000), 120, np.uint8)
    pixels[100:120, 100:120] += np.uint8(20) * (np.indices((20, 20)).sum(axis=0) % 2).astype("u1")
    pixels[600:620, 700:720] = 255 * (np.indices((20, 20)).sum(axis=0) % 2)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    crop = compare_with_bicubic(tmp_path / "a.png", bicubic_spec).crop
    assert (crop.height, crop.width) == (144, 192)
    assert crop.top <= 1200 <= 1240 <= crop.bottom
    assert crop.left <= 1400 <= 1440 <= crop.right


def test_the_edge_of_nodata_is_not_a_detail(tmp_path, bicubic_spec):
    pixels = np.full((400, 400), 1000, np.float32)
    pixels[50:100, 50:100] = np.nan
    pixels[300:310, 300:310] = 1001
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    comparison = compare_with_bicubic(tmp_path / "a.tif", bicubic_spec)
    assert comparison.crop.top <= 600 <= 620 <= comparison.crop.bottom
    assert comparison.note == "1000 is black, 1001 white"
    assert_array_equal(to_array(comparison.thumbnail)[10, 10], [0, 0, 0])
    # The squares of the checkerboard.
    assert set(map(tuple, to_array(comparison.thumbnail)[55:95, 55:95].reshape(-1, 3))) == {
        (204, 204, 204),
        (255, 255, 255),
    }


def test_the_colour_of_transparent_pixels_is_not_shown(tmp_path, bicubic_spec):
    pixels = np.zeros((60, 80, 4), np.uint8)
    pixels[:, :] = (255, 0, 0, 0)
    pixels[20:40, 20:60] = (0, 0, 255, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    comparison = compare_with_bicubic(tmp_path / "a.png", bicubic_spec)
    for image in (comparison.thumbnail, comparison.bicubic, comparison.upscaled):
        red, _, blue = np.moveaxis(to_array(image), 2, 0)
        assert (red <= blue).all()
        assert red.max() == 255  # the white squares of the checkerboard
        assert red.min() == 0


def test_sixteen_bits_are_displayed_from_least_to_largest_value(tmp_path, bicubic_spec):
    dark = texture(60, 80, 1)[:, :, 0].astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", dark)
    comparison = compare_with_bicubic(tmp_path / "a.tif", bicubic_spec)
    assert (to_array(comparison.thumbnail).min(), to_array(comparison.thumbnail).max()) == (0, 255)
    assert comparison.note == f"{dark.min()} is black, {dark.max()} white"


def test_white_is_zero(tmp_path, bicubic_spec):
    pixels = texture(60, 80, 1)[:, :, 0]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    comparison = compare_with_bicubic(tmp_path / "a.tif", bicubic_spec)
    assert_array_equal(to_array(comparison.thumbnail)[:, :, 0], 255 - pixels.astype(int))


def test_the_first_page_and_band_are_displayed(tmp_path, bicubic_spec):
    bands = np.stack([texture(60, 80, 1, seed)[:, :, 0] for seed in range(5)])
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(2):
            writer.write(bands, photometric="minisblack", planarconfig="separate")
    comparison = compare_with_bicubic(tmp_path / "a.tif", bicubic_spec)
    assert comparison.note == "the first of 2 pages, the first of 5 bands"
    assert_array_equal(to_array(comparison.thumbnail)[:, :, 1], bands[0])


def test_the_thumbnail_of_a_large_picture(tmp_path, bicubic_spec):
    pixels = np.kron(texture(20, 40), np.ones((100, 100, 1), np.uint8))  # squares
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib", rowsperstrip=7)
    comparison = compare_with_bicubic(tmp_path / "a.tif", bicubic_spec)
    assert comparison.thumbnail.size == (1000, 500)
    assert_array_equal(to_array(comparison.thumbnail)[12::25, 12::25], texture(20, 40))


def test_the_drawing_has_magnified_pixels_and_a_frame(tmp_path, models):
    Image.fromarray(texture(150, 170)).save(tmp_path / "a.png")
    comparison = compare_with_bicubic(tmp_path / "a.png", UpscaleSpec(models, OutputSize(scale=2)))
    drawn = to_array(draw_comparison(comparison))
    for panel in (comparison.bicubic, comparison.upscaled):
        squares = np.kron(to_array(panel), np.ones((3, 3, 1), int))
        windows = np.lib.stride_tricks.sliding_window_view(drawn[:, :, 0], 576, axis=1)
        matches = (windows == squares[0, :, 0]).all(axis=2)
        (top, *_), (left, *_) = np.nonzero(matches)
        assert_array_equal(drawn[top : top + 432, left : left + 576], squares)
    assert YELLOW in set(map(tuple, drawn.reshape(-1, 3)))
    assert YELLOW not in set(map(tuple, to_array(comparison.thumbnail).reshape(-1, 3)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (200, 2), (50, 40)])
def test_a_picture_may_be_smaller_than_the_crop(tmp_path, bicubic_spec, shape):
    Image.fromarray(texture(*shape)).save(tmp_path / f"{'long ' * 30}.png")
    comparison = compare_with_bicubic(tmp_path / f"{'long ' * 30}.png", bicubic_spec)
    height, width = min(2 * shape[0], 144), min(2 * shape[1], 192)
    assert comparison.bicubic.size == comparison.upscaled.size == (width, height)
    write_comparison(tmp_path / "out/c.png", comparison)
    with Image.open(tmp_path / "out/c.png") as drawn:
        drawn.load()
        assert drawn.width > drawn.height
    assert max(framed_thumbnail(comparison, 208).size) <= 300
