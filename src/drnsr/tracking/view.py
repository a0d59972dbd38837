"""How MLflow's pages show the experiment: as model training, with the columns that matter.

MLflow keeps a view of the table of runs in a tag of the experiment; the page's menu "Views" has it,
and an address can name it. What is here is what MLflow 3.17 itself writes and reads.
"""

import json
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from drnsr.evaluation.metrics import PRIMARY
from drnsr.tracking.events import now

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("drnsr")

_KIND_TAG, _KIND = "mlflow.experimentKind", "custom_model_development"
_VIEW = "drnsr"
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"

_MAIN = "set5"  # what most papers begin with
_MOST_BENCHMARKS = 3  # whose columns the table has
_PSNR, _GAIN = f"/model/{PRIMARY.name}", f"/gain/{PRIMARY.name}"

# With their widths in pixels. Those of the benchmarks stand between the two.
_CHOICES = {"params.`model.name`": 85, "params.`scale`": 55, "params.`data.name`": 85}
_COSTS = {"metrics.`cost/seconds_per_megapixel`": 155, "metrics.`cost/parameters`": 100}
_BENCHMARK_WIDTH = 150


def main_benchmark(names: Collection[str]) -> str:
    """Return the benchmark by which runs are compared first: Set5 if it was measured."""
    return _MAIN if _MAIN in names else next(iter(names))


def arrange_experiment(client: "MlflowClient", experiment: str, benchmark: str = "") -> None:
    """Let MLflow's pages show an experiment as model training; see the columns above.

    A server on which the user may not change an experiment shows it as it did.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        experiment: its id.
        benchmark: one whose results have come; empty if none have.
    """
    from mlflow.exceptions import MlflowException

    tags = client.get_experiment(experiment).tags
    state = _state(tags.get(_VIEW_TAG))
    names = dict.fromkeys([benchmark, *_benchmarks(state)])
    wanted = _columns(sorted([name for name in names if name][:_MOST_BENCHMARKS]))
    try:
        if _KIND_TAG not in tags:
            client.set_experiment_tag(experiment, _KIND_TAG, _KIND)
        if state != wanted:
            view = {"name": _VIEW, "createdAt": now(), "state": json.dumps(wanted)}
            client.set_experiment_tag(experiment, _VIEW_TAG, json.dumps(view))
    except MlflowException as error:
        log.debug("the view of the experiment stays as it is: %s", error)


def experiment_page(server: str, experiment: str) -> str:
    """Return the address of the table of runs with the columns above.

    Without ``workflowType`` MLflow 3.17 shows every experiment as one of language models, whatever
    its kind.

    Args:
        server: the address of an MLflow server.
        experiment: its id.
    """
    address = f"{server.rstrip('/')}/#/experiments/{experiment}/runs"
    return f"{address}?workflowType=machine_learning&viewStateShareKey={_VIEW}"


def _columns(benchmarks: list[str]) -> dict[str, Any]:
    """Return the state of the table of runs, as MLflow's pages have it."""
    measured = [f"metrics.`{name}{end}`" for name in benchmarks for end in (_PSNR, _GAIN)]
    widths = {**_CHOICES, **dict.fromkeys(measured, _BENCHMARK_WIDTH), **_COSTS}
    return {"selectedColumns": list(widths), "columnOrder": list(widths), "columnWidths": widths}


def _state(view: str | None) -> dict[str, Any]:
    """Return the state in a view; nothing if it is damaged."""
    try:
        state: dict[str, Any] = json.loads(json.loads(view or "")["state"])
    except (ValueError, LookupError, TypeError):
        return {}
    return state if isinstance(state, dict) else {}


def _benchmarks(state: dict[str, Any]) -> list[str]:
    """Return the benchmarks that the table shows."""
    columns = [str(column) for column in state.get("selectedColumns", [])]
    begin, end = "metrics.`", f"{_PSNR}`"
    return [
        column.removeprefix(begin).removesuffix(end) for column in columns if column.endswith(end)
    ]
