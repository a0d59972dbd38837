"""What is to be recorded about a run in MLflow: events, each a line of JSON in an outbox.

The classes are named after MLflow's own functions. ``do`` is the name of a kind on the disk, where
outboxes of earlier versions must stay readable.
"""

import time
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


def now() -> int:
    """Return the time in milliseconds since 1970, as MLflow counts it."""
    return time.time_ns() // 1_000_000


class Point(NamedTuple):
    """A value of a metric.

    Attributes:
        name: of the metric.
        value: may be NaN or infinite.
        time: in milliseconds since 1970.
        step: of the training.
    """

    name: str
    value: float
    time: int
    step: int


class _Event(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="constants",
        ser_json_bytes="hex",
        val_json_bytes="hex",
    )


class LogMetrics(_Event):
    """Add values of metrics."""

    do: Literal["metrics"] = "metrics"
    points: tuple[Point, ...]


class SetTags(_Event):
    """Set tags of the run."""

    do: Literal["tags"] = "tags"
    tags: Mapping[str, str]


class LogArtifact(_Event):
    """Store a file or folder with the run.

    Attributes:
        kept: the copy in the outbox's folder.
        to: the folder among the run's artifacts.
    """

    do: Literal["artifact"] = "artifact"
    kept: str
    to: str


class LogModel(_Event):
    """Store the model that the run made.

    Attributes:
        kept: the copy of the model file in the outbox's folder.
        example: an encoded picture, the example of the model's input.
    """

    do: Literal["model"] = "model"
    kept: str
    example: bytes


TRAINING, EVALUATION = "training", "evaluation"
"""What a data set is for, in MLflow's words."""


class UsedDataset(NamedTuple):
    """A data set that a run reads.

    Attributes:
        name: of the data set.
        sha256: of its index, which has the hash of every picture.
        context: what it is for, TRAINING or EVALUATION.
        pictures: their number.
        folder: where the prepared pictures are, as the configuration names it.
    """

    name: str
    sha256: str
    context: str
    pictures: int
    folder: str


class LogDatasets(_Event):
    """Add data sets to the inputs of the run."""

    do: Literal["datasets"] = "datasets"
    datasets: tuple[UsedDataset, ...]


class LogTable(_Event):
    """Store a table, which MLflow's pages show as one.

    Attributes:
        kept: the copy of the table in the outbox's folder, as MLflow has it.
        to: the file among the run's artifacts.
    """

    do: Literal["table"] = "table"
    kept: str
    to: str


class LogImage(_Event):
    """Store a picture of one step, which MLflow's pages show in a row with those of other steps.

    Attributes:
        kept: the copy of the PNG file in the outbox's folder.
        key: what it shows.
        step: of the training.
        time: in milliseconds since 1970.
    """

    do: Literal["image"] = "image"
    kept: str
    key: str
    step: int
    time: int


class SetDescription(_Event):
    """Describe the run, unless a person has done so.

    Attributes:
        markdown: with ``RUN_ID`` in the places of the run's id.
    """

    do: Literal["description"] = "description"
    markdown: str


class CopyEvaluation(_Event):
    """Copy the evaluation of another run that made the same model.

    Attributes:
        model_sha256: of the model file.
    """

    do: Literal["evaluation of the same model"] = "evaluation of the same model"
    model_sha256: str


class SetStatus(_Event):
    """Set the status of the run.

    Attributes:
        status: in MLflow's words.
        time: in milliseconds since 1970.
    """

    do: Literal["status"] = "status"
    status: RunStatus
    time: int


Event = (
    LogMetrics
    | SetTags
    | LogArtifact
    | LogModel
    | LogDatasets
    | LogTable
    | LogImage
    | SetDescription
    | CopyEvaluation
    | SetStatus
)

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="do")])


def to_line(event: Event) -> bytes:
    """Return an event as a line of JSON, with its newline."""
    return event.model_dump_json().encode() + b"\n"


def from_line(line: bytes) -> Event:
    """Read an event from a line of JSON.

    Raises:
        ValueError: if it is none that this version knows.
    """
    return _EVENT.validate_json(line)
