import logging

import pytest
import torch

from drnsr.training.precision import choose_precision
from drnsr.weights.fingerprint import fingerprint
from pipelines.train import fingerprinted_values, resolve_auto
from tests.pipeline.experiments import composed


@pytest.fixture
def cpu(monkeypatch):
    """A function that replaces the CPU by one with the given flags."""

    def having(**flags):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)

    return having


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16"])
def test_bf16_on_a_cpu_with_bf16_instructions(cpu, flag):
    cpu(avx2=True, **{flag: True})
    assert choose_precision("auto")[0] == "bf16-mixed"
    assert choose_precision("cpu")[0] == "bf16-mixed"


def test_fp32_if_torch_cannot_use_the_instructions(cpu, monkeypatch):
    cpu(bf16=True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert choose_precision("cpu")[0] == "32-true"


def test_fp32_on_an_older_cpu(cpu):
    cpu(avx2=True, avx512_f=True, avx512_bf16=False)
    assert choose_precision("auto")[0] == "32-true"


@pytest.mark.parametrize(("fast", "chosen"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_decides_by_its_own_capability(cpu, monkeypatch, fast, chosen):
    cpu(avx512_bf16=not fast)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: fast)
    assert choose_precision("auto")[0] == chosen
    assert choose_precision("cpu")[0] != chosen


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "mps"])
def test_a_macs_gpu_does_not_decide_by_its_cpu(cpu, monkeypatch, accelerator):
    cpu(bf16=True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_precision(accelerator)[0] == "32-true"


def test_the_chosen_precision_is_logged_and_makes_another_run(cpu, caplog):
    runs = {}
    for has_it in (True, False):
        config = composed("experiment=smoke")
        cpu(avx512_bf16=has_it)
        with caplog.at_level(logging.INFO, "drnsr"):
            config = resolve_auto(config)
        runs[config.trainer.precision] = fingerprint(fingerprinted_values(config))
    assert list(runs) == ["bf16-mixed", "32-true"]
    assert len(set(runs.values())) == 2
    assert "precision bf16-mixed: this CPU computes in bf16" in caplog.text
    assert "precision 32-true: this CPU has no bf16 instructions" in caplog.text


def test_a_given_precision_is_kept(cpu):
    cpu(avx512_bf16=True)
    config = composed("experiment=smoke", "trainer.precision=32-true")
    config = resolve_auto(config)
    assert config.trainer.precision == "32-true"


def test_steps_are_compiled_on_a_gpu_without_a_discriminator(monkeypatch, caplog):
    found = {}
    for gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        monkeypatch.setattr("drnsr.training.device.find_spec", lambda _: "Triton")
        for experiment in ("smoke", "esrgan_x4"):
            config = composed(f"experiment={experiment}", "trainer.precision=32-true")
            with caplog.at_level(logging.INFO, "drnsr"):
                config = resolve_auto(config)
            found[gpu, experiment] = config.trainer.compile
    assert [key for key, compiled in found.items() if compiled] == [(True, "smoke")]
    assert "compile: " in caplog.text


def test_a_run_on_another_device_is_another_run(monkeypatch):
    """Whatever `auto` was: a state of one device must not be resumed on another."""
    params = {}
    for gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        params[gpu] = fingerprint(fingerprinted_values(composed("experiment=smoke")))
    assert params[False] != params[True]
