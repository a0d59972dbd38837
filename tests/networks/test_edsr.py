import pytest
import torch

from drnsr.networks import EDSR
from tests.networks.oracles import count


# Lim et al. 2017 and the weights that its authors published, without the mean-shift layers.
@pytest.mark.parametrize(
    ("blocks", "features", "scale", "published"),
    [
        (16, 64, 2, 1_369_859),
        (16, 64, 3, 1_554_499),
        (16, 64, 4, 1_517_571),
        (16, 64, 8, 1_665_283),
        (32, 256, 2, 40_729_603),
        (32, 256, 3, 43_680_003),
        (32, 256, 4, 43_089_923),
    ],
)
def test_it_has_the_published_number_of_parameters(blocks, features, scale, published):
    with torch.device("meta"):
        network = EDSR(scale=scale, num_blocks=blocks, num_features=features)
    assert count(network) == published


def test_a_scale_without_upsampler_is_refused():
    with pytest.raises(ValueError, match="scale 6 is neither 3 nor a power of two"):
        EDSR(scale=6)
