"""Weights inside the checkpoints of training programs."""

import datetime
import pathlib
import random
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.optim.swa_utils import AveragedModel

from drnsr.weights.loading import load_foreign, load_network
from drnsr.weights.native import ModelFileError
from tests.weights import foreign_networks as theirs
from tests.weights.foreign_networks import build


@pytest.fixture
def lr():
    return torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def their():
    return build(theirs.BasicSREDSR, 2, 8, 2)


def renamed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


def worse(state):
    """Return wrong weights, which must not be taken."""
    return {name: torch.zeros_like(value) for name, value in state.items()}


class Settings:
    """A class of another program."""

    def __init__(self):
        self.lr = 0.1
        self.parent = self


WHERE = {
    "model_state_dict": lambda s: {"epoch": 3, "model_state_dict": s},
    "net": lambda s: {"net": s, "acc": 1.0},
    "params-ema": lambda s: {"params": worse(s), "params-ema": s},
    "generator": lambda s: {"discriminator": {"conv.weight": torch.ones(2)}, "generator": s},
    "an unknown key": lambda s: {"step": torch.tensor(3), "what I trained": s},
    "an unknown key beside a discriminator": lambda s: {
        "D": {"conv.0.weight": torch.ones(2)},
        "X": s,
    },
    "in two": lambda s: {"checkpoint": {"model": {"weights": s}}},
    "an average by any name": lambda s: {"model": worse(s), "model_ema": s},
    "AveragedModel's names": lambda s: {"n_averaged": torch.tensor(9), **renamed(s, "module.")},
    "compiled": lambda s: renamed(s, "_orig_mod."),
    "a GAN of Lightning": lambda s: {
        "state_dict": {
            **renamed(s, "generator."),
            "discriminator.features.0.weight": torch.ones(4, 3, 3, 3),
            "perceptual.vgg.0.weight": torch.ones(4, 3, 3, 3),
        }
    },
    "an average in Lightning": lambda s: {
        "state_dict": {**renamed(worse(s), "net."), **renamed(s, "net_ema.")}
    },
}


@pytest.mark.parametrize("where", WHERE)
def test_the_weights_are_found(where, their, lr, tmp_path):
    torch.save(WHERE[where](their.state_dict()), tmp_path / "w.pth")
    torch.testing.assert_close(load_network(tmp_path / "w.pth")(lr), their(lr), atol=1e-5, rtol=0)


def test_a_whole_averaged_model(their, lr, tmp_path):
    torch.save(AveragedModel(their), tmp_path / "w.pth")
    torch.testing.assert_close(load_network(tmp_path / "w.pth")(lr), their(lr), atol=1e-5, rtol=0)


def test_the_description_says_what_was_taken_and_ignored(their, tmp_path):
    state = their.state_dict()
    torch.save(WHERE["a GAN of Lightning"](state), tmp_path / "gan.ckpt")
    message = load_foreign(tmp_path / "gan.ckpt").description
    assert "taken from 'state_dict.generator'; ignored: 'discriminator', 'perceptual'" in message
    torch.save(WHERE["params-ema"](state), tmp_path / "ema.pth")
    message = load_foreign(tmp_path / "ema.pth").description
    assert "taken from 'params-ema', a moving average (EMA)" in message


def test_two_equally_good_networks_are_refused(their, tmp_path):
    state = their.state_dict()
    torch.save({"a": state, "b": state}, tmp_path / "two.pth")
    with pytest.raises(ModelFileError, match=r"several networks, and does not say .*: 'a', 'b'"):
        load_network(tmp_path / "two.pth")


def optimizer_of(their):
    optimizer = torch.optim.Adam(their.parameters())
    sum(parameter.sum() for parameter in their.parameters()).backward()
    optimizer.step()
    return optimizer


BESIDE = {
    "numpy": lambda _: [np.float64(1.5), np.arange(4), np.array(["a", None], dtype=object)],
    "random states": lambda _: {
        "python": random.getstate(),
        "numpy": np.random.RandomState(1).get_state(),
        "generator": np.random.default_rng(1),
        "torch": torch.get_rng_state(),
    },
    "paths": lambda _: [pathlib.PurePosixPath("a/b"), Path("c")],
    "dates": lambda _: [datetime.datetime(2026, 1, 2), datetime.timedelta(3)],
    "collections": lambda _: [defaultdict(list, a=[1]), Counter("aab"), {1, 2}, frozenset("a")],
    "OmegaConf": lambda _: OmegaConf.create({"a": [1, {"b": "${a}"}]}),
    "an optimizer": lambda their: optimizer_of(their).state_dict(),
    "a whole optimizer": lambda their: optimizer_of(their),
    "a class of theirs": lambda _: Settings(),
    "torch's": lambda _: [torch.float16, torch.device("cpu"), torch.Size([1]), nn.L1Loss()],
    "a sparse tensor": lambda _: torch.eye(3).to_sparse(),
}


@pytest.mark.parametrize("old_format", [True, False])
@pytest.mark.parametrize("beside", BESIDE)
def test_other_content_beside_the_weights_is_ignored(beside, old_format, their, lr, tmp_path):
    state = OrderedDict((name, value.clone()) for name, value in their.state_dict().items())
    with torch.inference_mode():
        expected = their(lr).clone()
    content = {"beside": BESIDE[beside](their), "state_dict": state}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=not old_format)
    torch.testing.assert_close(load_network(tmp_path / "w.pth")(lr), expected, atol=1e-5, rtol=0)
