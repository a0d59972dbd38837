"""A project of one's own: its files, its graph over the installed package, its git repository."""

import shutil
import subprocess

import pytest
import yaml

from drnsr import project
from drnsr.cli import main
from drnsr.errors import UserError
from drnsr.new_project import package_code
from drnsr.new_project.create import create_project, over_installed_package
from drnsr.weights.fingerprint import code_fingerprint
from tests.conftest import PROJECT

GRAPH = (PROJECT / "dvc.yaml").read_text()


@pytest.fixture(autouse=True)
def author(monkeypatch):
    """Who git says has made a commit."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@localhost")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A new project."""
    folder = tmp_path_factory.mktemp("made") / "project"
    create_project(folder)
    return folder


def git(folder, *arguments):
    command = ["git", "-C", folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_stage_depends_on_what_it_depends_on_in_the_repository():
    ours, theirs = yaml.safe_load(GRAPH)["stages"], yaml.safe_load(over_installed_package(GRAPH))
    stages = theirs["stages"]
    assert list(stages) == ["package", *ours]
    assert stages["package"]["always_changed"] is True
    for name, stage in ours.items():
        kept = [path for path in stage["deps"] if not path.startswith("src/")]
        own = ["src"] if "src/drnsr/networks" in stage["deps"] else []
        assert stages[name]["deps"] == kept + own
        added = [] if kept == stage["deps"] else [{"package.yaml": [name]}]
        assert stages[name].get("params", []) == stage.get("params", []) + added
        for other in ("cmd", "outs", "metrics", "plots"):
            assert stages[name].get(other) == stage.get(other)
    assert theirs["vars"] == yaml.safe_load(GRAPH)["vars"]


def test_every_file_that_the_graph_and_its_parameters_name_is_there(made):
    graph = yaml.safe_load((made / "dvc.yaml").read_text())
    params = yaml.safe_load((made / "params.yaml").read_text())
    outputs = ("data/raw", "data/prepared", "models", "metrics", "pictures", "resolved.yaml")
    named = {path for stage in graph["stages"].values() for path in stage.get("deps", [])}
    for path in named:
        resolved = params[path[2:-1]] if path.startswith("${") else path
        assert resolved.startswith(outputs) or (made / resolved).exists(), path
    assert project.is_project(made)
    assert git(made, "status", "--short") == ""
    assert git(made, "log", "--format=%s") == "The files of drnsr\n"
    assert list(made.rglob("__pycache__")) == []


def test_nothing_of_the_users_is_replaced(tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link"):
        with pytest.raises(SystemExit, match=f"error: {tmp_path / name}: is "):
            main(["new", str(tmp_path / name)])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "link", "mine"]
    (tmp_path / "empty").mkdir()
    main(["new", str(tmp_path / "empty")])
    assert "dvc repro && drnsr show" in capsys.readouterr().out
    with pytest.raises(UserError, match="is not empty"):  # twice
        create_project(tmp_path / "empty")


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_arguments, **_keywords):
        raise OSError(28, "No space left on device", "params.yaml")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        create_project(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_without_git_or_its_user_the_files_are_there_all_the_same(tmp_path, monkeypatch, capsys):
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    main(["new", str(tmp_path / "unknown")])
    assert "git init && git add --all && git commit" in capsys.readouterr().out
    monkeypatch.setenv("PATH", "")
    assert create_project(tmp_path / "none") is False
    assert "no_scm = true" in (tmp_path / "none/.dvc/config.local").read_text()


def test_the_code_of_the_package_is_one_hash_for_each_stage(tmp_path, monkeypatch):
    package = tmp_path / "site/drnsr"
    for name in ("networks/edsr.py", "hashing.py", "reporting/report.html.j2"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    monkeypatch.setattr(package_code, "PACKAGE", package)
    places = ["src/drnsr/networks", "src/drnsr/hashing.py"]
    before = package_code.code_hash(places)
    (package / "networks/edsr.pyc").touch()
    (package / "reporting/report.html.j2").write_text("other")
    assert package_code.code_hash(places) == before
    (package / "networks/edsr.py").write_text("other")
    assert package_code.code_hash(places) != before


def test_a_training_depends_on_the_projects_own_networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = code_fingerprint(["hashing.py"])
    (tmp_path / "src/drnsr").mkdir(parents=True)
    (tmp_path / "src/drnsr/package.py").touch()  # a clone of the repository
    assert code_fingerprint(["hashing.py"]) == before
    (tmp_path / "src/own_networks").mkdir()
    (tmp_path / "src/own_networks/mine.py").write_text("1")
    changed = code_fingerprint(["hashing.py"])
    (tmp_path / "src/own_networks/mine.py").write_text("2")
    assert len({before, changed, code_fingerprint(["hashing.py"])}) == 3


def test_a_later_version_is_merged_as_the_documentation_says(made, tmp_path, monkeypatch):
    mine, fresh = tmp_path / "mine", tmp_path / "fresh"
    shutil.copytree(made, mine)
    (mine / "params.yaml").write_text(
        (mine / "params.yaml").read_text().replace("seed: null", "seed: 3")
    )
    git(mine, "commit", "-qam", "my choice")
    shutil.copytree(made, fresh)
    (fresh / "conf/config.yaml").write_text("# later\n" + (fresh / "conf/config.yaml").read_text())
    (fresh / "pipelines/pruning.py").unlink()
    git(fresh, "commit", "-qam", "in one commit, or in two")
    page = (PROJECT / "docs/install.md").read_text()
    (block,) = [each for each in page.split("```") if "git merge" in each]
    commands = [line.partition("  #")[0] for line in block.splitlines()[1:]]
    commands = [line for line in commands if line.startswith("git ")]
    assert len(commands) >= 4
    shell = "\n".join(["set -e", *commands]).replace("../fresh", str(fresh))
    subprocess.run(["bash", "-c", shell], cwd=mine, check=True, capture_output=True)
    assert (mine / "conf/config.yaml").read_text().startswith("# later")
    assert not (mine / "pipelines/pruning.py").exists()
    assert "seed: 3" in (mine / "params.yaml").read_text()
    assert git(mine, "status", "--short") == ""
