"""Findings about the devices and the disk."""

import shutil
from collections import namedtuple

import pytest
import torch

from drnsr.doctor.machine import check_devices, check_disk

Usage = namedtuple("Usage", "total used free")


def test_the_cpu_is_described_and_too_many_threads_are_a_note(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4096)
    cpu = [each for each in check_devices() if each.about == "CPU"]
    assert [each.level for each in cpu] == ["ok", "note"]
    assert "set OMP_NUM_THREADS=" in cpu[1].advice


def test_a_driver_that_torch_cannot_use_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    program = tmp_path / "nvidia-smi"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [each for each in check_devices() if each.about == "GPU"]
    assert [each.level for each in found] == ["note"]
    assert torch.__version__ in found[0].text


def test_a_full_disk_and_a_missing_folder_are_errors(small_disk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here, _ = check_disk()
    assert here.level == "error"
    assert f"{tmp_path}: cannot be written" in here.text
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "gone"))
    here, _ = check_disk()
    assert here.text.endswith("cannot be written: No such file or directory")


@pytest.mark.parametrize(("gib", "level"), [(0.1, "error"), (3, "note"), (50, "ok")])
def test_little_space_is_named_before_it_is_none(gib, level, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, int(gib * 2**30)))
    assert {each.level for each in check_disk()} == {level}
    assert f"{gib:.1f} GiB free" in next(iter(check_disk())).text
