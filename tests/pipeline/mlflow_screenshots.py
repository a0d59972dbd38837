"""MLflow's pages in a real browser, and the pictures of docs/mlflow.md.

`python -m tests.pipeline.mlflow_screenshots PROJECT docs` makes them of the runs of a project.
"""

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from mlflow import MlflowClient
from PIL import Image

from drnsr.tracking.view import experiment_page
from tests.conftest import free_port
from tests.demo.browser import PATIENCE, visitor

SHOWN = "button[aria-label='{} - Show diff only']"
CLOSE = "button[data-component-id='mlflow.assistant.chat_panel.close']"

WIDTH = 1440
TRAINING = "workflowType=machine_learning"

_LOADED = "return [...document.images].every(image => image.complete && image.naturalWidth);"


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


def take_screenshots(store, runs, folder):
    """Take pictures of the table of runs, of the first run, and of the page that compares all.

    Returns the text of each page.
    """
    ids, experiment, texts = [run.info.run_id for run in runs], runs[0].info.experiment_id, {}
    with (
        mlflow_ui(store) as server,
        visitor(experiment_page(server, experiment), WIDTH, height=480, ready=CLOSE) as user,
    ):
        user.find(CLOSE).click()  # of the assistant, which covers a part of the page
        user.wait(lambda: "model/psnr" in user.find("body").text)
        texts["runs"] = _keep(user, folder / "mlflow_runs.webp")

        _open(user, f"{server}/#/experiments/{experiment}/runs/{ids[0]}?{TRAINING}", height=900)
        user.wait(lambda: "Show more" in user.find("body").text)
        [more] = [each for each in user.find_all("button") if each.text == "Show more"]
        more.click()
        user.wait(lambda: user.find_all("img[src*='get-artifact']"))
        user.wait(lambda: user.driver.execute_script(_LOADED))
        texts["run"] = _keep(user, folder / "mlflow_run.webp")

        chosen = {"runs": json.dumps(ids), "experiments": json.dumps([experiment])}
        _open(user, f"{server}/#/compare-runs?{urlencode(chosen)}&{TRAINING}", height=4000)
        user.wait(lambda: user.find_all(SHOWN.format("Metrics")))
        for table in ("Parameters", "Metrics"):
            user.find(SHOWN.format(table)).click()
        user.wait(lambda: "model/psnr" in user.find("body").text)
        texts["compare"] = user.find("body").text
        _show(user, height=1500)
        _keep(user, folder / "mlflow_compare.webp")
    return texts


def _open(user, address, height):
    _show(user, height)
    user.driver.get(address)


def _show(user, height):
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    user.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _keep(user, path):
    """Write the page as it is seen into a small file, and return its text."""
    time.sleep(1)  # the table of runs moves its columns after it has its rows
    Image.open(io.BytesIO(user.driver.get_screenshot_as_png())).convert("RGB").save(
        path, quality=75, method=6
    )
    return user.find("body").text


def main(project, folder):
    """Take them of the two newest runs that have results."""
    store = f"sqlite:///{project.resolve()}/mlflow.db"
    client = MlflowClient(store)
    found = client.search_runs([client.get_experiment_by_name("drnsr").experiment_id])
    runs = [run for run in found if "cost/parameters" in run.data.metrics]
    take_screenshots(store, runs[:2][::-1], folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
