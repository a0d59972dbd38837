import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose

from drnsr.networks import UNetDiscriminator, VGGDiscriminator
from tests.networks.oracles import count


# BasicSR's code, whose discriminator is for these two sizes.
@pytest.mark.parametrize(("size", "published"), [(128, 14_499_401), (256, 21_055_049)])
def test_it_has_the_published_number_of_parameters(size, published):
    with torch.device("meta"):
        assert count(VGGDiscriminator(input_size=size)) == published


def test_both_published_sizes_are_halved_to_4_pixels():
    for size in (128, 256):
        judge = VGGDiscriminator(input_size=size, num_features=1)
        assert judge.features(torch.rand(1, 3, size, size)).shape == (1, 8, 4, 4)
        assert judge(torch.rand(1, 3, size, size)).shape == (1, 1)


def test_it_is_the_papers_layers():
    torch.manual_seed(0)
    judge = VGGDiscriminator(input_size=64, num_features=2).eval()
    x = pictures = torch.rand(3, 3, 64, 64)
    # Five stages of a 3 x 3 and a halving 4 x 4; an untouched norm only divides by sqrt(1 + eps).
    convs = [layer for layer in judge.features if isinstance(layer, torch.nn.Conv2d)]
    assert [tuple(conv.weight.shape[2:]) for conv in convs] == [(3, 3), (4, 4)] * 5
    assert [conv.out_channels for conv in convs] == [2, 2, 4, 4, 8, 8, 16, 16, 16, 16]
    for number, conv in enumerate(convs):
        x = F.conv2d(x, conv.weight, conv.bias, stride=number % 2 + 1, padding=1)
        x = F.leaky_relu(x / (1 + 1e-5) ** 0.5 if number else x, 0.2)
    assert x.shape == (3, 16, 2, 2)
    x = F.leaky_relu(F.linear(x.flatten(1), judge.linear1.weight, judge.linear1.bias), 0.2)
    expected = F.linear(x, judge.linear2.weight, judge.linear2.bias)
    with torch.no_grad():
        assert_allclose(judge(pictures), expected, atol=1e-6)


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="input_size: 100 is not a multiple of 32"):
        VGGDiscriminator(input_size=100)
    with pytest.raises(ValueError, match="input_size: 288 is not a multiple of 64"):
        VGGDiscriminator(input_size=288)
    with pytest.raises(ValueError, match="judges 32 x 32 pixels, not 48 x 64"):
        VGGDiscriminator(input_size=32, num_features=2)(torch.rand(1, 3, 64, 48))


def test_gradients_reach_the_picture_and_every_parameter():
    judge = VGGDiscriminator(input_size=32, num_features=2)
    pictures = torch.rand(2, 3, 32, 32, requires_grad=True)
    judge(pictures).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in judge.parameters())


# Kernels of the authors' UNetDiscriminatorSN (Real-ESRGAN's code), conv0 to conv9, as out, in,
# side; the first and the last have biases.
PUBLISHED_UNET = [
    *[(64, 3, 3), (128, 64, 4), (256, 128, 4), (512, 256, 4)],
    *[(256, 512, 3), (128, 256, 3), (64, 128, 3), (64, 64, 3), (64, 64, 3), (1, 64, 3)],
]


def test_the_unet_has_the_published_kernels():
    with torch.device("meta"):
        judge = UNetDiscriminator()
    kernels = [tuple(p.shape) for p in judge.parameters() if p.ndim == 4]
    assert sorted(kernels) == sorted((out, into, side, side) for out, into, side in PUBLISHED_UNET)
    # The first and the last have a bias, and the others a left and a right vector.
    assert sorted(p.numel() for p in judge.parameters() if p.ndim == 1) == [1, 64]
    vectors = sorted(buffer.numel() for buffer in judge.buffers())
    normed = PUBLISHED_UNET[1:-1]
    expected = [out for out, _, _ in normed] + [into * side**2 for _, into, side in normed]
    assert vectors == sorted(expected)
    assert count(judge) == sum(out * into * side**2 for out, into, side in PUBLISHED_UNET) + 65


def test_the_unet_is_the_papers_layers_divided_by_their_largest_singular_values():
    torch.manual_seed(0)
    judge = UNetDiscriminator(num_features=2)
    pictures = torch.rand(2, 3, 24, 16)
    for _ in range(200):  # of the power iteration
        judge(pictures)
    judge.eval()

    def normed(conv, stride=1):
        kernel = conv.parametrizations.weight.original.detach()
        largest = np.linalg.norm(kernel.flatten(1).numpy(), 2)
        return lambda x: F.leaky_relu(F.conv2d(x, kernel / largest, None, stride, 1), 0.2)

    x = F.conv2d(pictures, judge.head.weight, judge.head.bias, padding=1)
    stages = [F.leaky_relu(x, 0.2)]
    for conv in judge.down:
        stages.append(normed(conv, 2)(stages[-1]))
    assert [tuple(stage.shape[1:]) for stage in stages] == [
        *[(2, 24, 16), (4, 12, 8), (8, 6, 4), (16, 3, 2)]
    ]
    x = stages[3]
    for conv, stage in zip(judge.up, stages[2::-1], strict=True):
        doubled = F.interpolate(x, size=stage.shape[2:], mode="bilinear", align_corners=False)
        x = normed(conv)(doubled) + stage
    for conv in judge.refine:
        x = normed(conv)(x)
    expected = F.conv2d(x, judge.tail.weight, judge.tail.bias, padding=1)
    with torch.no_grad():
        assert_allclose(judge(pictures), expected, atol=1e-5)
        before = copy.deepcopy(judge.state_dict())
        judge(pictures)  # in evaluation nothing changes
    assert all(torch.equal(before[name], value) for name, value in judge.state_dict().items())


def test_the_unet_refuses_sides_that_are_not_halved_three_times():
    with pytest.raises(ValueError, match="multiples of 8, not 12 x 16"):
        UNetDiscriminator(num_features=2)(torch.rand(1, 3, 16, 12))
