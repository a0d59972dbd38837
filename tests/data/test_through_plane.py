"""Slices of a volume that are made coarse along one axis, to train on."""

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from drnsr.data.draws import Draws
from drnsr.data.prepared import DataError, PackedImage, PreparedDataset
from drnsr.data.through_plane import write_slices
from drnsr.errors import UserError
from drnsr.images.files import read_image


def save(path, values):
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), np.eye(4)), path)
    return path


def test_each_slice_is_coarse_along_one_axis(tmp_path):
    """A linear volume stays linear under averages and interpolation, so all pixels are known."""
    x, y, z = np.ogrid[:41, :36, :24]
    values = x * 20 + y * 10 + z * 2 + 5
    values[:, :, :4] = 0  # empty slices are left out
    volume = save(tmp_path / "a.nii.gz", values)
    write_slices(volume, tmp_path / "training", tmp_path / "benchmark", scale=2)
    names = {path.name for path in (tmp_path / "training/hr").iterdir()}
    assert names == {path.name for path in (tmp_path / "training/lr_x2").iterdir()}
    trained = sorted({int(name[:4]) for name in names})
    withheld = sorted({int(path.name[:4]) for path in (tmp_path / "benchmark").iterdir()})
    assert trained == list(range(4, 19))
    assert withheld == list(range(20, 24))  # there is a slice between both
    high = read_image(tmp_path / "training/hr/0010_rows.png")[:, :, 0]
    low = read_image(tmp_path / "training/lr_x2/0010_rows.png")[:, :, 0]
    assert (high.shape, low.shape) == ((36, 82), (18, 41))
    seen = values[:, :, 10].T / values.max() * 255
    assert_allclose(low, seen.reshape(18, 2, 41).mean(axis=1), atol=1)
    places = (np.arange(82) + 0.5) / 2 - 0.5
    wide = np.array([np.interp(places, np.arange(41), row) for row in seen])
    assert_allclose(high[:, 4:-4], wide[:, 4:-4], atol=1)
    other = read_image(tmp_path / "training/lr_x2/0010_columns.png")[:, :, 0]
    assert_allclose(other, seen.T[:40].reshape(20, 2, 36).mean(axis=1), atol=1)


def test_what_is_no_volume_or_too_small_is_refused(tmp_path):
    small = save(tmp_path / "small.nii", np.arange(8 * 8 * 8).reshape(8, 8, 8))
    with pytest.raises(DataError, match=r"8 x 8 x 8 voxels are too few"):
        write_slices(small, tmp_path / "a", tmp_path / "b", scale=2)
    with pytest.raises(UserError, match="missing"):
        write_slices(tmp_path / "missing.nii", tmp_path / "a", tmp_path / "b", scale=2)


def test_rows_stay_rows(tmp_path):
    image = PackedImage("a", "", 64, 64, 3, "train")
    dataset = PreparedDataset(tmp_path, "a", [2], [image], {})
    arguments = {"patch_sizes": {2: 8}, "batch_size": 4, "seed": 0}
    draws = Draws(dataset, [0], **arguments, turns=False)
    free = Draws(dataset, [0], **arguments)
    drawn = [draws.draw(k, 2) for k in range(100)]
    assert {each.symmetry for each in drawn} == {0, 2, 4, 6}
    places = [(each.top, each.left) for each in drawn]
    expected = [free.draw(k, 2) for k in range(100)]
    assert_array_equal(places, [(each.top, each.left) for each in expected])
