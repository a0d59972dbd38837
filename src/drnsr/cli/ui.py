"""Serve MLflow's pages, and print the address of the table of runs.

The store is that of MLFLOW_TRACKING_URI, or the project's own. If it is a server, which already
serves the pages, the command only prints the address.
"""

import argparse
import os
import sys
from typing import TYPE_CHECKING

import yaml

from drnsr.errors import printable, without_credentials
from drnsr.project import RESOLVED

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's own variable. Its jobs serve language models, and need 10 s and 1 GB to start.
_NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=5000, help="default: %(default)s")


def run(parsed: argparse.Namespace) -> None:
    """Print the address, and become MLflow's server.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    from drnsr.tracking.store import open_store, tracking_uri

    uri, client = tracking_uri(), open_store()
    if uri.startswith(("http://", "https://")):
        print(_page(client, without_credentials(uri)))
        return
    page = _page(client, f"http://{parsed.host}:{parsed.port}")
    print(page)
    print("It is there in a few seconds; Ctrl-C ends it.", flush=True)
    server = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    place = ["--host", parsed.host, "--port", str(parsed.port), "--backend-store-uri", uri]
    quiet = ["--uvicorn-opts", "--log-level warning"]
    os.execve(sys.executable, [*server, *place, *quiet], _NO_JOBS | os.environ)


def _page(client: "MlflowClient", server: str) -> str:
    """Return the address of the experiment's page; of all experiments if it has no run yet."""
    from drnsr.tracking.store import tracking_errors
    from drnsr.tracking.view import arrange_experiment, experiment_page

    with tracking_errors():
        found = client.get_experiment_by_name(_experiment())
        if found is None:
            return printable(server)
        arrange_experiment(client, found.experiment_id)
    # The whole is not made printable: its key would be taken for a secret.
    return experiment_page(printable(server), found.experiment_id)


def _experiment() -> str:
    from drnsr.tracking.store import experiment_name

    content = yaml.safe_load(RESOLVED.read_text(encoding="utf-8")) if RESOLVED.exists() else {}
    return experiment_name(content.get("logger", {}).get("experiment") or "drnsr")
