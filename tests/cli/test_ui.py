"""`drnsr ui`: the address that it prints, and the server that it becomes."""

import os
import shutil
import sys

import pytest

from drnsr.cli import main
from drnsr.project import PARAMS
from drnsr.tracking.store import experiment_id, open_store


@pytest.fixture
def project(tmp_path, monkeypatch, empty_database):
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    PARAMS.touch()
    return tmp_path


def test_it_prints_the_table_of_runs_and_becomes_mlflows_server(project, monkeypatch, capfd):
    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    main(["ui", "--port", "5123"])
    assert "http://127.0.0.1:5123\n" in capfd.readouterr().out  # no run yet
    (project / "resolved.yaml").write_text("logger: {experiment: mine}\n")
    number = experiment_id(open_store(), "mine")
    main(["ui", "--port", "5123"])
    address = f"http://127.0.0.1:5123/#/experiments/{number}/runs?workflowType=machine_learning"
    assert f"{address}&viewStateShareKey=drnsr\n" in capfd.readouterr().out
    program, arguments, environment = started[-1]
    assert program == sys.executable
    assert f"sqlite:///{project / 'mlflow.db'}" in arguments
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
