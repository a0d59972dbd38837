"""The device is the one that Lightning takes, whatever the machine has."""

import lightning as L
import pytest
import torch

from drnsr.device import resolve_device


@pytest.mark.parametrize(
    ("has_cuda", "has_mps", "device"),
    [(True, False, "cuda"), (False, True, "mps"), (True, True, "cuda"), (False, False, "cpu")],
)
@pytest.mark.parametrize("name", ["auto", "gpu"])
def test_an_accelerator_before_the_cpu(monkeypatch, name, has_cuda, has_mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has_mps)
    assert resolve_device(name) == device


def test_any_other_name_is_kept():
    assert [resolve_device(name) for name in ("cpu", "cuda:1", "xpu")] == ["cpu", "cuda:1", "xpu"]


def test_lightning_takes_the_same_here():
    trainer = L.Trainer(accelerator="auto", devices=1, logger=False, enable_checkpointing=False)
    assert trainer.strategy.root_device.type == resolve_device("auto")
