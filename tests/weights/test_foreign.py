"""A network of another program and the network loaded from its file give the same numbers."""

import json
import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from drnsr.images.resize import upscale
from drnsr.weights.loading import load_foreign, load_network
from drnsr.weights.native import ModelFileError
from tests.conftest import MIRROR
from tests.weights import foreign_networks as theirs
from tests.weights.foreign_networks import build


@pytest.fixture
def lr():
    return torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1))


RRDB = theirs.RRDBNetForeign

CASES = {
    "EDSR-PyTorch EDSR x2": (theirs.EDSRPyTorch, (2, 8, 2), {}, None),
    "EDSR-PyTorch EDSR x3": (theirs.EDSRPyTorch, (3, 8, 2), {}, None),
    "EDSR-PyTorch EDSR x4 of 256": (theirs.EDSRPyTorch, (4, 256, 1, 0.1), {}, None),
    "torchSR EDSR x4": (theirs.EDSRPyTorch, (4, 8, 2), {"img_range": 1.0}, None),
    "RCAN x2, its mean shift trained": (
        *(theirs.RCANOfficial, (2, 16, 2, 2, 4), {"trained": True}, None),
    ),
    "torchSR RCAN x4": (theirs.RCANOfficial, (4, 16, 2, 2, 4), {"img_range": 1.0}, None),
    "BasicSR EDSR x2": (theirs.BasicSREDSR, (2, 8, 2), {}, None),
    "BasicSR EDSR x8, in params": (theirs.BasicSREDSR, (8, 8, 2), {}, "params"),
    "BasicSR RCAN x3": (theirs.BasicSRRCAN, (3, 16, 2, 3, 4), {}, "params_ema"),
    "BasicSR RRDBNet x4": (RRDB, (RRDB.BASICSR, 8, 2, 4), {}, "params"),
    "Real-ESRGAN RRDBNet x2": (RRDB, (RRDB.BASICSR, 8, 2, 4, 2), {}, "params_ema"),
    "Real-ESRGAN RRDBNet x1": (RRDB, (RRDB.BASICSR, 8, 2, 4, 4), {}, "params_ema"),
    "ESRGAN": (RRDB, (RRDB.ESRGAN, 8, 2, 4), {}, None),
    "BSRGAN x2": (RRDB, (RRDB.ESRGAN, 8, 2, 4), {"doublings": 1}, None),
    "oldest ESRGAN x4": (theirs.OldestESRGAN, (8, 2, 4, 2), {}, None),
    "oldest ESRGAN x2": (theirs.OldestESRGAN, (8, 2, 4, 1), {}, None),
    "DBPN x2": (theirs.DBPNOfficial, (2, 4, 8, 3), {}, None),
    "DBPN x4": (theirs.DBPNOfficial, (4, 4, 8, 4), {}, None),
    "DBPN x8": (theirs.DBPNOfficial, (8, 4, 8, 2), {}, None),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_network_gives_the_same_picture(case, prefix, lr, tmp_path):
    network, arguments, options, wrapper = CASES[case]
    their = build(network, *arguments, **options)
    state = {prefix + name: value for name, value in their.state_dict().items()}
    torch.save({wrapper: state} if wrapper else state, tmp_path / "weights.pth")
    ours = load_network(tmp_path / "weights.pth")
    with torch.inference_mode():
        expected = their(lr)
        assert expected.std() > 0.01  # something is there to be compared
        torch.testing.assert_close(ours(lr), expected, atol=1e-5, rtol=0)


def test_mdsr_at_each_scale(lr, tmp_path):
    their = build(theirs.MDSRPyTorch, [2, 3, 4], 8, 2)
    torch.save(their.state_dict(), tmp_path / "mdsr.pt")
    ours = load_network(tmp_path / "mdsr.pt")
    with torch.inference_mode():
        for index, scale in enumerate((2, 3, 4)):
            torch.testing.assert_close(ours(lr, scale), their(lr, index), atol=1e-5, rtol=0)


def test_the_recurrent_dbpn_but_for_the_border_of_its_skip(lr, tmp_path):
    their = build(theirs.DBPNOfficial, 4, 4, 8, 3, recurrences=2)
    torch.save(their.state_dict(), tmp_path / "dbpn.pth")
    ours = load_network(tmp_path / "dbpn.pth")
    inner = (..., slice(8, -8), slice(8, -8))  # two LR pixels
    with torch.inference_mode():
        torch.testing.assert_close(ours(lr)[inner], their(lr)[inner], atol=1e-5, rtol=0)


def test_torchsr_vdsr(lr, tmp_path):
    their = build(theirs.TorchSRVDSR, 8, 4)
    torch.save(their.state_dict(), tmp_path / "vdsr.pt")
    ours = load_network(tmp_path / "vdsr.pt")
    with torch.inference_mode():
        for scale in (2, 3, 4):
            expected = their.upscale(lr, scale)
            torch.testing.assert_close(ours(lr, scale), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("whole", "old_format"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_pytorch_vdsr_pickled_whole_or_by_names(bias, whole, old_format, lr, tmp_path):
    their = build(theirs.PytorchVDSR, 8, 4, bias)
    content = {"epoch": 50, "model": their} if whole else their.state_dict()
    file = tmp_path / "vdsr.pth"
    torch.save(content, file, _use_new_zipfile_serialization=not old_format)
    ours = load_network(tmp_path / "vdsr.pth")
    luma = lr[:, :1]
    for scale in (2, 3):
        # Its pictures were enlarged by a MATLAB that mirrors the border.
        enlarged = upscale(luma[0, 0, :, :, None].double().numpy(), scale, border="mirror")
        with torch.inference_mode():
            expected = their(torch.from_numpy(enlarged[None, None, :, :, 0].astype(np.float32)))
            torch.testing.assert_close(ours(luma, scale), expected, atol=1e-5, rtol=0)


def test_safetensors_and_a_lightning_checkpoint(lr, tmp_path):
    their = build(theirs.BasicSREDSR, 2, 8, 2)
    save_file(their.state_dict(), tmp_path / "edsr.safetensors")
    wrapped = {f"network.{name}": value for name, value in their.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": wrapped, "loops": {}}, tmp_path / "edsr.ckpt")
    for name in ("edsr.safetensors", "edsr.ckpt"):
        ours = load_network(tmp_path / name)
        torch.testing.assert_close(ours(lr), their(lr), atol=1e-5, rtol=0)


def test_a_whole_module_in_the_format_of_the_first_torch(lr, tmp_path, monkeypatch):
    """Parameters were calls with a state then, and each module had a backend that is gone."""

    class Parameter:
        def __init__(self, data):
            self.reduced = torch.nn.Parameter, (data,), (True, False, OrderedDict())

        def __reduce__(self):
            return self.reduced

    class Backend:
        def __reduce__(self):
            return gone._get_thnn_function_backend, ()

    gone = ModuleType("torch.nn.backends.thnn")
    exec("def _get_thnn_function_backend(): pass", vars(gone))
    monkeypatch.setitem(sys.modules, "torch.nn.backends", ModuleType("torch.nn.backends"))
    monkeypatch.setitem(sys.modules, gone.__name__, gone)
    their = build(theirs.PytorchVDSR, 8, 4, True)
    expected = {name: value.clone() for name, value in their.state_dict().items()}
    for module in their.modules():
        module._backend = Backend()
        old = {name: Parameter(p.data) for name, p in module._parameters.items()}
        module.__dict__["_parameters"] = OrderedDict(old)
    torch.save(their, tmp_path / "vdsr.pth", _use_new_zipfile_serialization=False)
    monkeypatch.undo()
    ours = load_network(tmp_path / "vdsr.pth")
    assert torch.equal(ours.layers[0].weight, expected["input.weight"])
    assert torch.equal(ours.layers[2].bias, expected["residual_layer.1.conv.bias"])


def test_undetermined_hyper_parameters_are_described_and_can_be_given(lr, tmp_path):
    their = build(theirs.EDSRPyTorch, 2, 8, 2, 0.5)
    torch.save(their.state_dict(), tmp_path / "edsr.pt")
    foreign = load_foreign(tmp_path / "edsr.pt")
    assert foreign.description == (
        "EDSR x2, weights of EDSR-PyTorch; not in the file, assumed as published:"
        " residual_scale: 1.0"
    )
    given = load_foreign(tmp_path / "edsr.pt", {"residual_scale": 0.5})
    assert given.assumed == {}
    torch.testing.assert_close(given.network(lr), their(lr), atol=1e-5, rtol=0)
    with pytest.raises(
        ModelFileError, match=r"num_blocks cannot be set, .*; can be set: residual_sc"
    ):
        load_foreign(tmp_path / "edsr.pt", {"num_blocks": 3})
    with pytest.raises(ModelFileError, match=r"residual_scale: 'big' is not a value like 1\.0"):
        load_foreign(tmp_path / "edsr.pt", {"residual_scale": "big"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"border": "reflect"}, r"cannot build VDSR: border 'reflect' is none of replicate"),
        ({"scales": []}, "cannot build VDSR: scales: VDSR serves at least one"),
        ({"scales": [0]}, "cannot build VDSR: scale 0: bicubic enlargement is by 2 or more"),
    ],
)
def test_invalid_hyper_parameters_are_refused(given, message, tmp_path):
    torch.save(build(theirs.PytorchVDSR, 8, 4, True).state_dict(), tmp_path / "vdsr.pth")
    with pytest.raises(ModelFileError, match=message):
        load_foreign(tmp_path / "vdsr.pth", given)


def test_other_content_of_a_training_program_is_ignored(lr, tmp_path):
    their = build(theirs.EDSRPyTorch, 2, 8, 2)
    content = {"lr": torch.tensor(0.1), "model": None, "state_dict": their.state_dict()}
    torch.save(content, tmp_path / "edsr.pt")
    ours = load_network(tmp_path / "edsr.pt")
    torch.testing.assert_close(ours(lr), their(lr), atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", [theirs.RCANOfficial, theirs.EDSRPyTorch])
def test_without_its_mean_layers_a_network_takes_0_to_1(network, lr, tmp_path):
    their = build(network, *((2, 16, 2, 2, 4) if network is theirs.RCANOfficial else (2, 8, 2)))
    their = theirs.without_mean_shift(their)
    torch.save({"params": their.state_dict()}, tmp_path / "sr.pth")
    foreign = load_foreign(tmp_path / "sr.pth")
    torch.testing.assert_close(foreign.network(lr), their(lr), atol=1e-5, rtol=0)
    assert "img_range: 1.0, rgb_mean: [0.0, 0.0, 0.0]" in foreign.description
    given = {"img_range": 255, "rgb_mean": [0.4488, 0.4371, 0.4040]}
    other = load_foreign(tmp_path / "sr.pth", given).network(lr)
    assert (other - their(lr)).abs().max() > 0.1


def config_of(architecture, **values):
    """As super-image writes it beside the weights."""
    config = {"model_type": architecture, "data_parallel": False, "n_colors": 3, "rgb_range": 255}
    return json.dumps(config | {"rgb_mean": [0.4488, 0.4371, 0.4040], "scale": None} | values)


SUPER_IMAGE = {
    "EDSR": (theirs.SuperImageEDSR, (2, 8, 2, 0.1), {"n_feats": 8, "n_resblocks": 2}),
    "RCAN": (theirs.SuperImageRCAN, (2, 16, 2, 3, 4), {"n_feats": 16, "n_resblocks": 3}),
}


@pytest.mark.parametrize("architecture", SUPER_IMAGE)
def test_super_image_is_recognised_by_its_config(architecture, lr, tmp_path):
    network, arguments, config = SUPER_IMAGE[architecture]
    their = build(network, *arguments)
    weights = tmp_path / "pytorch_model_2x.pt"
    torch.save(their.state_dict(), weights)
    (tmp_path / "config.json").write_text(config_of(architecture, res_scale=0.1, **config))
    foreign = load_foreign(weights)
    assert foreign.description == f"{architecture} x2, weights of super-image"
    torch.testing.assert_close(foreign.network(lr), their(lr), atol=1e-4, rtol=0)
    # Without it the user can give the values.
    (tmp_path / "config.json").unlink()
    assert "super-image" not in load_foreign(weights).description
    given = {"img_range": 1}
    if architecture == "EDSR":
        given |= {"rgb_mean": [0, 0, 0], "residual_scale": 0.1}
    reported = load_foreign(weights, given).network
    torch.testing.assert_close(reported(lr), their(lr), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "config",
    [
        config_of("EDSR", n_feats=64, n_resblocks=16, res_scale=1),  # of other weights
        '{"model_type": "bert", "architectures": ["BertModel"]}',
        "[" * 100_000,
        "[1, 2]",
        "no JSON",
        "",
    ],
)
def test_another_config_changes_nothing(config, lr, tmp_path):
    their = build(theirs.EDSRPyTorch, 2, 8, 2)
    torch.save(their.state_dict(), tmp_path / "edsr.pt")
    (tmp_path / "config.json").write_text(config)
    torch.testing.assert_close(load_network(tmp_path / "edsr.pt")(lr), their(lr), atol=1e-5, rtol=0)


def test_a_residual_scale_of_basicsr_rcan_can_be_given(lr, tmp_path):
    their = build(theirs.BasicSRRCAN, 2, 16, 2, 3, 4, 0.3)
    torch.save({"params": their.state_dict()}, tmp_path / "rcan.pth")
    assert "residual_scale" in load_foreign(tmp_path / "rcan.pth").assumed
    given = load_foreign(tmp_path / "rcan.pth", {"residual_scale": 0.3})
    torch.testing.assert_close(given.network(lr), their(lr), atol=1e-5, rtol=0)


def test_the_oldest_esrgan_of_one_enlargement_may_be_of_scale_3(lr, tmp_path):
    their = build(theirs.OldestESRGAN, 8, 2, 4, 1, factor=3)
    torch.save(their.state_dict(), tmp_path / "esrgan.pth")
    assert load_foreign(tmp_path / "esrgan.pth").assumed == {"scale": 2}
    ours = load_foreign(tmp_path / "esrgan.pth", {"scale": 3})
    assert ours.assumed == {}
    torch.testing.assert_close(ours.network(lr), their(lr), atol=1e-5, rtol=0)
    with pytest.raises(ModelFileError, match="scale: 4 is neither 2 nor 3"):
        load_foreign(tmp_path / "esrgan.pth", {"scale": 4})


def test_an_ambiguous_dbpn_is_dense_unless_recurrences_are_given(lr, tmp_path):
    their = build(theirs.DBPNOfficial, 4, 4, 8, 3, recurrences=3)
    torch.save(their.state_dict(), tmp_path / "dbpn.pth")
    dense = build(theirs.DBPNOfficial, 4, 4, 8, 3)
    dense.load_state_dict(their.state_dict())
    guessed = load_foreign(tmp_path / "dbpn.pth")
    assert guessed.assumed == {"num_recurrences": 0}
    torch.testing.assert_close(guessed.network(lr), dense(lr), atol=1e-5, rtol=0)
    given = load_foreign(tmp_path / "dbpn.pth", {"num_recurrences": 3})
    inner = (..., slice(8, -8), slice(8, -8))  # but for the border of its skip
    torch.testing.assert_close(given.network(lr)[inner], their(lr)[inner], atol=1e-5, rtol=0)
    with pytest.raises(ModelFileError, match=r"num_recurrences: 2 is neither 0 \(dense\) nor 3"):
        load_foreign(tmp_path / "dbpn.pth", {"num_recurrences": 2})


@pytest.mark.parametrize("img_range", [1.0, 255.0])
def test_an_undetermined_range_is_described_and_can_be_given(img_range, lr, tmp_path):
    their = build(theirs.EDSRPyTorch, 2, 8, 2, img_range=img_range)
    for shift in (their.sub_mean, their.add_mean):
        shift.bias.data = shift.bias.data.sign() * torch.tensor([0.5, 0.4, 0.3])
    torch.save(their.state_dict(), tmp_path / "edsr.pt")
    assert load_foreign(tmp_path / "edsr.pt").assumed["img_range"] == 1.0
    given = load_foreign(tmp_path / "edsr.pt", {"img_range": int(img_range)}).network
    torch.testing.assert_close(given(lr), their(lr), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"img_range": 0}, r"img_range: 0\.0 is not above 0"),
        ({"img_range": float("nan")}, "img_range: nan is not a value like"),
        ({"rgb_mean": [0, "blue", 0]}, "rgb_mean: 'blue' is not a value like"),
        ({"rgb_mean": [0, 0]}, "cannot build EDSR"),
        ({"rgb_mean": []}, r"rgb_mean: \[\] is not a value like|cannot build EDSR"),
    ],
)
def test_invalid_ranges_and_colours_are_refused(given, message, tmp_path):
    torch.save(build(theirs.EDSRPyTorch, 2, 8, 2).state_dict(), tmp_path / "edsr.pt")
    with pytest.raises(ModelFileError, match=message):
        load_foreign(tmp_path / "edsr.pt", given)


