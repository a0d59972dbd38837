from pathlib import Path

from drnsr.project import missing_in_copy, project_root, run_folder


def test_the_project_is_the_working_folder_or_the_one_that_a_queued_run_was_copied_from(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path
    assert run_folder("0123456789abcdef" + 48 * "0") == tmp_path / "runs" / "0123456789abcdef"
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "original"))
    assert project_root() == tmp_path / "original"


def test_what_a_copy_of_the_project_lacks_is_named_by_its_path(tmp_path, monkeypatch):
    original, copy = tmp_path / "original", tmp_path / "copy"
    for folder in (original, copy):
        (folder / "own").mkdir(parents=True)
    (original / "own/a.png").touch()
    monkeypatch.setenv("DVC_ROOT", str(original))
    monkeypatch.chdir(copy)
    assert missing_in_copy(Path("own")).endswith(f"name it by its path, {original / 'own'}")
    assert missing_in_copy(original / "own") == ""  # it is named by its path
    assert missing_in_copy(Path("nowhere")) == ""  # the original lacks it too
    (copy / "own/a.png").touch()
    assert missing_in_copy(Path("own")) == ""
