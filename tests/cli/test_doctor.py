"""What `drnsr doctor` prints and how it ends."""

import sys
from contextlib import suppress

import pytest

from drnsr.cli import main
from drnsr.doctor.finding import run_checks

HEAVY = ("lightning", "mlflow", "dvc", "filelock", "sqlalchemy", "zc.lockfile", "yaml")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder that looks like a project, and has nothing else."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DRNSR_MIRROR", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "params.yaml").touch()
    (tmp_path / "conf/registry").mkdir(parents=True)
    return tmp_path


def test_outside_of_a_project_it_looks_at_the_installation_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drnsr.doctor.machine.check_disk", lambda: [])  # that of this machine
    monkeypatch.delenv("DVC_ROOT", raising=False)
    main(["doctor"])
    printed = capsys.readouterr().out
    assert "torch" in printed
    assert "MLflow" not in printed
    assert list(tmp_path.iterdir()) == []


def test_what_is_broken_ends_it_with_1_and_says_what_to_do(project, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "error  DVC          there is no .dvc" in printed
    assert "do: dvc init" in printed
    assert printed.splitlines()[-1].endswith("broken")


def test_a_light_installation_is_told_what_was_not_looked_at(project, capsys, monkeypatch):
    (project / ".dvc").mkdir()
    (project / ".dvc/tmp").mkdir()
    (project / ".dvc/tmp/lock").touch()
    for name in [name for name in sys.modules if name.startswith("drnsr.tracking")]:
        monkeypatch.delitem(sys.modules, name)
    for name in HEAVY:
        monkeypatch.setitem(sys.modules, name, None)
    with suppress(SystemExit):
        main(["doctor"])
    printed = capsys.readouterr().out
    assert "not looked at: zc.lockfile is not installed" in printed
    assert "MLflow       not looked at: filelock is not installed" in printed
    assert "outbox       not looked at: filelock is not installed" in printed


def test_a_check_that_fails_itself_is_a_finding():
    def broken():
        yield from ()
        raise RuntimeError("a library\nis damaged")

    (finding,) = run_checks([("library", broken)])
    assert (finding.level, finding.text) == ("error", "RuntimeError: a library is damaged")