def test_an_attention_wider_than_the_features_is_refused(tmp_path):
    state = build(theirs.RCANOfficial, 2, 16, 2, 2, 4).state_dict()
    state["body.0.body.0.body.3.conv_du.0.weight"] = torch.ones(32, 16, 1, 1)
    torch.save(state, tmp_path / "rcan.pt")
    with pytest.raises(ModelFileError, match="has 32 channels for 16"):
        load_network(tmp_path / "rcan.pt")


ONE_OF_EACH = (
    *("EDSR-PyTorch EDSR x2", "torchSR RCAN x4", "BasicSR EDSR x2", "BasicSR RCAN x3"),
    *("ESRGAN", "oldest ESRGAN x2", "DBPN x2"),
)


@pytest.mark.parametrize("case", ONE_OF_EACH)
def test_a_wrong_shape_gives_an_error_of_one_line(case, tmp_path):
    """Tensors that a layout reads, in wrong shapes."""
    network, arguments, options, _ = CASES[case]
    state = build(network, *arguments, **options).state_dict()
    for name in {**dict(list(state.items())[:9]), **dict(list(state.items())[-4:])}:
        for shape in ((1, 1, 1, 1), (32, 16, 1, 1), ()):
            torch.save(state | {name: torch.ones(shape)}, tmp_path / "odd.pt")
            with pytest.raises(ModelFileError) as caught:
                load_network(tmp_path / "odd.pt")
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_nonfinite_weights_are_refused_by_name(value, tmp_path):
    state = build(theirs.EDSRPyTorch, 2, 8, 2).state_dict()
    name = "body.1.body.2.weight"
    state[name] = state[name].double()
    state[name][0, 0, 0, 0] = value  # the last is finite, but not in fp32
    torch.save(state, tmp_path / "edsr.pt")
    with pytest.raises(ModelFileError, match=rf"edsr\.pt: tensor '{name}' holds NaN or infinite"):
        load_network(tmp_path / "edsr.pt")


