"""Every value of a key trains, or is refused in one line that names the key."""

import math
from typing import get_args

import pytest
import torch
from lightning.fabric.connector import _PRECISION_INPUT
from lightning.pytorch.accelerators import AcceleratorRegistry
from omegaconf import OmegaConf

from drnsr.config.compose import validate
from drnsr.errors import UserError
from drnsr.training.precision import HardwareError, check_hardware
from drnsr.weights.native import load_model
from pipelines.train import train
from tests.pipeline.experiments import composed, shrunk

TINY = (
    *(
        "debug=fast",
        "datamodule.batch_size=2",
        "datamodule.validation_crop=16",
        "trainer.accelerator=cpu",
    ),
    *("checkpoints.keep=1", "trainer.threads=1"),
)


def refusal(call, *arguments):
    """Return the one line with which a call is refused; None if it is not."""
    try:
        call(*arguments)
    except UserError as error:
        message = str(error)
    else:
        return None
    assert "\n" not in message
    return message


# Lightning's own list, of numbers and strings.
PRECISIONS = [str(name) for literal in get_args(_PRECISION_INPUT) for name in get_args(literal)]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_precision_trains_or_is_refused(prepared, monkeypatch, precision):
    monkeypatch.chdir(prepared)

    refused = refusal(lambda: composed(f"trainer.precision='{precision}'", *TINY))
    if refused is not None:
        assert precision not in ("32-true", "64-true", "bf16-true", "bf16-mixed", "16-mixed")
        assert f"trainer.precision: {precision} " in refused
        return
    config = shrunk(composed(f"trainer.precision='{precision}'", *TINY))
    if precision == "16-mixed":  # which Lightning would take bf16-mixed for
        message = refusal(train, config)
        assert "trainer.precision: 16-mixed is not supported by this machine's cpu" in message
        return
    assert refusal(train, config) is None
    for name, weights in load_model(prepared / "models/model.safetensors").state_dict().items():
        assert weights.dtype == torch.float32, name
        assert weights.isfinite().all(), name


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_a_discriminator_trains_in_lower_and_higher_precision(prepared, monkeypatch, precision):
    monkeypatch.chdir(prepared)
    config = composed("experiment=esrgan_x4", f"trainer.precision={precision}", *TINY)
    assert refusal(train, shrunk(config)) is None


@pytest.mark.parametrize(
    "name", ["auto", "gpu", "hpu", *sorted(AcceleratorRegistry.available_accelerators())]
)
def test_an_accelerator_trains_or_is_refused(name):
    if (refused := refusal(composed, f"trainer.accelerator={name}")) is not None:
        assert refused.startswith(f"trainer.accelerator: {name} is not one of ")
        return
    refused = refusal(check_hardware, name, "auto")
    here = {"auto", "cpu"}
    if torch.cuda.is_available():
        here |= {"gpu", "cuda"}
    if torch.backends.mps.is_available():
        here |= {"gpu", "mps"}
    assert (refused is None) == (name in here)
    if refused is not None:
        assert refused.startswith(f"trainer.accelerator: {name} cannot be used on this machine")


def test_an_accelerator_that_the_machine_lacks_is_refused_before_anything_is_fetched(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(
        "lightning.pytorch.accelerators.CUDAAccelerator.is_available", lambda: False
    )
    config = composed("trainer.accelerator=cuda", "run.prepare_before_training=true")
    with pytest.raises(HardwareError, match=r"trainer\.accelerator: cuda .* take auto or cpu"):
        train(config)
    assert not list(tmp_path.iterdir())


CHOICES = [
    (),
    ("optimizer=muon", "scheduler=multi_step", "clipping=norm", "loss=charbonnier"),
    ("optimizer=sgd", "scheduler=step", "clipping=adjustable", "model=edsr", "loss=l1_frequency"),
    ("experiment=esrgan_x4",),
    ("model=rcan", "scheduler=cosine_restarts"),
    ("model=rrdbnet", "scale=4", "scheduler=warmup_linear"),
    ("model=vdsr",),
    ("model=dbpn",),
    ("model=dbpn_mr",),
    ("model=mdsr",),
    ("data=single", "benchmark=single"),
]


def extremes(value):
    """Return the extremes of a number's own type, and one beyond every type."""
    least = [0, -1, 2**31, 2**63] if isinstance(value, int) else [0.0, -1.0, 1e308, -math.inf]
    return [*least, 10**400, *([math.nan, math.inf] if isinstance(value, float) else [])]


def numbers(node, key=""):
    if isinstance(node, dict | list):
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from numbers(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield key, node


def with_extremes(config, skipped=()):
    """Yield each number's key and each of its extremes, and the configuration that has it."""
    content = config.model_dump()
    for key, value in numbers(content):
        if key in skipped:
            continue
        for extreme in extremes(value):
            changed = OmegaConf.create(content)
            OmegaConf.update(changed, key, extreme, merge=False)
            yield key, extreme, changed


@pytest.mark.slow
def test_each_number_at_its_extremes_is_taken_or_refused():
    refused = set()
    tried = set()
    for choice in CHOICES:
        config = composed(*choice)
        # Numbers that earlier choices have in common with this one were tried with those.
        changed = dict(numbers(config.model_dump()))
        known = [key for key, value in changed.items() if (key, value) in tried]
        tried |= set(changed.items())
        for key, extreme, other in with_extremes(config, known):
            if refusal(validate, other) is not None:
                refused.add((key, extreme))
            else:
                assert math.isfinite(extreme), key
                assert abs(extreme) < 2**63 or isinstance(extreme, float), key
    assert ("seed", 2**63) in refused
    assert ("optimizer.lr", -1.0) in refused


TRAINED = (
    *("seed", "optimizer", "scheduler", "clipping", "loss", "datamodule", "trainer", "checkpoints"),
    *("model", "prepare"),
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch warns about steps of 1e308
@pytest.mark.parametrize("choice", CHOICES[:2], ids=["default", "muon"])
def test_extremes_that_are_taken_train_or_end_in_one_line(prepared, monkeypatch, choice):
    monkeypatch.chdir(prepared)
    config = shrunk(composed(*choice, *TINY))
    ended = trained = 0
    for key, _, other in with_extremes(config):
        if not key.startswith(TRAINED) or refusal(validate, other) is not None:
            continue
        if refusal(train, validate(other)) is None:
            trained += 1
        else:
            ended += 1  # a loss that is infinite, or no picture as large as a crop
    assert trained > ended > 0
