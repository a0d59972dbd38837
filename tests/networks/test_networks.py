"""Tests of every network in conf/model; new ones are found without an edit here."""

import copy

import lightning as L
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from omegaconf import OmegaConf
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from drnsr.inference.engine import TorchEngine
from drnsr.inference.export import export_onnx
from drnsr.inference.export_info import make_export_info
from drnsr.inference.upscaler import Upscaler
from drnsr.training.callbacks.ema import EMA
from drnsr.training.module import SRModule
from drnsr.weights.native import Origin, load_model, read_info, save_model
from tests.conftest import texture
from tests.networks.building import CONF, MODELS, build, wake


def serves(model: str, scale: int) -> bool:
    try:
        build(model, scale).check_scale(scale)
    except ValueError:
        return False
    return True


SERVED = [(model, scale) for model in MODELS for scale in (2, 3, 4, 8) if serves(model, scale)]


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are slower with several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


each_model = pytest.mark.parametrize("model", MODELS)
each_scale = pytest.mark.parametrize(("model", "scale"), SERVED)


def random_lr(network, height, width, count=1):
    return torch.rand(count, network.descriptor.channels, height, width)


@each_model
def test_its_name_is_its_file_name(model):
    assert OmegaConf.load(CONF[model]).name == model


@each_model
def test_it_serves_scales_2_and_4(model):
    assert {(model, 2), (model, 4)} <= set(SERVED)


@each_model
def test_an_unknown_scale_is_refused_with_the_known_ones(model):
    network = build(model)
    with pytest.raises(ValueError, match=f"^{type(network).__name__} has no x7; .* x2"):
        network.upscale(random_lr(network, 4, 4), 7)


@each_scale
def test_sizes_tiny_and_odd(model, scale):
    network = build(model, scale)
    for height, width in ((1, 1), (5, 7)):
        lr = random_lr(network, height, width, count=2)
        enlarged = network.upscale(lr, scale)
        assert enlarged.shape == (2, lr.shape[1], scale * height, scale * width)
        assert enlarged.dtype == torch.float32


@each_model
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_pictures_gray_and_rgb(model, channels, kind):
    picture = texture(5, 6, channels).astype(kind)
    enlarged = Upscaler(TorchEngine(build(model), 2))(picture)
    assert enlarged.shape == (10, 12, channels)
    assert enlarged.dtype == kind


@each_model
def test_gradients_reach_every_parameter(model):
    network = build(model)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):  # a layer that starts at zero lets gradients through from the second step
        optimizer.zero_grad()
        loss = torch.zeros(())
        for scale in network.descriptor.scales:
            loss = loss + network.upscale(random_lr(network, 6, 6), scale).square().mean()
        loss.backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def make_positive(network):
    """Give every layer positive weights, so that no ReLU is zero and nothing cancels."""
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5, 1.0)
        parameter.data /= max(1, parameter[0].numel())
    return network


def reach(network, scale, side):
    """Return the distance of the furthest LR pixel on which the pixels in the middle depend."""
    block = network.descriptor.size_multiple  # in which not every pixel need see as far
    start = side // block // 2 * block
    # Lighter than any mean colour, but not so light that a sigmoid saturates.
    lr = torch.full((1, network.descriptor.channels, side, side), 0.5, requires_grad=True)
    middle = slice(start * scale, (start + block) * scale)
    network.upscale(lr, scale)[:, :, middle, middle].sum().backward()
    seen = torch.cat(torch.where((lr.grad != 0).any(dim=1)[0]))  # rows and columns
    return max(start - int(seen.min()), int(seen.max()) - (start + block - 1))


