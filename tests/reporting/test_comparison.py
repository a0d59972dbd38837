"""A comparison shows the very pixels that are made, and those of bicubic interpolation beside."""

import numpy as np
import pytest
import tifffile
import torch
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.images.picture import Box, from_array
from drnsr.images.resample import resize_part, resize_rows, source_span
from drnsr.images.resize import upscale
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import DRNSR, RRDBNet
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
    """A network that adds noise to bicubic."""
    torch.manual_seed(0)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    save_model(tmp_path / "noisy.safetensors", network, Origin())
    return Models.from_file(tmp_path / "noisy.safetensors", RuntimeOptions())


@pytest.fixture
def untrained(tmp_path):
    """Bicubic."""
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    save_model(tmp_path / "untrained.safetensors", network, Origin())
    return UpscaleSpec(
        Models.from_file(tmp_path / "untrained.safetensors", RuntimeOptions()), OutputSize(scale=2)
    )


def of(image):
    return np.asarray(image).astype(int)


def cut(pixels, box):
    return pixels[box.top : box.bottom, box.left : box.right]


def enlarged(source, target, work):
    upscale_file(source, target, work, lambda _: None, print)
    return target


def test_the_panels_are_the_pixels_of_the_file_and_of_bicubic(tmp_path, models):
    pixels = texture(150, 170)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    work = UpscaleSpec(models, OutputSize(scale=2))
    comparison = compare_with_bicubic(tmp_path / "a.png", work)
    assert (comparison.size, comparison.new_size) == ((170, 150), (340, 300))
    assert (comparison.model, comparison.note) == ("noisy", "")
    made = of(Image.open(enlarged(tmp_path / "a.png", tmp_path / "b.png", work)))
    assert_array_equal(of(comparison.upscaled), cut(made, comparison.crop))
    assert_array_equal(of(comparison.bicubic), cut(upscale(pixels, 2), comparison.crop))
    assert np.abs(of(comparison.bicubic) - of(comparison.upscaled)).max() > 10


def test_another_factor(tmp_path, models):
    pixels = texture(150, 170)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    work = UpscaleSpec(models, OutputSize(factor=1.7))
    comparison = compare_with_bicubic(tmp_path / "a.png", work)
    assert comparison.new_size == (289, 255)
    made = of(Image.open(enlarged(tmp_path / "a.png", tmp_path / "b.png", work)))
    assert_array_equal(of(comparison.upscaled), cut(made, comparison.crop))
    bicubic = np.concatenate(list(resize_rows([pixels], (150, 170), (255, 289))))
    assert_array_equal(of(comparison.bicubic), cut(bicubic, comparison.crop))


@pytest.mark.parametrize("wanted", [(40, 60), (27, 45), (13, 51)])
def test_a_part_is_resampled_as_the_whole_is(wanted):
    pixels = texture(20, 30)
    whole = np.concatenate(list(resize_rows([pixels], (20, 30), wanted)))
    box = Box(3, wanted[0] - 2, 5, wanted[1] - 10)
    top, bottom = source_span(20, wanted[0], box.top, box.bottom)
    left, right = source_span(30, wanted[1], box.left, box.right)
    part = resize_part(pixels[top:bottom, left:right], (top, left), (20, 30), wanted, box)
    assert_array_equal(part, cut(whole, box))


def test_a_part_is_enlarged_as_the_whole_is():
    torch.manual_seed(0)
    network = RRDBNet(scale=2, num_features=4, num_blocks=1, num_growth=2)
    assert network.descriptor.size_multiple == 2
    tiling = Tiling(TorchEngine(network))
    picture = from_array(texture(61, 53).astype(np.float32) / 255)
    whole = tiling.upscale(picture)
    for box in (Box(7, 20, 5, 18), Box(0, 61, 0, 53), Box(50, 61, 31, 53)):
        part = tiling.upscale_box(picture, box)
        np.testing.assert_allclose(
            part, whole[box.top * 2 : box.bottom * 2, box.left * 2 : box.right * 2], atol=1e-5
        )


def test_what_is_shown_is_the_most_detailed_place(tmp_path, untrained):
    pixels = np.full((900, 1000), 120, np.uint8)
    pixels[100:120, 100:120] += np.uint8(20) * (np.indices((20, 20)).sum(axis=0) % 2).astype("u1")
    pixels[600:620, 700:720] = 255 * (np.indices((20, 20)).sum(axis=0) % 2)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    place = compare_with_bicubic(tmp_path / "a.png", untrained).crop
    assert (place.height, place.width) == (144, 192)
    assert place.top <= 1200 <= 1240 <= place.bottom
    assert place.left <= 1400 <= 1440 <= place.right


