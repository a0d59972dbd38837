import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import VDSR
from tests.networks.oracles import count, matlab_bicubic


# With biases as the paper has it; without, as the weights of pytorch-vdsr; on RGB, as torchSR.
@pytest.mark.parametrize(
    ("options", "published"),
    [({}, 665_921), ({"bias": False}, 664_704), ({"colour": "RGB"}, 668_227)],
)
def test_it_has_the_published_number_of_parameters(options, published):
    assert count(VDSR(scales=[2, 3, 4], **options)) == published


# pytorch-vdsr: the variance is 2 / n, n being the kernel's 9 pixels times the output channels.
@pytest.mark.parametrize(("colour", "channels"), [("Y", 1), ("RGB", 3)])
def test_it_starts_from_the_published_distribution(colour, channels):
    torch.manual_seed(0)
    layers = VDSR(scales=[2], colour=colour).layers
    for layer in layers:
        out = channels if layer is layers[-1] else 64
        std = (2 / (9 * out)) ** 0.5  # 0.059 inside, 0.47 in the last layer of luma
        # A sample of n has a standard deviation that is off by about 1 / sqrt(2n).
        slack = 4 / (2 * layer.weight.numel()) ** 0.5
        assert layer.weight.detach().std().item() == pytest.approx(std, rel=slack)
        assert abs(layer.weight.detach().mean().item()) < 4 * std / layer.weight.numel() ** 0.5
        assert not layer.bias.any()


@pytest.mark.parametrize("colour", ["Y", "RGB"])
def test_it_is_plain_convolutions_on_the_bicubic_enlargement(colour):
    network = VDSR(scales=[2, 3], colour=colour, num_features=4, num_layers=3, border="mirror")
    for layer in network.layers:
        torch.nn.init.normal_(layer.bias)
    lr = torch.rand(1, 3 if colour == "RGB" else 1, 6, 7)
    bicubic = matlab_bicubic(lr, 3, "mirror")
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1) if colour == "RGB" else 0
    x = bicubic - mean
    weights = network.state_dict()
    for number in range(3):
        x = F.relu(x) if number else x
        name = f"layers.{number}"
        x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)
    with torch.no_grad():
        assert_allclose(network.upscale(lr, 3), bicubic + x, atol=1e-5)
