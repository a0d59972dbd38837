import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning.fabric.utilities.distributed import DistributedSamplerWrapper
from numpy.testing import assert_array_equal
from torch.utils.data import DataLoader

from drnsr.data.crops import TrainingCrops, ValidationCrops
from drnsr.data.datamodule import SRDataModule
from drnsr.data.prepared import DataError
from drnsr.degradation.parameters import Degradation
from drnsr.images.resize import downscale


def crops(dataset, **changes):
    arguments = {"patch_sizes": {2: 16}, "batch_size": 8, "num_samples": 64, "seed": 5} | changes
    return TrainingCrops(dataset, **arguments)


def test_sample_k_is_a_function_of_seed_and_k(dataset):
    forward = [crops(dataset)[k] for k in range(20)]
    one = crops(dataset)
    for k in reversed(range(20)):
        for mine, theirs in zip(one[k], forward[k], strict=True):
            assert_array_equal(mine, theirs)


@pytest.mark.parametrize("weight_by", ["images", "pixels"])
def test_workers_change_nothing(dataset, weight_by):
    here = list(DataLoader(crops(dataset, weight_by=weight_by), batch_size=8))
    elsewhere = list(DataLoader(crops(dataset, weight_by=weight_by), batch_size=8, num_workers=2))
    for (lr, hr), (lr2, hr2) in zip(here, elsewhere, strict=True):
        assert_array_equal(lr, lr2)
        assert_array_equal(hr, hr2)


def test_samples_differ_and_the_seed_matters(dataset):
    def distinct(dataset):
        return {dataset[k][1].numpy().tobytes() for k in range(64)}

    first = distinct(crops(dataset))
    assert len(first) > 60
    assert not first & distinct(crops(dataset, seed=6))


def digests(batches):
    """Return a hash of each sample of some batches, in their order."""
    return [
        hashlib.sha256(lr.numpy().tobytes() + hr.numpy().tobytes()).hexdigest()
        for lrs, hrs in batches
        for lr, hr in zip(lrs, hrs, strict=True)
    ]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**63),
    batch_size=st.integers(1, 7),
    batches=st.integers(1, 5),
    weight_by=st.sampled_from(["images", "pixels"]),
    data=st.data(),
)
def test_an_interrupted_or_distributed_run_has_the_same_samples(
    dataset, seed, batch_size, batches, weight_by, data
):
    total = batches * batch_size
    stream = {"seed": seed, "batch_size": batch_size, "weight_by": weight_by}
    dataset = crops(dataset, num_samples=total, **stream)
    whole = digests(DataLoader(dataset, batch_size=batch_size))

    gone_on_at = batch_size * data.draw(st.integers(0, batches), "batches before the interruption")
    rest = range(gone_on_at, total)
    before = DataLoader(dataset, batch_size=batch_size, sampler=range(gone_on_at))
    assert digests(before) + digests(DataLoader(dataset, batch_size=3, sampler=rest)) == whole

    devices = data.draw(st.integers(1, 4), "devices")
    shares = [
        digests(
            DataLoader(
                dataset,
                batch_size=batch_size,
                # What Lightning puts around our sampler on several devices.
                sampler=DistributedSamplerWrapper(
                    range(total), num_replicas=devices, rank=rank, shuffle=False, drop_last=True
                ),
            )
        )
        for rank in range(devices)
    ]
    together = [sample for group in zip(*shares, strict=True) for sample in group]
    assert together == whole[: len(together)]
    assert len(together) > total - devices


def test_a_longer_run_begins_as_a_shorter_one(dataset):
    for short, long in zip(crops(dataset)[3], crops(dataset, num_samples=1000)[3], strict=True):
        assert_array_equal(short, long)


