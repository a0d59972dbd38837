"""MLflow's page that compares the runs of a sweep, in a real browser."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from tests.conftest import free_port
from tests.demo.browser import CHROMEDRIVER, CHROMIUM, PATIENCE, visitor

SHOWN = "button[aria-label='{} - Show diff only']"


@contextmanager
def mlflow_ui(store):
    """Serve a store on a free port, and yield the address."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--port", str(port)]
    quick = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with subprocess.Popen(
        [*command, "--backend-store-uri", store],
        env=os.environ | quick,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    with urllib.request.urlopen(f"{address}/health"):
                        break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
            yield address
        finally:
            os.killpg(process.pid, 9)  # with its workers


@pytest.mark.slow
@pytest.mark.skipif(
    not (CHROMIUM.exists() and CHROMEDRIVER.exists()), reason=f"needs {CHROMIUM} and {CHROMEDRIVER}"
)
def test_it_shows_the_jobs_of_a_sweep_with_what_differs_and_the_benchmark(another):
    another.call(
        *("pipelines.train", "-m", "experiment=smoke", "seed=1,2", "trainer.max_steps=2"),
        *("model.network.num_features=8", "model.network.num_blocks=1"),
    )
    jobs = [run for run in another.mlflow_runs() if "mlflow.parentRunId" in run.data.tags]
    ids = [run.info.run_id for run in jobs]
    experiments = [jobs[0].info.experiment_id]
    chosen = f"runs={quote(json.dumps(ids))}&experiments={quote(json.dumps(experiments))}"
    with mlflow_ui(f"sqlite:///{another.root / 'mlflow.db'}") as server:
        page = f"{server}/#/compare-runs?{chosen}"
        with visitor(page, height=4000, ready=SHOWN.format("Metrics")) as user:
            for table in ("Parameters", "Metrics"):
                user.find(SHOWN.format(table)).click()
            user.wait(lambda: "sample_test/model/psnr" in user.find("body").text)
            text = user.find("body").text
    assert "Comparing 2 Runs from 1 Experiment" in text
    assert all(run_id in text for run_id in ids)
    parameters, _, metrics = text.partition("Run details")[2].partition("Metrics\nShow diff only")
    rows = parameters.partition("Show diff only\n")[2].splitlines()
    assert [row.split()[0] for row in rows] == ["run.output", "seed"]
    assert sorted(rows[1].split()[1:]) == ["1", "2"]
    for summary in another.root.glob("multirun/*/*/[01]/metrics/benchmark.json"):
        psnr = json.loads(summary.read_text())["sample_test"]["model"]["psnr"]
        assert f"{psnr:.2f}".rstrip("0") in metrics.split()
