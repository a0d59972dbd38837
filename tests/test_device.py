"""The device is the one that Lightning takes, whatever the machine has."""

import os
import subprocess
import sys
from pathlib import Path

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


OPENMP = Path(torch.__file__).parent / "lib/libgomp.so.1"


@pytest.mark.skipif(not OPENMP.is_file(), reason="a torch with another OpenMP")
@pytest.mark.parametrize(
    ("chosen", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
)
def test_threads_soon_give_their_cores_away_unless_the_user_chose_otherwise(chosen, spins):
    program = f"import ctypes, drnsr; ctypes.CDLL({str(OPENMP)!r})"
    others = {key: value for key, value in os.environ.items() if "OMP_" not in key}
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=others | chosen | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert f"GOMP_SPINCOUNT = '{spins}'" in printed