def _without(name):
    return lambda state: {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("body.1.body.2.bias"), r"needs tensors that are missing: 'body\.1\.body\.2\.b"),
        (_without("tail.1.weight"), r"there is no tensor 'tail\.1\.weight'"),
        (lambda s: s | {"gate": torch.ones(1)}, "tensors that EDSR does not have: 'gate'"),
        (lambda s: s | {"a\n\x1b[2J": torch.ones(1)}, r"not have: 'a\\n\\x1b\[2J'"),
        (
            lambda s: s | {"body.1.body.0.weight": torch.ones(8, 8, 5, 5)},
            r"body\.1\.body\.0\.weight has the shape \(8, 8, 5, 5\), but EDSR needs \(8, 8, 3, 3\)",
        ),
        (
            lambda s: s | {"head.0.weight": torch.ones(8)},
            r"head\.0\.weight has the shape \(8,\), not that of a 2D convolution",
        ),
        (
            lambda s: s | {"tail.0.0.weight": torch.ones(0, 8, 3, 3)},
            r"tail\.0\.0\.weight has the shape \(0, 8, 3, 3\), not that of a 2D",
        ),
        (
            lambda s: s | {"tail.0.0.weight": torch.ones(128, 8, 3, 3)},
            r"no tensor corresponds to EDSR's upsampler\.2",  # x4 in one stage
        ),
        (
            lambda s: s | {"body.99999999.body.0.weight": torch.ones(8, 8, 3, 3)},
            r"body\.99999999\.body\.0\.weight has a larger number than there are tensors",
        ),
        (
            lambda s: s | {"tail.1.weight": torch.ones(4, 8, 3, 3)},
            r"tail\.1 and add_mean do not fit",
        ),
        (lambda s: s | {"sub_mean.weight": torch.zeros(3, 3, 1, 1)}, "sub_mean, .* is singular"),
        (
            lambda s: {name: value.to(torch.int8) for name, value in s.items()},
            r"head\.0\.bias is torch\.int8, but weights are floating point",
        ),
        (lambda s: {"stem": torch.ones(1)}, "layout is unknown: 1 tensors, the first is 'stem'"),
        (lambda s: {"epoch": 3}, "holds no weights under a known key, but 'epoch'"),
        (lambda s: [1, 2], "holds no weights, but a value of type list"),
        (lambda s: {}, "holds no weights under a known key, but nothing"),
    ],
)
def test_errors_name_the_fault_in_one_line(change, message, tmp_path):
    state = build(theirs.EDSRPyTorch, 2, 8, 2).state_dict()
    torch.save(change(dict(state)), tmp_path / "edsr.pt")
    with pytest.raises(ModelFileError, match=message) as caught:
        load_network(tmp_path / "edsr.pt")
    assert str(caught.value).startswith(f"{tmp_path / 'edsr.pt'}: ")
    assert "\n" not in str(caught.value)


