"""The states of trainings that `make gc` removes, and those that it leaves."""

import pytest

from drnsr.cli import main
from drnsr.locks import folder_lock
from drnsr.project import PARAMS
from drnsr.training.callbacks.checkpoint import mark_finished


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / PARAMS).touch()
    for name in ("over", "ended", "busy"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "step-00000120-0123456789abcdef.ckpt").write_bytes(b"x" * 5000)
    mark_finished(tmp_path / "runs/over")
    mark_finished(tmp_path / "runs/busy")  # an earlier time
    with folder_lock(tmp_path / "runs/busy"):
        yield tmp_path / "runs"


def left(runs):
    return sorted(path.name for path in runs.iterdir())


def test_nothing_is_removed_before_a_person_agrees(runs, capsys):
    main(["gc"])
    shown = capsys.readouterr().out
    assert left(runs) == ["busy", "ended", "over"]
    assert "ended after step 120" in shown
    assert "nothing was removed" in shown


def test_only_states_of_finished_trainings_are_removed(runs):
    main(["gc", "--yes"])
    assert left(runs) == ["busy", "ended"]
    main(["gc", "--yes"])
    assert left(runs) == ["busy", "ended"]


def test_states_of_unfinished_trainings_are_removed_on_request(runs):
    main(["gc", "--yes", "--unfinished"])
    assert left(runs) == ["busy"]


@pytest.mark.slow
def test_a_finished_graph_needs_no_states(another):
    another.call("drnsr", "gc", "--yes")
    assert list((another.root / "runs").iterdir()) == []
    assert another.ran(another.call("dvc", "repro")) == []
