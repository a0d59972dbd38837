"""Every network in conf/model, and what is particular to each family."""

import copy

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.testing import assert_allclose
from omegaconf import OmegaConf

from drnsr.imaging.resize import upscale
from drnsr.networks import ARCHITECTURES, DRNSR, EDSR
from drnsr.networks.layers import BicubicSkip
from tests.conftest import PROJECT, texture

MODELS = sorted(path.stem for path in (PROJECT / "conf" / "model").glob("*.yaml"))


_SMALL = {"num_features": 8, "num_blocks": 2}


def build(model: str, scale: int):
    """The network that conf/model has, narrow and short so that it is quick."""
    config = OmegaConf.load(PROJECT / "conf" / "model" / f"{model}.yaml").network
    config.scale = scale
    config.update({key: size for key, size in _SMALL.items() if key in config})
    return instantiate(config)


@pytest.mark.parametrize("model", MODELS)
def test_its_name_is_its_file_name(model):
    assert OmegaConf.load(PROJECT / "conf" / "model" / f"{model}.yaml").name == model


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sizes_tiny_and_odd(model, scale):
    network = build(model, scale)
    for height, width in ((1, 1), (5, 7)):
        enlarged = network(torch.rand(2, 3, height, width))
        assert enlarged.shape == (2, 3, scale * height, scale * width)
        assert enlarged.dtype == torch.float32


@pytest.mark.parametrize("model", MODELS)
def test_gradients_reach_every_parameter(model):
    network = build(model, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):  # a layer that starts at zero lets gradients through from the second step
        optimizer.zero_grad()
        network(torch.rand(1, 3, 6, 6)).square().mean().backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("model", MODELS)
def test_hyper_parameters_build_it_again(model):
    network = build(model, 3)
    again = ARCHITECTURES[type(network).__name__](**network.hyper_parameters)
    again.load_state_dict(network.state_dict())
    picture = torch.rand(1, 3, 5, 6)
    assert torch.equal(again(picture), network(picture))
    assert again.hyper_parameters == network.hyper_parameters
    assert copy.deepcopy(network).hyper_parameters == network.hyper_parameters


@pytest.mark.parametrize("model", MODELS)
def test_a_mistyped_argument_is_an_error(model):
    with pytest.raises(TypeError, match="num_blokcs"):
        type(build(model, 2))(scale=2, num_blokcs=3)


@pytest.mark.parametrize("model", MODELS)
def test_it_runs_under_bf16_and_gives_fp32(model):
    network = build(model, 2)
    picture = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(picture)
    assert rough.dtype == torch.float32
    assert (rough - network(picture)).abs().max() < 0.05


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
def test_edsr_has_the_published_number_of_parameters(blocks, features, scale, published):
    with torch.device("meta"):
        network = EDSR(scale=scale, num_blocks=blocks, num_features=features)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


def test_edsr_refuses_a_scale_it_has_no_upsampler_for():
    with pytest.raises(ValueError, match="scale 6 is neither 3 nor a power of two"):
        EDSR(scale=6)


def matlab_bicubic(picture: torch.Tensor, scale: int) -> torch.Tensor:
    """The resize that is checked against MATLAB's own files, on (1, C, H, W) floats."""
    plane = upscale(picture[0].permute(1, 2, 0).numpy(), scale)
    return torch.from_numpy(plane).permute(2, 0, 1)[None]


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 14)])
def test_the_skip_is_matlabs_bicubic(scale, size):
    picture = torch.rand(1, 3, *size)
    assert_allclose(BicubicSkip(scale)(picture), matlab_bicubic(picture, scale), atol=1e-6)


def test_the_skip_stays_exact_under_bf16():
    picture = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        enlarged = BicubicSkip(2)(picture)
    assert_allclose(enlarged, matlab_bicubic(picture, 2), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_drnsr_is_bicubic(scale):
    picture = torch.from_numpy(texture(12, 13).astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        assert_allclose(DRNSR(scale=scale)(picture), matlab_bicubic(picture, scale), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_onnxruntime_agrees_with_torch_at_another_size(model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = build(model, 2).eval()
    if isinstance(network, DRNSR):
        torch.nn.init.normal_(network.tail.weight, std=0.1)
    torch.onnx.export(
        network,
        (torch.rand(1, 3, 8, 9),),
        tmp_path / "network.onnx",
        input_names=["lr"],
        dynamic_axes={"lr": {0: "n", 2: "h", 3: "w"}},
        dynamo=False,
    )
    picture = torch.rand(2, 3, 11, 7)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (exported,) = session.run(None, {"lr": picture.numpy()})
    assert_allclose(exported, network(picture).detach(), atol=1e-4)