LAYOUTS = MIRROR.parent / "reference" / "state_dict_layouts.json"

PUBLISHED = {
    "EDSR-PyTorch/EDSR-baseline x2": (theirs.EDSRPyTorch, (2, 64, 16)),
    "EDSR-PyTorch/EDSR-baseline x8": (theirs.EDSRPyTorch, (8, 64, 16)),
    "EDSR-PyTorch/MDSR-baseline x2+3+4 (16 blocks)": (theirs.MDSRPyTorch, ([2, 3, 4], 64, 16)),
    "RCAN official x4": (theirs.RCANOfficial, (4, 64, 10, 20, 16)),
    "BasicSR/EDSR_M x3": (theirs.BasicSREDSR, (3, 64, 16)),
    "BasicSR/RCAN x4": (theirs.BasicSRRCAN, (4, 64, 10, 20, 16)),
    "BasicSR/RRDBNet x2": (RRDB, (RRDB.BASICSR, 64, 23, 32, 2)),
    "ESRGAN new layout RRDBNet x4": (RRDB, (RRDB.ESRGAN, 64, 23, 32)),
    'DBPN official "DBPN" (D-DBPN,T=7) x4': (theirs.DBPNOfficial, (4, 64, 256, 7)),
    'DBPN official "DBPN-RES-MR64-3" x4': (theirs.DBPNOfficial, (4, 64, 256, 7, 3)),
    "torchSR/VDSR": (theirs.TorchSRVDSR, (64, 20)),
    "pytorch-vdsr Net (no bias)": (theirs.PytorchVDSR, (64, 20, False)),
}


@pytest.mark.skipif(not LAYOUTS.is_file(), reason="the published layouts are not here")
@pytest.mark.parametrize("published", PUBLISHED)
def test_foreign_networks_here_have_the_names_and_shapes_of_the_programs(published):
    network, arguments = PUBLISHED[published]
    shapes = {name: list(value.shape) for name, value in network(*arguments).state_dict().items()}
    layout = json.loads(LAYOUTS.read_text())[published]
    assert len(shapes) == layout["n_keys"]
    for _, shape, _, first, last in layout["keys"]:
        assert shapes[first] == shapes[last] == shape