@each_scale
def test_the_receptive_field_equals_the_measured_one(model, scale):
    network = make_positive(build(model, scale))
    stated = network.descriptor.receptive_field
    block = network.descriptor.size_multiple
    if stated == "global":
        assert reach(network, scale, 41 * block) == 20 * block
        assert not network.descriptor.tiling_exact
        return
    side = (2 * stated // block + 5) * block
    assert max(reach(network, scale, side) for scale in network.descriptor.scales) == stated


@each_scale
def test_a_tile_with_its_halo_equals_the_whole(model, scale):
    network = build(model, scale).eval()
    descriptor = network.descriptor
    if not descriptor.tiling_exact:
        pytest.skip("the network looks at the whole picture")
    halo = -(-descriptor.receptive_field // descriptor.size_multiple) * descriptor.size_multiple
    tile = 2 * descriptor.size_multiple
    lr = random_lr(network, 2 * halo + 3 * tile, tile + halo)
    with torch.no_grad():
        whole = network.upscale(lr, scale)
        part = network.upscale(lr[:, :, tile : 2 * tile + 2 * halo], scale)
    inside = slice((tile + halo) * scale, (2 * tile + halo) * scale)
    tiled = part[:, :, halo * scale : (halo + tile) * scale]
    assert_allclose(tiled, whole[:, :, inside], atol=1e-5 * float(whole.abs().max()))


@each_model
def test_saving_and_loading_preserves_it(model, tmp_path):
    network = build(model).eval()
    save_model(tmp_path / "model.safetensors", network, Origin("", "", ""))
    again = load_model(tmp_path / "model.safetensors")
    assert again.hyper_parameters == network.hyper_parameters
    assert again.descriptor == network.descriptor
    assert copy.deepcopy(network).hyper_parameters == network.hyper_parameters
    lr = random_lr(network, 5, 6)
    assert torch.equal(again.upscale(lr, 2), network.upscale(lr, 2))
    info = read_info(tmp_path / "model.safetensors")
    assert (info.scales, info.colour) == (network.descriptor.scales, network.descriptor.colour)


@each_model
def test_compiling_changes_no_name_and_no_result(model):
    network = build(model).eval()
    names, lr = list(network.state_dict()), random_lr(network, 5, 6)
    with torch.no_grad():
        expected = network.upscale(lr, 2)
        network.compile(backend="eager")  # traced as for any backend, without a compiler of C++
        assert_allclose(network.upscale(lr, 2), expected, atol=1e-5 * float(expected.abs().max()))
    assert list(network.state_dict()) == names


@each_model
def test_averaging_changes_no_name(model):
    network = build(model)
    names = list(network.state_dict())
    pair = tuple(torch.zeros(3, side, side, dtype=torch.uint8) for side in (12, 24))
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=2,
        callbacks=[EMA(0.5)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = torch.utils.data.DataLoader([pair] * 2)
    trainer.fit(training(network), loader, loader)
    assert list(network.state_dict()) == names


def training(network):
    return SRModule(
        network,
        loss=nn.L1Loss(),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-4),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        channels_last=True,
    )


@pytest.fixture(scope="module")
def process_group(tmp_path_factory):
    rendezvous = tmp_path_factory.mktemp("gloo") / "rendezvous"
    torch.distributed.init_process_group("gloo", f"file://{rendezvous}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@each_model
def test_distributed_training_changes_no_name(model, process_group):
    network = build(model)
    names = list(network.state_dict())
    wrapped = DistributedDataParallel(training(network), find_unused_parameters=True)
    assert list(wrapped.module.network.state_dict()) == names
    assert list(network.state_dict()) == names


@each_model
def test_a_mistyped_argument_is_an_error(model):
    with pytest.raises(TypeError, match="num_blokcs"):
        type(build(model))(num_blokcs=3)


@each_model
def test_it_runs_in_its_precisions_and_gives_fp32(model):
    network = build(model).eval()
    lr = random_lr(network, 8, 8)
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    with torch.no_grad():
        exact = network.upscale(lr, 2)
        for precision in set(network.descriptor.precisions) - {"fp32"}:
            with torch.autocast("cpu", types[precision]):
                rough = network.upscale(lr, 2)
            assert rough.dtype == torch.float32
            assert (rough - exact).abs().max() < 0.05 * max(1.0, float(exact.abs().max()))


@pytest.mark.slow
@each_model
def test_onnxruntime_agrees_with_torch_at_another_size(model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = wake(build(model)).eval()
    file, exported = tmp_path / "model.safetensors", tmp_path / "model.onnx"
    save_model(file, network, Origin())
    export_onnx(network, make_export_info(network, 2, "fp32", file), exported)
    lr = random_lr(network, 11, 9, count=4)
    (sr,) = onnxruntime.InferenceSession(exported).run(None, {"lr": lr.numpy()})
    expected = network.upscale(lr, 2).detach()
    assert_allclose(sr, expected, atol=1e-4 * max(1.0, float(expected.abs().max())))
