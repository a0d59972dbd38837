import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import MDSR
from tests.networks.oracles import count


# The authors' code (EDSR-PyTorch), without the mean-shift layers.
@pytest.mark.parametrize(("blocks", "published"), [(16, 3_227_203), (80, 7_953_987)])
def test_it_has_the_published_number_of_parameters(blocks, published):
    with torch.device("meta"):
        network = MDSR(scales=[2, 3, 4], num_blocks=blocks)
    assert count(network) == published


def test_it_is_the_papers_figure_5():
    network = MDSR(scales=[2, 3], num_features=4, num_blocks=1)
    weights = network.state_dict()

    def conv(name, x):
        weight = weights[f"{name}.weight"]
        return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[2] // 2)

    def block(name, x):
        return x + conv(f"{name}.conv2", F.relu(conv(f"{name}.conv1", x)))

    lr = torch.rand(1, 3, 6, 7)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    shallow = conv("head", lr * 255 - mean * 255)
    shallow = block("pre.3.1", block("pre.3.0", shallow))
    assert weights["pre.3.1.conv2.weight"].shape == (4, 4, 5, 5)
    deep = shallow + conv("body_end", block("body.0", shallow))
    enlarged = F.pixel_shuffle(conv("upsampler.3.0", deep), 3)
    expected = (conv("tail", enlarged) + mean * 255) / 255
    with torch.no_grad():
        assert_allclose(network.upscale(lr, 3), expected, atol=1e-5)
