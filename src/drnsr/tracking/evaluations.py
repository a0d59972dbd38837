"""The evaluation of a model in MLflow: its numbers, tables, pictures and description."""

import io
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from drnsr.evaluation.results import COMPARED, Row
from drnsr.tracking.description import PREVIEW, describe_evaluation, middle_picture
from drnsr.tracking.events import (
    LogArtifact,
    LogDatasets,
    LogMetrics,
    LogTable,
    Point,
    SetDescription,
    SetTags,
    UsedDataset,
    now,
)
from drnsr.tracking.outbox import Outbox
from drnsr.tracking.runs import EVALUATION_FOLDER, MODEL_COST, TRAINING_COST
from drnsr.tracking.shown import TABLES, set_description, table_content, tables_of, with_run_id
from drnsr.tracking.system_metrics import SYSTEM
from drnsr.tracking.tags import (
    DATA_TAG,
    DESCRIPTION_TAG,
    PROTOCOL_TAG,
    SAME_MODEL_TAG,
    TABLES_TAG,
    recorded,
    stored,
)
from drnsr.tracking.view import main_benchmark

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Prefixes of metrics that belong to a training, and not to the model that it made.
_OF_TRAINING = (TRAINING_COST, SYSTEM)

_PREVIEW_WIDTH = 640  # pixels; a wider one pushes the details of the run out of a small window


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation gave.

    Attributes:
        title: of the run that made the model.
        summary: see :func:`drnsr.evaluation.results.summary`.
        rows: a row for each picture.
        cost: what the model takes, by name; None for what is not known.
        datasets: the benchmarks.
        files: the tables.
        pictures: a folder with one for each benchmark, in which a picture is a PNG file.
        notes: what a reader of the numbers must know of the training.
    """

    title: str
    summary: Mapping[str, Any]
    rows: Sequence[Row]
    cost: Mapping[str, float | None]
    datasets: Sequence[UsedDataset]
    files: Sequence[Path]
    pictures: Path
    notes: Sequence[str] = ()


def record_evaluation(outbox: Outbox, evaluated: Evaluated) -> None:
    """Write an evaluation into an outbox.

    Args:
        outbox: of the run that made the model.
        evaluated: the evaluation.
    """
    time = now()
    points = [
        Point(f"{benchmark}/{method}/{measure}", value, time, 0)
        for benchmark, result in evaluated.summary.items()
        for method in COMPARED
        for measure, value in result[method].items()
        if value is not None
    ]
    points += [
        Point(f"{MODEL_COST}{name}", value, time, 0)
        for name, value in evaluated.cost.items()
        if value is not None
    ]
    outbox.add(LogMetrics(points=tuple(points)))
    protocols = {name: result["protocol"] for name, result in evaluated.summary.items()}
    tags = {f"{PROTOCOL_TAG}{name}": protocol for name, protocol in protocols.items()}
    tags |= {f"{DATA_TAG}{used.name}": used.sha256 for used in evaluated.datasets}
    outbox.add(SetTags(tags=tags))
    outbox.add(LogDatasets(datasets=tuple(evaluated.datasets)))
    for name in evaluated.summary:
        table = _table([row for row in evaluated.rows if row.benchmark == name])
        kept = outbox.keep(f"{name}.json", table)
        outbox.add(LogTable(kept=kept, to=f"{TABLES}/{name}.json"))
    kept = outbox.keep(PREVIEW, _preview(evaluated))
    outbox.add(LogArtifact(kept=kept, to=EVALUATION_FOLDER))
    for file in [*evaluated.files, evaluated.pictures]:
        outbox.add(LogArtifact(kept=outbox.keep_copy(file), to=EVALUATION_FOLDER))
    described = describe_evaluation(
        *(evaluated.title, evaluated.summary, evaluated.rows, evaluated.cost, evaluated.notes)
    )
    outbox.add(SetDescription(markdown=described))


def _preview(evaluated: Evaluated) -> bytes:
    """Return the picture of the description; MLflow's pages show one in its size, however large."""
    main = main_benchmark(evaluated.summary)
    image = middle_picture([row for row in evaluated.rows if row.benchmark == main])
    buffer = io.BytesIO()
    with Image.open(evaluated.pictures / main / f"{Path(image).stem}.png") as panels:
        panels.thumbnail((_PREVIEW_WIDTH, panels.height))
        panels.save(buffer, format="PNG")
    return buffer.getvalue()


def _table(rows: Sequence[Row]) -> bytes:
    """Return the rows of a benchmark as a table of MLflow."""
    names = [metric.name for metric in rows[0].metrics]
    columns = [(method, name) for name in names for method in COMPARED]
    return table_content(
        ["image", "pixels", *map("_".join, columns)],
        [
            [row.image, row.pixels, *(getattr(row, method)[name] for method, name in columns)]
            for row in rows
        ],
    )


def copy_evaluation(client: "MlflowClient", sources: Iterable[str], target: str) -> None:
    """Copy the evaluation of the first other run that made the same model, if there is any.

    When a training gives the same bits again, DVC does not evaluate again, and the new run would
    have no results. A second call changes nothing.

    Args:
        client: see :func:`drnsr.tracking.store.open_store`.
        sources: the runs that made the model: see :func:`drnsr.tracking.runs.verified_first`.
        target: the run to copy to.
    """
    receiver = client.get_run(target)
    if begun := recorded(receiver).get(SAME_MODEL_TAG):  # by a call that was interrupted
        sources = [begun]
    for source in sources:
        run = client.get_run(source)
        metrics = {
            key: value
            for key, value in run.data.metrics.items()
            if "/" in key and not key.startswith(_OF_TRAINING)
        }
        if source != target and metrics:
            break
    else:
        return
    from mlflow.entities import Metric

    tags = {
        key: value
        for key, value in recorded(run).items()
        if key.startswith((PROTOCOL_TAG, DATA_TAG))
    }
    for key, value in stored({SAME_MODEL_TAG: source, **tags}).items():
        client.set_tag(target, key, value)
    time = receiver.info.start_time  # the same if it is done again, or each point would be double
    client.log_batch(target, [Metric(key, value, time, 0) for key, value in metrics.items()])
    if run.inputs is not None:
        client.log_inputs(target, datasets=run.inputs.dataset_inputs)
    folders = [EVALUATION_FOLDER, *([TABLES] if tables_of(run) else [])]
    for name in folders:
        with tempfile.TemporaryDirectory() as folder:
            client.log_artifacts(target, client.download_artifacts(source, name, folder), name)
    if tables_of(run):
        client.set_tag(target, TABLES_TAG, run.data.tags[TABLES_TAG])
    if described := run.data.tags.get(DESCRIPTION_TAG):
        set_description(client, target, with_run_id(described, target, of=source))
