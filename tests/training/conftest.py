"""What the trainings are tried on."""

import pytest

from drnsr.data.packing import pack_training_set


@pytest.fixture
def pack(picture_folder, tmp_path):
    return pack_training_set(
        sorted(picture_folder.iterdir()),
        tmp_path / "pack",
        name="mine",
        scales=[2],
        validation_fraction=0.25,
    )
