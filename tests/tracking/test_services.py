"""A team's services: many jobs at once, and services that are killed in the middle."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from drnsr.cli import main
from drnsr.project import PARAMS
from drnsr.tracking.outbox import Outbox
from tests.conftest import PROJECT, free_port
from tests.tracking.logging_jobs import value
from tests.tracking.services import S3_ACCOUNT, mlflow_server, postgresql, s3_bucket, wait_until

JOBS = 8

ROWS = """
    SELECT runs.name, runs.status, metrics.step, metrics.value
    FROM runs JOIN metrics ON metrics.run_uuid = runs.run_uuid WHERE metrics.key = 'loss'
"""


DATASETS = """
    SELECT count(DISTINCT datasets.dataset_uuid), count(*)
    FROM datasets JOIN inputs ON inputs.source_id = datasets.dataset_uuid
"""
DESCRIPTIONS = "SELECT run_uuid, value FROM tags WHERE key = 'mlflow.note.content'"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project's folder, for `drnsr sync`."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / PARAMS).touch()
    return tmp_path


def start_jobs(uri, folder, variables=None):
    path = os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tracking.logging_jobs", uri, str(folder), str(JOBS)],
        env={**os.environ, "PYTHONPATH": path, **(variables or {})},
        cwd=folder,
        start_new_session=True,
    )


def query(connection, sql):
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def steps_in_outboxes(folder):
    """How many steps each job has logged."""
    outboxes = [Outbox(folder / f"runs/job{job}/mlflow/001") for job in range(JOBS)]
    return [sum(1 for _, event in box.events() if event.do == "metrics") for box in outboxes]


def check_metrics(rows, steps):
    """Each point of each job is in the database once, with its value, and in no other run."""
    found = sorted((name, step, at) for name, _, step, at in rows)
    assert found == sorted(
        (f"job{job}-x2-none-seed{job}", step, value(job, step))
        for job in range(JOBS)
        for step in range(1, steps[job] + 1)
    )


@pytest.mark.slow
def test_a_server_over_postgresql_and_s3_is_killed_while_eight_jobs_log(folder):
    psycopg2 = pytest.importorskip("psycopg2")
    boto3 = pytest.importorskip("boto3")
    port = free_port()
    with postgresql() as store, s3_bucket("team") as s3:
        dsn = store.replace("+psycopg2", "")
        places = (port, store, "s3://team/artifacts")
        variables = {"MLFLOW_S3_ENDPOINT_URL": s3, **S3_ACCOUNT}
        count = "SELECT count(*) FROM metrics"
        jobs = start_jobs(f"http://127.0.0.1:{port}", folder)
        with mlflow_server(*places, variables):
            wait_until(lambda: query(psycopg2.connect(dsn), count)[0][0] > 20 * JOBS)
        at_the_kill = steps_in_outboxes(folder)
        wait_until(lambda: min(steps_in_outboxes(folder)) > max(at_the_kill))
        with mlflow_server(*places, variables):
            (folder / "stop").touch()
            assert jobs.wait(180) == 0
            main(["sync"])
            rows = query(psycopg2.connect(dsn), ROWS)
        check_metrics(rows, [int((folder / f"job{job}.txt").read_text()) for job in range(JOBS)])
        assert {status for _, status, _, _ in rows} == {"FINISHED"}
        assert query(psycopg2.connect(dsn), "SELECT count(*) FROM runs") == [(JOBS,)]
        assert query(psycopg2.connect(dsn), DATASETS) == [(1, JOBS)]
        described = query(psycopg2.connect(dsn), DESCRIPTIONS)
        assert len(described) == JOBS
        assert all(text == f"run {run_id}" for run_id, text in described)
        client = boto3.client(
            "s3",
            endpoint_url=s3,
            aws_access_key_id=S3_ACCOUNT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=S3_ACCOUNT["AWS_SECRET_ACCESS_KEY"],
        )
        listed = client.list_objects_v2(Bucket="team", Prefix="artifacts/")["Contents"]
        tables = sorted(Path(each["Key"]).name for each in listed if "/evaluation/" in each["Key"])
        assert tables == [f"job{job}.txt" for job in range(JOBS)]
        for place, ending in (("images", ".png"), ("images", ".webp"), ("tables", "set5.json")):
            found = [each for each in listed if f"/{place}/" in each["Key"]]
            assert len([each for each in found if each["Key"].endswith(ending)]) == JOBS


@pytest.mark.slow
def test_eight_jobs_that_are_killed_while_they_log_into_one_sqlite_file(folder):
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    jobs = start_jobs(uri, folder)
    try:
        count = "SELECT count(DISTINCT run_uuid), count(*) FROM metrics"
        wait_until(lambda: query(sqlite3.connect(folder / "mlflow.db"), count)[0] > (JOBS - 1, 20))
    finally:
        processes = psutil.Process(jobs.pid).children(recursive=True)
        os.killpg(jobs.pid, 9)
        jobs.wait()
    # A process that is writing to the disk dies, and gives up its lock, a moment later.
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    steps = steps_in_outboxes(folder)
    assert min(steps) > 5
    main(["sync"])
    check_metrics(query(sqlite3.connect(folder / "mlflow.db"), ROWS), steps)
    main(["sync"])
    check_metrics(query(sqlite3.connect(folder / "mlflow.db"), ROWS), steps)