def test_the_edge_of_what_is_not_known_is_no_detail(tmp_path, untrained):
    pixels = np.full((400, 400), 1000, np.float32)
    pixels[50:100, 50:100] = np.nan
    pixels[300:310, 300:310] = 1001
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    comparison = compare_with_bicubic(tmp_path / "a.tif", untrained)
    assert comparison.crop.top <= 600 <= 620 <= comparison.crop.bottom
    assert comparison.note == "1000 is black, 1001 white"
    assert_array_equal(of(comparison.thumbnail)[10, 10], [0, 0, 0])
    # A checkerboard.
    assert set(map(tuple, of(comparison.thumbnail)[55:95, 55:95].reshape(-1, 3))) == {
        (204, 204, 204),
        (255, 255, 255),
    }


def test_colour_that_is_not_seen_is_not_shown(tmp_path, untrained):
    pixels = np.zeros((60, 80, 4), np.uint8)
    pixels[:, :] = (255, 0, 0, 0)
    pixels[20:40, 20:60] = (0, 0, 255, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    comparison = compare_with_bicubic(tmp_path / "a.png", untrained)
    for image in (comparison.thumbnail, comparison.bicubic, comparison.upscaled):
        red, _, blue = np.moveaxis(of(image), 2, 0)
        assert (red <= blue).all()
        assert red.max() == 255  # white of the checkerboard
        assert red.min() == 0


def test_sixteen_bits_are_shown_from_black_to_white(tmp_path, untrained):
    dark = texture(60, 80, 1)[:, :, 0].astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", dark)
    comparison = compare_with_bicubic(tmp_path / "a.tif", untrained)
    assert (of(comparison.thumbnail).min(), of(comparison.thumbnail).max()) == (0, 255)
    assert comparison.note == f"{dark.min()} is black, {dark.max()} white"


def test_zero_may_be_white(tmp_path, untrained):
    pixels = texture(60, 80, 1)[:, :, 0]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    comparison = compare_with_bicubic(tmp_path / "a.tif", untrained)
    assert_array_equal(of(comparison.thumbnail)[:, :, 0], 255 - pixels.astype(int))


def test_the_first_page_and_the_first_band(tmp_path, untrained):
    bands = np.stack([texture(60, 80, 1, seed)[:, :, 0] for seed in range(5)])
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(2):
            writer.write(bands, photometric="minisblack", planarconfig="separate")
    comparison = compare_with_bicubic(tmp_path / "a.tif", untrained)
    assert comparison.note == "the first of 2 pages, the first of 5 bands"
    assert_array_equal(of(comparison.thumbnail)[:, :, 1], bands[0])


def test_a_large_picture_is_shown_small(tmp_path, untrained):
    pixels = np.kron(texture(20, 40), np.ones((100, 100, 1), np.uint8))  # squares of one colour
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib", rowsperstrip=7)
    comparison = compare_with_bicubic(tmp_path / "a.tif", untrained)
    assert comparison.thumbnail.size == (1000, 500)
    assert_array_equal(of(comparison.thumbnail)[12::25, 12::25], texture(20, 40))


def test_the_drawing_has_each_pixel_as_a_square_and_a_frame(tmp_path, models):
    Image.fromarray(texture(150, 170)).save(tmp_path / "a.png")
    comparison = compare_with_bicubic(tmp_path / "a.png", UpscaleSpec(models, OutputSize(scale=2)))
    drawn = of(draw_comparison(comparison))
    for panel in (comparison.bicubic, comparison.upscaled):
        squares = np.kron(of(panel), np.ones((3, 3, 1), int))
        places = np.lib.stride_tricks.sliding_window_view(drawn[:, :, 0], 576, axis=1)
        rows = (places == squares[0, :, 0]).all(axis=2)
        (top, *_), (left, *_) = np.nonzero(rows)
        assert_array_equal(drawn[top : top + 432, left : left + 576], squares)
    assert YELLOW in set(map(tuple, drawn.reshape(-1, 3)))
    assert YELLOW not in set(map(tuple, of(comparison.thumbnail).reshape(-1, 3)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (200, 2), (50, 40)])
def test_pictures_smaller_than_the_place(tmp_path, untrained, shape):
    Image.fromarray(texture(*shape)).save(tmp_path / f"{'long ' * 30}.png")
    comparison = compare_with_bicubic(tmp_path / f"{'long ' * 30}.png", untrained)
    height, width = min(2 * shape[0], 144), min(2 * shape[1], 192)
    assert comparison.bicubic.size == comparison.upscaled.size == (width, height)
    write_comparison(tmp_path / "out/c.png", comparison)
    with Image.open(tmp_path / "out/c.png") as drawn:
        drawn.load()
        assert drawn.width > drawn.height
    assert max(framed_thumbnail(comparison, 208).size) <= 300
