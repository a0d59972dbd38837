"""VGG19's features against the published layout, and against the paper's table."""

import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import VGG19Features

# Where the convolutions stand in the published weights (torchvision's vgg19, `features.N`), and the
# channels that they give.
PUBLISHED = {
    **{0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256},
    **{19: 512, 21: 512, 23: 512, 25: 512, 28: 512, 30: 512, 32: 512, 34: 512},
}


def test_it_takes_the_published_weights_by_name_and_shape():
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in VGG19Features().state_dict().items()}
    expected, channels = {}, 3
    for number, wider in PUBLISHED.items():
        expected[f"features.{number}.weight"] = (wider, channels, 3, 3)
        expected[f"features.{number}.bias"] = (wider,)
        channels = wider
    assert shapes == expected
    # 143,667,240 in the whole published network, 123,642,856 of them in its classifier.
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 20_024_384


def test_it_is_the_papers_network_up_to_the_last_convolution():
    torch.manual_seed(0)
    network = VGG19Features(layers=["conv5_4", "conv2_1"])
    with torch.no_grad():
        assert (
            0.1 < network(torch.rand(1, 3, 32, 32))[0].std() < 10
        )  # of random weights, of use too
        for number in PUBLISHED:
            network.features[number].bias.normal_()
    picture = torch.rand(2, 3, 35, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    x = (picture - mean) / deviation
    weights = network.state_dict()
    for number in PUBLISHED:
        if number in (5, 10, 19, 28):
            x = F.max_pool2d(x, 2, 2)
        x = F.conv2d(
            x, weights[f"features.{number}.weight"], weights[f"features.{number}.bias"], padding=1
        )
        if number == 5:
            conv2_1 = x
        x = x if number == 34 else x.clamp(min=0)
    assert x.shape == (2, 512, 2, 2)
    assert (x < 0).any()  # no activation at the end
    for layer, expected in zip(network(picture), (x, conv2_1), strict=True):
        assert_allclose(layer.detach(), expected, rtol=1e-5, atol=1e-7)


def test_it_ends_with_the_last_layer_that_is_wanted():
    # conv2_2 is the fourth convolution: 64 x 3, 64 x 64, 128 x 64 and 128 x 128 kernels of 3 x 3.
    network = VGG19Features(layers=["conv1_2", "conv2_2"])
    kernels = 9 * (64 * 3 + 64 * 64 + 128 * 64 + 128 * 128)
    assert sum(p.numel() for p in network.parameters()) == kernels + 2 * 64 + 2 * 128
    with pytest.raises(
        ValueError, match=r"layers: \['conv6_1'\] are not among conv1_1, .* conv5_4"
    ):
        VGG19Features(layers=["conv6_1"])
