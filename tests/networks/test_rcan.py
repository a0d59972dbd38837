import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import RCAN
from drnsr.networks.rcan import ChannelAttentionBlock
from tests.networks.oracles import count


# The weights that the authors of Zhang et al. 2018 published, without the mean-shift layers.
@pytest.mark.parametrize(
    ("scale", "published"), [(2, 15_444_643), (3, 15_629_283), (4, 15_592_355), (8, 15_740_067)]
)
def test_it_has_the_published_number_of_parameters(scale, published):
    with torch.device("meta"):
        network = RCAN(scale=scale)
    assert count(network) == published


def test_a_block_is_the_papers():
    # Zhang et al. 2018, equations 8 to 11.
    block = ChannelAttentionBlock(num_features=6, reduction=3)
    x = torch.rand(2, 6, 4, 5)
    residual = block.conv2(F.relu(block.conv1(x)))
    statistics = F.adaptive_avg_pool2d(residual, 1)
    weights = torch.sigmoid(block.excite(F.relu(block.squeeze(statistics))))
    assert_allclose(block(x).detach(), (x + weights * residual).detach(), atol=1e-6)


def test_a_reduction_to_no_channels_is_refused():
    with pytest.raises(ValueError, match="reduction 16 leaves none of 8 channels"):
        RCAN(scale=2, num_features=8)
