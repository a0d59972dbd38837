"""Crops at any HR pixel, and expanded kernels, through the stages to a model file."""

import pytest

from drnsr.config.compose import read_resolved
from drnsr.config.schema import recipe
from drnsr.data.prepared import PreparedDataset
from drnsr.networks import DRNSR
from drnsr.weights.loading import load_network


@pytest.mark.slow
def test_a_model_of_expanded_kernels_and_crops_at_any_pixel_is_a_plain_one(project):
    few_steps = {"max_steps": 4, "validate_every": 4, "log_every": 2}
    small = {"num_features": 8, "num_blocks": 1}
    project.choose(
        experiment="smoke",
        set={
            "trainer": few_steps,
            "data": {"crop_grid": "hr"},
            "model": {"kernel_expansion": 2, "network": small},
        },
    )
    project.run_stages("fetch", "prepare", "train")
    training = PreparedDataset.open(project.root / "data/prepared/train")
    assert training.is_dense
    network = load_network(project.root / "models/model.safetensors")
    assert network.state_dict().keys() == DRNSR(scale=2, **small).state_dict().keys()
    (last,) = (project.root / "runs").glob("*/last-*.ckpt")
    for name, tensor in load_network(last).state_dict().items():
        assert (tensor == network.state_dict()[name]).all()
    assert (
        recipe(read_resolved(project.root / "resolved.yaml").model_dump())["kernel_expansion"] == 2
    )

    project.choose(experiment="smoke", set={"trainer": few_steps, "model": {"network": small}})
    project.run_stages("prepare", "train")
    assert not PreparedDataset.open(training.folder).is_dense
    assert not [*training.folder.glob("dense_*")]
