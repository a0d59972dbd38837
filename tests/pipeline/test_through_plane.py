"""The experiment on a volume, as docs/volumes.md has it: trained on its slices, enlarged across."""

import json

import nibabel
import numpy as np
import pytest


@pytest.mark.slow
def test_a_volume_is_trained_on_and_enlarged_across_its_slices(another):
    x, y, z = np.ogrid[:64, :64, :24]
    values = 500 + 200 * np.sin(x / 3 + z / 4) + 200 * np.cos(y / 4 - z / 3)
    before = nibabel.Nifti1Image(values.astype(np.int16), np.diag([1.0, 1, 2, 1]))
    nibabel.save(before, another.root / "brain.nii.gz")
    another.call(
        *("pipelines.train", "experiment=through_plane", "image=brain.nii.gz", "logger=none"),
        *("trainer.max_steps=20", "trainer.validate_every=20", "hydra.run.dir=run"),
        *("model.network.num_features=8", "model.network.num_blocks=1", "scheduler.warmup_steps=2"),
    )
    content = json.loads((another.root / "run/metrics/benchmark.json").read_text())
    assert content["single"]["model"]["psnr"] > 20
    another.call(
        *("drnsr", "upscale", "brain.nii.gz", "--model", "run/models/model.safetensors"),
        *("--axes", "through-plane", "--out", "enlarged"),
    )
    after = nibabel.load(another.root / "enlarged/brain_x2z.nii.gz")
    assert after.shape == (64, 64, 48)
    np.testing.assert_allclose(after.header.get_zooms(), 1)
    # The function is smooth: a network that is nearly bicubic follows it between the slices.
    between = (np.arange(48) + 0.5) / 2 - 0.5
    expected = 500 + 200 * np.sin(x / 3 + between / 4) + 200 * np.cos(y / 4 - between / 3)
    error = np.asarray(after.dataobj)[4:-4, 4:-4, 4:-4] - expected[4:-4, 4:-4, 4:-4]
    assert np.sqrt((error**2).mean()) < 20
