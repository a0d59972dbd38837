"""The size of a network against what papers state."""

from drnsr.networks.edsr import EDSR
from drnsr.networks.size import describe_size


def test_the_stated_size_of_edsr_baseline():
    # Zhang et al. 2021 (aligned structured sparsity learning), the caption of table 1: 1,369.9 K
    # parameters and 316.3 G for an output of 1280 x 720.
    text = describe_size(EDSR(scale=2), 2)
    assert text == "1,369,859 parameters, 316 G multiply-adds for 1280 x 720 pixels"
