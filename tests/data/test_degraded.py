"""Degraded crops and pictures: always the same, and without artefacts at their borders."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from torch.utils.data import DataLoader

from drnsr.config.compose import load_option
from drnsr.data.crops import TrainingCrops, ValidationCrops
from drnsr.data.degraded import Region, degrade_crop, degrade_picture
from drnsr.data.prepare import Part, prepare_benchmark, prepare_training_set
from drnsr.degradation.parameters import Degradation
from drnsr.images.resize import crop_to_multiple, downscale
from tests.conftest import texture, with_values
from tests.training.runs import datamodule

DEGRADATIONS = {
    name: Degradation(**load_option("degradation", name)) for name in ("realistic", "second_order")
}
REALISTIC = DEGRADATIONS["realistic"]
BLUR = {
    "probability": 1.0,
    "kernel_size": [9, 9],
    "kernel_prob": {"iso": 1.0},
    "sinc_prob": 0.0,
    "blur_sigma": [1.5, 1.5],
    "betag_range": [1.0, 1.0],
    "betap_range": [1.0, 1.0],
}


def one_round(**stages):
    """Realistic with these stages and no others."""
    round_ = dict.fromkeys(("blur", "resize", "noise", "jpeg")) | stages
    return Degradation(**REALISTIC.model_dump() | {"rounds": [round_]})


def crops(dataset, degradation, sizes=None):
    return TrainingCrops(
        dataset,
        patch_sizes=sizes or {2: 16, 3: 12},
        batch_size=4,
        num_samples=24,
        seed=5,
        degradation=degradation,
    )


def arrays(batches):
    return [(lr.numpy(), hr.numpy()) for lr, hr in batches]


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_sample_k_is_the_same_in_any_order_process_and_share(dataset, name):
    made = crops(dataset, DEGRADATIONS[name])
    whole = arrays(made.batch(range(first, first + 4)) for first in range(0, 24, 4))
    elsewhere = arrays(DataLoader(range(24), batch_size=4, num_workers=2, collate_fn=made.batch))
    backwards = arrays(made.batch(range(first, first + 4)) for first in (20, 8))  # as if resumed
    halves = arrays(made.batch([k, k + 1]) for k in range(0, 24, 2))  # of two processes
    for number, (lr, hr) in enumerate(whole):
        for mine, theirs in ((lr, 0), (hr, 1)):
            assert_array_equal(elsewhere[number][theirs], mine)
            shares = halves[2 * number][theirs], halves[2 * number + 1][theirs]
            assert_array_equal(np.concatenate(shares), mine)
    assert_array_equal(backwards[0][0], whole[5][0])
    assert_array_equal(backwards[1][0], whole[2][0])
    assert len({lr.tobytes() for batch, _ in whole for lr in batch}) == 24


def test_a_degradation_changes_lr_alone_and_may_leave_samples_clean(dataset):
    clean, degraded = (crops(dataset, each) for each in (None, REALISTIC))
    half = crops(dataset, with_values(REALISTIC, {"clean_prob": 0.5}))
    same = {"degraded": 0, "half": 0}
    for k in range(24):
        for name, made in (("degraded", degraded), ("half", half)):
            assert_array_equal(made.batch([k])[1], clean.batch([k])[1])
            same[name] += bool((made.batch([k])[0] == clean.batch([k])[0]).all())
    assert same["degraded"] == 0
    assert 5 <= same["half"] <= 19  # 12 are expected, with a deviation of 2.4


def test_without_stages_it_is_bicubic():
    picture = texture(60, 48) // 2 + 60  # MATLAB also clips and rounds after its first pass
    for scale in (2, 3, 4):
        nothing = degrade_picture(picture, scale, one_round())
        difference = nothing.astype(int) - downscale(picture, scale)
        assert np.abs(difference).max() <= 1
        assert (difference == 0).mean() > 0.8


def test_a_crop_with_its_margin_has_the_pixels_of_the_whole_picture():
    picture = texture(120, 150)
    blur = one_round(blur=BLUR)
    whole = degrade_picture(picture, 3, blur).astype(int)
    for top, left in ((0, 0), (12, 15), (24, 34)):
        crop = degrade_crop(picture, 3, Region(top, left, 16), blur, np.random.default_rng(1))
        assert np.abs(crop - whole[top : top + 16, left : left + 16]).max() <= 1
    bare = with_values(blur, {"margin": 0})
    crop = degrade_crop(picture, 3, Region(12, 15, 16), bare, np.random.default_rng(1))
    assert np.abs(crop - whole[12:28, 15:31]).max() > 5  # what the margin is for


def prepared(folder, pictures, degradation):
    return prepare_training_set(
        [Part(pictures, 0.25)],
        folder,
        name="mine",
        scales=[2, 3],
        degradation=degradation,
    )


def test_validation_pictures_are_degraded_by_seed_and_content(picture_folder, tmp_path):
    pictures = sorted(picture_folder.iterdir())
    found = prepared(tmp_path / "one", pictures, REALISTIC)
    again = prepared(tmp_path / "again", pictures[::-1], REALISTIC)
    other = prepared(tmp_path / "other", pictures, with_values(REALISTIC, {"seed": 1}))
    found.verify()
    assert Degradation(**found.degradation) == REALISTIC
    chosen = [n for n, image in enumerate(found.images) if image.split == "validation"]
    assert len(chosen) == 1
    for n, image in enumerate(found.images):
        for scale in (2, 3):
            exact = downscale(crop_to_multiple(found.hr(n), scale), scale)
            assert (found.lr(n, scale) == exact).all() == (n not in chosen)
            twin = [each.sha256 for each in again.images].index(image.sha256)
            assert_array_equal(again.lr(twin, scale), found.lr(n, scale))
            assert (other.lr(n, scale) == found.lr(n, scale)).all() == (n not in chosen)
    lr, hr = ValidationCrops(found, scale=3, crop_size=20)[0]
    assert (lr.shape, hr.shape) == ((3, 20, 20), (3, 60, 60))


def test_a_gray_picture_of_a_benchmark_stays_gray(picture_folder, tmp_path):
    pictures = sorted(picture_folder.iterdir())
    for name, degradation in DEGRADATIONS.items():
        dataset = prepare_benchmark(
            pictures, tmp_path / name, name="mine", degradation=degradation, scales=[4]
        )
        shapes = [dataset.lr(n, 4).shape for n in range(4)]
        assert shapes == [(24, 25, 3), (24, 25, 3), (25, 25, 3), (25, 25, 1)]


def test_crops_that_are_degraded_are_made_on_the_cpu(dataset, monkeypatch):
    monkeypatch.setattr("drnsr.data.datamodule.fits", lambda *_: True)
    data = datamodule(dataset, max_steps=2, degradation=REALISTIC)
    lr, hr = next(iter(data.train_dataloader()))
    assert (lr.shape, hr.shape) == ((4, 3, 12, 12), (4, 3, 24, 24))