@pytest.mark.parametrize("scale", [2, 3])
def test_lr_is_downscaled_hr_in_every_symmetry(dataset, scale):
    for k in range(16):
        lr, hr = (t.permute(1, 2, 0).numpy() for t in crops(dataset, patch_sizes={scale: 20})[k])
        assert (lr.shape, hr.shape) == ((20, 20, 3), (20 * scale, 20 * scale, 3))
        # The vertical pass comes first and is rounded: in a symmetry that swaps the axes, the
        # pair is exact on its side.
        assert _shrinks_to(hr, lr, scale) or _shrinks_to(
            hr.transpose(1, 0, 2), lr.transpose(1, 0, 2), scale
        )


def _shrinks_to(hr, lr, scale):
    # Not at the crop's border, where the kernel saw pixels that the crop does not have.
    inside = slice(3, -3)
    return np.array_equal(downscale(hr, scale)[inside, inside], lr[inside, inside])


def test_all_eight_symmetries_occur(dataset):
    originals = [dataset.hr(n) for n, image in enumerate(dataset.images) if image.split == "train"]
    found = set()
    for k in range(64):
        hr = crops(dataset)[k][1].permute(1, 2, 0).numpy()
        for number in range(8):
            turned = np.rot90(hr if number < 4 else hr.transpose(1, 0, 2), number % 4)
            if any(_contains(original, turned) for original in originals):
                found.add(number)
                break
    assert found == set(range(8))


def _contains(picture, crop):
    windows = np.lib.stride_tricks.sliding_window_view(picture[:, :, 0], crop.shape[:2])
    first = windows[:, :, 0, 0] == crop[0, 0, 0]
    return any(
        np.array_equal(picture[y : y + crop.shape[0], x : x + crop.shape[1]], crop)
        for y, x in zip(*np.nonzero(first), strict=True)
    )


def test_crops_of_a_dense_dataset_begin_at_any_hr_pixel(dense_dataset):
    dataset = crops(dense_dataset, patch_sizes={3: 12}, num_samples=60)
    phases = set()
    for k in range(60):
        lr, hr = (each.permute(1, 2, 0).numpy() for each in dataset[k])
        # The LR of the HR crop alone, but for its border, and for the order of rows and columns, of
        # which the first to be resized is rounded.
        alone = downscale(np.ascontiguousarray(hr), 3).astype(int)
        assert np.abs(lr[2:-2, 2:-2] - alone[2:-2, 2:-2]).mean() < 1
        draw = dataset.draws.draw(k, 3)
        phases.add((draw.top % 3, draw.left % 3))
    assert len(phases) == 9


def test_validation_crops_of_a_dense_dataset_are_as_without(dataset, dense_dataset):
    mine, theirs = (
        ValidationCrops(each, scale=3, crop_size=9)[0] for each in (dense_dataset, dataset)
    )
    for one, other in zip(mine, theirs, strict=True):
        assert_array_equal(one, other)


def test_degraded_crops_of_a_dense_dataset_show_the_same_place(dense_dataset):
    """Noise changes them by a level; another place has another texture."""
    plain = crops(dense_dataset, num_samples=40)
    degraded = crops(dense_dataset, num_samples=40, degradation=SLIGHT)
    for k in range(40):
        (lr, hr), (worse, same) = plain[k], degraded[k]
        assert_array_equal(hr, same)
        difference = np.abs(lr.numpy().astype(float) - worse.numpy())
        assert 0 < difference.mean() < 2


def test_validation_crops_are_the_middle_of_withheld_pictures(dataset):
    (number,) = (n for n, image in enumerate(dataset.images) if image.split == "validation")
    validation = ValidationCrops(dataset, scale=2, crop_size=10)
    assert len(validation) == 1
    lr, hr = (t.permute(1, 2, 0).numpy() for t in validation[0])
    whole = dataset.lr(number, 2)
    top, left = (whole.shape[0] - 10) // 2, (whole.shape[1] - 10) // 2
    assert_array_equal(lr, whole[top : top + 10, left : left + 10])
    assert_array_equal(hr, dataset.hr(number)[2 * top : 2 * top + 20, 2 * left : 2 * left + 20])


