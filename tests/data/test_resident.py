"""Crops that a device cuts from its own memory equal those of the CPU, bit for bit."""

import albumentations as A
import numpy as np
import pytest
import tifffile
import torch
from numpy.testing import assert_array_equal

from drnsr.data.crops import TrainingCrops, apply_symmetry
from drnsr.data.draws import Draws
from drnsr.data.pixels import Pixels
from drnsr.data.prepare import Part, prepare_training_set
from drnsr.data.readers import make_reader
from drnsr.data.resident import CropPositions, ResidentPixels
from drnsr.images.encoding import write_png
from tests.conftest import texture
from tests.training.runs import datamodule, run_outputs, train

CPU = torch.device("cpu")
SIZES = {2: 16, 3: 11}
STREAM = {"batch_size": 8, "seed": 5}


@pytest.mark.parametrize("weight_by", ["images", "pixels"])
@pytest.mark.parametrize("grid", ["dataset", "dense_dataset"])
def test_crops_cut_at_positions_are_those_of_the_dataset(request, grid, weight_by):
    dataset = request.getfixturevalue(grid)
    crops = TrainingCrops(
        dataset, patch_sizes=SIZES, num_samples=400, weight_by=weight_by, **STREAM
    )
    positions = CropPositions(dataset, patch_sizes=SIZES, draws=crops.draws)
    pixels = ResidentPixels(dataset, patch_sizes=SIZES, device=CPU)
    scales = set()
    for first in range(0, 400, 8):
        numbers = range(first, first + 8)
        batch = positions.batch(numbers)
        scales.add(batch.scale)
        cut = pixels.cut(batch)
        for place, k in enumerate(numbers):
            for mine, theirs in zip(cut, crops[k], strict=True):
                assert_array_equal(mine[place], theirs)
    assert scales == {2, 3}


@pytest.mark.parametrize("bands", [1, 4, 20])
def test_crops_of_sixteen_bits_keep_every_bit_in_every_symmetry(tmp_path, bands):
    names = [f"band{n}" for n in range(bands)]
    reader, random = make_reader(Pixels(bands=names)), np.random.default_rng(0)
    for n in range(2):
        pixels = random.integers(0, 2**16, (36, 40, bands), np.uint16)
        tifffile.imwrite(tmp_path / f"{n}.tif", np.moveaxis(pixels, 2, 0).squeeze())
    parts = [Part([tmp_path / "0.tif", tmp_path / "1.tif"], 0.5)]
    made = prepare_training_set(parts, tmp_path / "out", name="b", scales=[2], reader=reader)
    sizes, (training,) = {2: 16}, [n for n in range(2) if made.images[n].split == "train"]
    crops = TrainingCrops(made, patch_sizes=sizes, num_samples=64, **STREAM)
    positions = CropPositions(made, patch_sizes=sizes, draws=crops.draws)
    resident = ResidentPixels(made, patch_sizes=sizes, device=CPU)
    for k in range(64):
        lr, hr = crops[k]
        for mine, theirs in zip(resident.cut(positions.batch([k])), (lr, hr), strict=True):
            assert mine.dtype == theirs.dtype == torch.uint16
            assert_array_equal(mine[0], theirs)
        _, top, left, symmetry = crops.draws.draw(k, 2)
        row, column = top // 2, left // 2
        crop = made.lr(training, 2)[row : row + 16, column : column + 16]
        assert_array_equal(lr.permute(1, 2, 0), apply_symmetry(crop, symmetry))


def test_a_draw_is_what_numpy_and_albumentations_draw_from_its_counter(dataset):
    """Each library has its own generator, as in its documentation."""
    training = [n for n, image in enumerate(dataset.images) if image.split == "train"]
    draws = Draws(dataset, training, patch_sizes={2: 16}, **STREAM)
    symmetry = A.D4()
    seen = set()
    for k in (0, 3, 1, 3, 77, *range(200, 260)):
        random = np.random.Generator(np.random.Philox(key=5, counter=k << 64))
        number = training[random.integers(len(training))]
        rows, columns, _ = dataset.lr(number, 2).shape
        top, left = (2 * int(random.integers(side - 16 + 1)) for side in (rows, columns))
        symmetry.set_random_seed(int(random.integers(2**31)))
        grid = np.arange(36, dtype=np.uint8).reshape(6, 6)
        drawn = draws.draw(k, 2)
        assert (drawn.picture, drawn.top, drawn.left) == (number, top, left)
        assert_array_equal(
            apply_symmetry(grid, drawn.symmetry), symmetry.apply(grid, **symmetry.get_params())
        )
        seen.add(drawn.symmetry)
    assert seen == set(range(8))


def test_pictures_are_drawn_in_proportion_to_their_pixels(tmp_path):
    """The shares are those of the areas, and the rest of a draw is as without weights."""
    sizes = [(32, 40), (64, 80), (16, 40), (96, 80)]
    for number, size in enumerate(sizes):
        write_png(tmp_path / f"{number}.png", texture(*size, seed=number))
    parts = [Part(sorted(tmp_path.glob("*.png")), "3.png")]
    dataset = prepare_training_set(parts, tmp_path / "dataset", name="sizes", scales=[2])
    numbers = [0, 1, 2]  # the last one is for validation
    draws = Draws(dataset, numbers, patch_sizes={2: 8}, weight_by="pixels", **STREAM)
    drawn = [draws.draw(k, 2) for k in range(4000)]
    areas = np.array([height * width for height, width in sizes[:3]])
    shares = areas / areas.sum()
    counts = np.bincount([each.picture for each in drawn], minlength=3)
    spread = np.sqrt(4000 * shares * (1 - shares))
    assert (abs(counts - 4000 * shares) < 3.5 * spread).all()
    assert draws.draw(17, 2) == drawn[17]  # whatever was drawn before
    for k in (0, 5, 1234):  # by numpy alone, as in its documentation
        random = np.random.Generator(np.random.Philox(key=5, counter=k << 64))
        pixel = random.integers(areas.sum())
        picture = next(n for n in numbers if pixel < areas[: n + 1].sum())
        rows, columns = (side // 2 for side in sizes[picture])
        place = tuple(2 * int(random.integers(side - 8 + 1)) for side in (rows, columns))
        assert drawn[k][:3] == (picture, *place)


@pytest.mark.parametrize("workers", [0, 2])
def test_training_with_resident_pixels_gives_the_same_bits(dataset, tmp_path, monkeypatch, workers):
    usual = run_outputs(train(dataset, tmp_path / "usual"), tmp_path / "usual")
    monkeypatch.setattr("drnsr.data.datamodule.fits", lambda *_: True)
    folder = tmp_path / "resident"
    assert run_outputs(train(dataset, folder, workers=workers), folder) == usual


def test_pixels_stay_on_the_cpu_if_the_device_has_no_memory_of_its_own(dataset):
    data = datamodule(dataset, max_steps=2)
    lr, hr = next(iter(data.train_dataloader()))
    assert (lr.device.type, lr.shape, hr.shape) == ("cpu", (4, 3, 12, 12), (4, 3, 24, 24))
