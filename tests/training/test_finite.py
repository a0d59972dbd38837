"""What becomes of a run whose loss explodes."""

import pytest
import torch

from drnsr.training.finite import LossError
from drnsr.training.module import PixelTraining
from tests.training.runs import against_a_discriminator, train


def diverging(parameters):
    return torch.optim.SGD(parameters, lr=1e12)


@pytest.mark.parametrize("training", [PixelTraining, against_a_discriminator])
def test_a_loss_that_is_no_number_names_the_step_and_its_samples(pack, tmp_path, training):
    with pytest.raises(LossError, match=r"the loss of step (\d+) is (nan|inf)") as caught:
        train(pack, tmp_path, training=training, optimizer=diverging, steps=40)
    step = int(str(caught.value).split("step ")[1].split()[0])
    assert f"(samples {4 * (step - 1)} to {4 * step - 1})" in str(caught.value)