def test_all_pictures_smaller_than_a_crop_are_named(dataset):
    small = [image for image in dataset.images if image.split == "train"][:2]
    side = max(min(image.height, image.width) for image in small)
    with pytest.raises(DataError, match=r"are smaller than one training crop") as caught:
        crops(dataset, patch_sizes={2: 1, 3: side})
    for image in small:
        assert f"{image.name} ({image.width} x {image.height})" in str(caught.value)
    assert "prepare.bad_images=skip" in str(caught.value)


def test_pictures_smaller_than_a_crop_can_be_left_out(dataset, caplog):
    left = crops(dataset, patch_sizes={2: 49}, bad_images="skip")
    assert "skipped: 1 of 3 training pictures" in caplog.text
    assert "picture0.png (100 x 96)" in caplog.text
    others = [n for n, image in enumerate(dataset.images) if image.split == "train"]
    others.remove(next(n for n, image in enumerate(dataset.images) if image.name == "picture0.png"))
    for k in range(8):
        hr = left[k][1].permute(1, 2, 0).numpy()
        turned = [
            np.rot90(side, number) for side in (hr, hr.transpose(1, 0, 2)) for number in range(4)
        ]
        assert any(_contains(dataset.hr(n), each) for n in others for each in turned)
    with pytest.raises(DataError, match="3 of 3 training pictures are smaller"):
        crops(dataset, patch_sizes={2: 500}, bad_images="skip")


def test_a_scale_that_was_not_prepared_is_named(dataset):
    with pytest.raises(DataError, match=r"has the scales \[2, 3\], not 4"):
        crops(dataset, patch_sizes={4: 16})


# Noise of one gray level, and nothing else.
NOISE = {
    "probability": 1.0,
    "gaussian_noise_prob": 1.0,
    "noise_range": [1.0, 1.0],
    "poisson_scale_range": [0.0, 0.0],
    "gray_noise_prob": 0.0,
}
SLIGHT = Degradation(
    name="slight",
    rounds=[{"blur": None, "resize": None, "noise": NOISE, "jpeg": None}],
    final=None,
    clean_prob=0.0,
    margin=8,
    seed=0,
)


MIXED = {2: 20, 3: 14}


def scales(dataset, batches, batch_size=8):
    """Return the scale of each batch, and check that its samples share it."""
    found = []
    for batch in range(batches):
        sizes = {
            tuple(t.shape[1] for t in dataset[batch * batch_size + n]) for n in range(batch_size)
        }
        ((low, high),) = sizes
        assert high % low == 0
        assert low == MIXED[high // low]
        found.append(high // low)
    return found


def test_a_batch_has_one_scale_and_all_occur_equally_often(dataset):
    found = scales(crops(dataset, patch_sizes=MIXED, num_samples=10_000), 200)
    # Within three standard deviations of a fair coin.
    assert abs(found.count(2) - 100) < 3 * (200 * 0.25) ** 0.5
    assert found[:100] != found[100:]


def test_the_scale_of_a_batch_is_a_function_of_seed_and_number(dataset):
    mixed = crops(dataset, patch_sizes=MIXED, num_samples=10_000)
    again = crops(dataset, patch_sizes=MIXED, num_samples=400)
    for k in (333, 8, 15):
        for mine, theirs in zip(mixed[k], again[k], strict=True):
            assert_array_equal(mine, theirs)
    other = crops(dataset, patch_sizes=MIXED, num_samples=400, seed=6)
    assert scales(mixed, 20) != scales(other, 20)


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ({"patch_size": 12}, {2: 12, 3: 12}),
        ({"patch_size": None, "hr_patch_size": 41}, {2: 20, 3: 14}),  # 40 and 42 in HR
    ],
)
def test_the_size_of_a_crop_is_that_of_lr_or_of_hr(dataset, size, sides):
    data = SRDataModule(
        dataset,
        scale=2,
        scales=[2, 3],
        **size,
        batch_size=4,
        validation_crop=40,
        workers=0,
        max_steps=20,
        seed=0,
    )
    seen = {hr.shape[3] // lr.shape[3]: lr.shape[3] for lr, hr in data.train_dataloader()}
    assert seen == sides
