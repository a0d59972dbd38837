"""A study by Optuna: its storage, and what a signal or a kill leaves of a trial."""

import signal
import sys

import pytest

from drnsr.config.errors import ConfigError
from drnsr.reporting.sweep import table_of
from drnsr.tracking.jobs import JobRecord, end_killed_jobs, read_jobs
from tests.conftest import free_port
from tests.pipeline import postgresql
from tests.pipeline.experiments import composed

optuna = pytest.importorskip("optuna")

from pipelines.sweep import open_study, running_trials  # noqa: E402


def opened(storage):
    config = composed("sweep=rate_and_width")
    return open_study(config.sweep.study.model_copy(update={"storage": storage}), config)


def test_a_storage_that_cannot_be_opened_is_told_without_its_password(monkeypatch):
    storage = f"postgresql://me:secret@127.0.0.1:{free_port()}/studies"
    with pytest.raises(ConfigError, match=r"sweep.study.storage: .*127.*refused") as told:
        opened(storage)
    with pytest.raises(ConfigError, match=r"storage: Could not parse") as unknown:
        opened("me:secret@somewhere")
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(
        ConfigError, match=r"psycopg2 is not installed: .*\[postgresql\]"
    ) as without:
        opened(storage)
    assert "secret" not in "".join(str(each.value) for each in (told, unknown, without))


def test_a_job_whose_process_was_killed_is_ended_when_the_sweep_goes_on(tmp_path):
    for number in (3, 4, 5):
        JobRecord(number, {"seed": str(number)}).write(tmp_path / str(number))
    read_jobs(tmp_path)[2].ended("finished").write(tmp_path / "5")
    end_killed_jobs(tmp_path, running=[4])
    rows = {row["job"]: (row["status"], row["error"]) for row in table_of(read_jobs(tmp_path))}
    assert rows == {3: ("ended", "its process was killed"), 4: ("running", ""), 5: ("finished", "")}


@pytest.mark.slow
@pytest.mark.skipif(postgresql.binaries() is None, reason="needs PostgreSQL")
def test_several_processes_share_a_study_in_postgresql():
    pytest.importorskip("psycopg2")
    with postgresql.served() as url:
        first, second = opened(url), opened(url)
        trial = first.ask()
        assert running_trials(second) == [trial.number]
        trial.report(20.0, 1)
        first.tell(trial, 21.0)
        second.optimize(lambda trial: trial.suggest_float("optimizer.lr", 1e-4, 1e-2), n_trials=1)
        assert [each.value for each in first.trials][:1] == [21.0]
        assert len(first.trials) == 2
        with pytest.raises(ConfigError, match="password authentication failed") as told:
            opened(url.replace(postgresql.PASSWORD, "wrong-password"))
        assert "wrong-password" not in str(told.value)


@pytest.mark.slow
def test_a_study_that_a_signal_ends_goes_on_with_the_same_trial(another):
    command = [
        *("pipelines.sweep", "experiment=smoke", "trainer.max_steps=40", "checkpoints.seconds=0"),
        *("model.network.num_blocks=1", "sweep.study.trials=1"),
    ]
    before = len(another.mlflow_runs())
    process = ["python", "-m", *command]
    assert another.ended_by(signal.SIGTERM, process, "step 10/40") == 128 + signal.SIGTERM
    another.ended_here_by(signal.SIGINT, command, "step 20/40")
    (parent,) = [run for run in another.mlflow_runs() if "study" in run.info.run_name]
    assert parent.info.status == "KILLED"
    assert "resuming after step" in another.call(*command).stdout
    trial, parent = another.mlflow_runs()[: len(another.mlflow_runs()) - before]
    assert (trial.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    jobs = read_jobs(another.root / "multirun/rate_and_width")
    assert [job.status for job in jobs] == ["ended", "ended", "finished"]
    assert jobs[0].overrides == jobs[1].overrides == jobs[2].overrides
