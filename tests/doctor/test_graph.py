"""Findings about git, DVC and the mirror, each really made."""

import subprocess

import pytest
from zc.lockfile import LockFile

from drnsr.doctor.graph import check_dvc, check_git, check_mirror
from tests.conftest import free_port


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which DVC has nothing to complain of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("set: {}\n")
    assert [each.level for each in check_dvc()] == ["ok"]
    return tmp_path


def test_what_keeps_dvc_from_running_is_found(folder):
    lock = folder / ".dvc/tmp/lock"
    held = LockFile(str(lock))
    (finding,) = check_dvc()
    assert (finding.level, finding.text) == ("note", "another DVC works in this folder")
    held.close()
    (folder / ".dvc/tmp/rwlock").write_text("{")
    (folder / "dvc.lock").write_text("<<<<<<< HEAD\nschema: '2.0'\n=======\n")
    (folder / "params.yaml").write_text("set: {trainer: {max_steps: 3}\n")
    (folder / "dvc.yaml").unlink()
    (folder / ".dvc/cache").rmdir()
    (folder / ".dvc/cache").touch()
    texts = [each.text for each in check_dvc() if each.level == "error"]
    assert texts[0].startswith(".dvc/cache: cannot be written")
    assert texts[1:] == [
        ".dvc/tmp/rwlock: damaged",
        "there is no dvc.yaml",
        "params.yaml: damaged, or in conflict after a merge",
        "dvc.lock: damaged, or in conflict after a merge",
    ]
    assert all(each.advice for each in check_dvc())


def test_a_folder_without_dvc_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [each.text for each in check_dvc()] == ["there is no .dvc"]


def test_git_is_asked_for_a_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert [each.text for each in check_git()] == ["no commit here"]
    user = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *user, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    assert [each.level for each in check_git()] == ["ok"]
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    (finding,) = check_git()
    assert finding.level == "error"
    assert finding.advice == f"git config --global --add safe.directory {tmp_path}"
    monkeypatch.setenv("PATH", "")
    assert [each.text for each in check_git()] == ["not installed"]


def test_a_mirror_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv("DRNSR_MIRROR", raising=False)
    assert list(check_mirror()) == []
    for name, level in (
        (str(tmp_path), "ok"),
        (str(tmp_path / "gone"), "error"),
        (f"http://127.0.0.1:{free_port()}/", "error"),
    ):
        monkeypatch.setenv("DRNSR_MIRROR", name)
        (finding,) = check_mirror()
        assert finding.level == level
    assert finding.text.endswith(": Connection refused")
