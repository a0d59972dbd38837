"""What MLflow's pages show of a run: its data sets, tables, pictures over steps and description.

Each function does what one of MLflow's client does, and a second call changes nothing.
"""

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from drnsr.tracking.events import LogImage, UsedDataset
from drnsr.tracking.tags import DESCRIPTION_TAG, IMAGES_TAG, TABLES_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN_ID = "RUN_ID"
"""Stands for the id of the run in a description, which is written before there is one."""

TABLES = "tables"
"""The folder of the tables among the artifacts."""

_DIGEST = 16  # characters of a hash, as in the names of the folders in runs/; MLflow takes 36
_DESCRIPTION = "description.md"  # as it was written, so that a person's change is noticed


def log_datasets(client: "MlflowClient", run_id: str, datasets: Sequence[UsedDataset]) -> None:
    """Add data sets to the inputs of a run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    inputs = [
        DatasetInput(
            Dataset(
                name=used.name,
                digest=used.sha256[:_DIGEST],
                source_type="local",
                source=json.dumps({"uri": used.folder}),
                profile=json.dumps({"num_rows": used.pictures, "sha256": used.sha256}),
            ),
            [InputTag(MLFLOW_DATASET_CONTEXT, used.context)],
        )
        for used in datasets
    ]
    try:
        client.log_inputs(run_id, datasets=inputs)
    except MlflowException:
        # Another job added the same data set in this moment, to which it is only linked now.
        client.log_inputs(run_id, datasets=inputs)


def table_content(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a table as MLflow keeps it, which is pandas' orientation "split".

    Args:
        columns: their names.
        rows: their values: numbers, texts, or None; JSON has no infinite number, such as the PSNR
            of equal pictures.
    """
    data = [[_finite(value) for value in row] for row in rows]
    return json.dumps({"columns": list(columns), "data": data}, allow_nan=False).encode()


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value


def log_table(client: "MlflowClient", run_id: str, table: Path, to: str) -> None:
    """Store a table; MLflow's own function would append it to one that is there."""
    folder = Path(to).parent.as_posix()
    client.log_artifact(run_id, str(table), None if folder == "." else folder)
    listed = tables_of(client.get_run(run_id))
    entry = {"path": to, "type": "table"}
    if entry not in listed:
        client.set_tag(run_id, TABLES_TAG, json.dumps([*listed, entry]))


def tables_of(run: "Run") -> list[dict[str, str]]:
    """Return the entries of the tables that a run has."""
    entries: list[dict[str, str]] = json.loads(run.data.tags.get(TABLES_TAG, "[]"))
    return entries


def log_image(client: "MlflowClient", run_id: str, png: Path, image: LogImage) -> None:
    """Store a picture of a step; MLflow's own function would give it another name each time."""
    number = uuid.uuid5(uuid.NAMESPACE_OID, f"{image.key} {image.step}")
    name = f"{image.key}+step+{image.step}+timestamp+{image.time}+{number}"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(png, Path(folder) / f"{name}.png")
        # MLflow's pages show the small one in their grids.
        with Image.open(png) as pixels:
            pixels.save(Path(folder) / f"{name}+compressed.webp")
        client.log_artifacts(run_id, folder, "images")
    client.set_tag(run_id, IMAGES_TAG, "True")


def set_description(client: "MlflowClient", run_id: str, markdown: str) -> None:
    """Describe a run, unless a person has changed the description that it was given before."""
    present = client.get_run(run_id).data.tags.get(DESCRIPTION_TAG, "")
    if present not in ("", markdown, _written(client, run_id)):
        return
    client.set_tag(run_id, DESCRIPTION_TAG, markdown)
    client.log_text(run_id, markdown, _DESCRIPTION)


def _written(client: "MlflowClient", run_id: str) -> str | None:
    """Return the description that was written last; None if there was none."""
    if _DESCRIPTION not in [file.path for file in client.list_artifacts(run_id)]:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = client.download_artifacts(run_id, _DESCRIPTION, folder)
        return Path(file).read_text(encoding="utf-8")


def with_run_id(markdown: str, run_id: str, of: str = RUN_ID) -> str:
    """Return a description with the id of its run in the place of another."""
    return markdown.replace(of, run_id)
