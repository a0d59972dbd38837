"""What is recorded about a working folder; git itself applies the patch."""

import subprocess

import numpy as np
import pytest

from drnsr.tracking.git import current_commit
from tests.conftest import texture


def git(folder, *arguments, stdin=b""):
    return subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, capture_output=True, check=True
    ).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A project with one commit, which is the working folder; the settings of git are unusual."""
    folder = tmp_path / "project"
    for name in ("src", "conf", "docs"):
        (folder / name).mkdir(parents=True)
    (folder / ".gitignore").write_text("/data/\n")
    (folder / "params.yaml").write_text("seed: 0\n")
    (folder / "src/code.py").write_bytes(b"one = 1\r\ntwo = 2\r\n")
    (folder / "src/weights.bin").write_bytes(bytes(range(256)))
    (folder / "docs/notes.md").write_text("a line\n" * 30)
    (folder / "dvc.lock").write_text("old\n")
    git(folder, "init", "-q")
    for name, value in {
        "user.name": "test",
        "user.email": "test@localhost",
        "diff.noprefix": "true",
        "color.ui": "always",
        "diff.external": "false",
        "core.autocrlf": "false",
    }.items():
        git(folder, "config", name, value)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "as it is")
    monkeypatch.chdir(folder)
    return folder


def applied(repository, patch):
    """The files of a fresh work tree of the commit with the patch."""
    tree = repository.parent / "again"
    git(repository, "worktree", "add", "-q", "--detach", str(tree))
    git(tree, "apply", "--whitespace=nowarn", "-", stdin=patch.encode())
    return tree


def test_nothing_changed(repository):
    commit = current_commit()
    assert commit.sha == git(repository, "rev-parse", "HEAD").decode().strip()
    assert (commit.patch, commit.left_out, commit.dirty) == ("", (), False)


def test_changed_and_new_sources_are_restored_byte_by_byte(repository):
    (repository / "src/code.py").write_bytes(b"one = 1\r\ntwo = 3\r\n-- \xc3\xa9\r\n")
    (repository / "docs/notes.md").unlink()
    (repository / "src/new folder").mkdir()
    (repository / "src/new folder/größe.py").write_text("diff --git a/x b/x\nBinary files \n")
    (repository / "src/empty.py").touch()
    (repository / "conf/more.yaml").write_text("no newline at the end")
    (repository / "other.yaml").write_text("a: 1\n")
    git(repository, "add", "conf/more.yaml")  # staged or not makes no difference
    (repository / "dvc.lock").write_text("new\n")  # written by the graph itself
    before = git(repository, "status", "--porcelain")
    commit = current_commit()
    assert git(repository, "status", "--porcelain") == before
    assert commit.dirty
    assert commit.left_out == ()
    tree = applied(repository, commit.patch)
    names = ["src/code.py", "src/new folder/größe.py", "src/empty.py", "conf/more.yaml"]
    for name in [*names, "other.yaml"]:
        assert (tree / name).read_bytes() == (repository / name).read_bytes()
    assert not (tree / "docs/notes.md").exists()
    assert (tree / "dvc.lock").read_text() == "old\n"


def test_pixels_models_and_private_files_are_named_but_not_recorded(repository):
    noise = np.random.default_rng(0).bytes(100_000)
    (repository / "data/evaluate").mkdir(parents=True)
    (repository / "data/evaluate/private.png").write_bytes(noise)
    (repository / "model.ckpt").write_bytes(noise)
    (repository / "my pictures").mkdir()
    (repository / "my pictures/private.png").write_bytes(texture(8, 8).tobytes())
    (repository / "diary.txt").write_text("private")
    commit = current_commit()
    assert commit.patch == ""
    assert commit.left_out == ("diary.txt", "model.ckpt", "my pictures/")
    assert not commit.dirty  # no source has changed
    private = (".env", "src/.env", "src/.secret.py", "tests/notes.md", "conf/key.pem", "src/dump")
    for name in private:
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("PASSWORD=private")
    commit = current_commit()
    assert "private" not in commit.patch
    assert set(commit.left_out) >= set(private)
    objects = git(repository, "count-objects").split()[0]
    current_commit()
    assert git(repository, "count-objects").split()[0] == objects  # git has no copy of anything


def test_sources_that_are_not_recorded_make_the_run_dirty(repository):
    (repository / "src/weights.bin").write_bytes(bytes(255))
    (repository / "src/new.bin").write_bytes(bytes(10))
    (repository / "src/latin.py").write_bytes(b"# caf\xe9\n")
    (repository / "src/large.py").write_text("#" * 2_000_000)
    (repository / "src/link.py").symlink_to("/etc/hostname")
    (repository / "src/code.py").write_bytes(b"one = 2\r\n")
    commit = current_commit()
    assert commit.dirty
    expected = {"weights.bin", "new.bin", "latin.py", "large.py", "link.py"}
    assert set(commit.changed_sources) == {f"src/{name}" for name in expected}
    assert commit.changed_sources == commit.left_out
    tree = applied(repository, commit.patch)  # the rest applies
    assert (tree / "src/code.py").read_bytes() == b"one = 2\r\n"


def test_outside_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert current_commit().sha == "unknown"
