"""The names of a run's tags, and those under which MLflow has them.

MLflow's pages show all tags of a run but those whose names begin with ``mlflow.``. A hash that the
project searches for, and nobody reads, is stored under such a name.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# The tag by which the run of a model is found. An id of the run in the model file would make the
# files of equal runs differ.
MODEL_TAG = "drnsr.model_sha256"
DATA_TAG = "drnsr.data."
PROTOCOL_TAG = "drnsr.protocol."
TRAINING_TAG = "drnsr.training"
EARLIER_TAG = "drnsr.earlier_parts"  # JSON
OUTBOX_TAG = "drnsr.journal"  # as outboxes of earlier versions have it
SAME_MODEL_TAG = "drnsr.same_model_as"
# Before the id of a parent run: a job that several sweeps have belongs to each of them.
SWEEP_TAG = "drnsr.sweep."

# MLflow's own names; to import them here would import MLflow.
COMMIT_TAG = "mlflow.source.git.commit"
DESCRIPTION_TAG = "mlflow.note.content"
IMAGES_TAG = "mlflow.loggedImages"
TABLES_TAG = "mlflow.loggedArtifacts"
SOURCE_TAG = "mlflow.source.name"
SOURCE_TYPE_TAG = "mlflow.source.type"
USER_TAG = "mlflow.user"

_NOT_SHOWN = "mlflow."
_HASHES = (DATA_TAG, TRAINING_TAG, EARLIER_TAG, OUTBOX_TAG, SAME_MODEL_TAG, SWEEP_TAG)


def stored_name(tag: str) -> str:
    """Return the name under which MLflow has a tag."""
    return f"{_NOT_SHOWN}{tag}" if tag.startswith(_HASHES) else tag


def _searched_names(tag: str) -> list[str]:
    """Return the names under which runs may have a tag; those of earlier versions have its own."""
    return list(dict.fromkeys([stored_name(tag), tag]))


def runs_with(
    client: "MlflowClient",
    experiments: Sequence[str],
    tag: str,
    value: str,
    *,
    order_by: Sequence[str] = (),
    max_results: int = 1000,
) -> list["Run"]:
    """Return the runs whose tag has a value, under each of the names that it may have.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        experiments: their ids.
        tag: its own name.
        value: without quotation marks.
        order_by: see MLflow's ``search_runs``.
        max_results: under each name.
    """
    return [
        run
        for name in _searched_names(tag)
        for run in client.search_runs(
            list(experiments),
            f"tags.`{name}` = '{value}'",
            max_results=max_results,
            order_by=list(order_by),
        )
    ]


def stored(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags under the names under which MLflow has them."""
    return {stored_name(tag): value for tag, value in tags.items()}


def recorded(run: "Run") -> dict[str, str]:
    """Return the tags of a run under their own names; runs of earlier versions have these."""
    ours = f"{_NOT_SHOWN}drnsr."
    return {
        tag.removeprefix(_NOT_SHOWN) if tag.startswith(ours) else tag: value
        for tag, value in run.data.tags.items()
    }
