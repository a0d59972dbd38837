"""The prepared data sets, checked to be the ones that the configuration names."""

from pathlib import Path
from typing import Any

from drnsr.config.schema import Config
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.project import BENCHMARKS, TRAINING_SET
from pipelines.paths import prepared


def open_training_set(config: Config) -> PreparedDataset:
    """Open the prepared training set.

    Raises:
        DataError: if there is none, or another one.
    """
    name, degradation = config.data.name, config.degradation
    choices = f"`data: {name}` and `degradation: {degradation.name}`"
    values = None if degradation.is_bicubic else degradation.model_dump(mode="json")
    dataset = _open(prepared(config) / TRAINING_SET, name, choices, values)
    found, wanted = "hr" if dataset.is_dense else "lr", config.data.crop_grid
    if found != wanted:
        raise DataError(
            f"{dataset.folder} was prepared with data.crop_grid={found}, not {wanted}; write `set:"
            f" {{data: {{crop_grid: {wanted}}}}}` into params.yaml and run `dvc repro prepare`"
        )
    return dataset


def open_benchmark(config: Config, name: str) -> PreparedDataset:
    """Open a prepared benchmark; some have other originals for each scale.

    Raises:
        DataError: if there is none, or another one.
    """
    folder = prepared(config) / BENCHMARKS / name
    choices = f"`benchmark: {name}` and `scale: {config.scale}`"
    degradation = config.benchmark[name].degradation
    values = None if degradation is None else degradation.model_dump(mode="json")
    return _open(folder, benchmark_dataset_name(config, name), choices, values)


def benchmark_dataset_name(config: Config, name: str) -> str:
    """Return the name of a benchmark's data set: that of its registry, which may have a scale."""
    registry = config.benchmark[name].registry
    return name if registry is None else Path(registry).stem


def _open(
    folder: Path, name: str, choices: str, degradation: dict[str, Any] | None
) -> PreparedDataset:
    remedy = f"write {choices} into params.yaml and run `dvc repro prepare`"
    if not folder.is_dir():
        raise DataError(f"{folder}: no prepared data here; {remedy}")
    dataset = PreparedDataset.open(folder)
    if dataset.name != name:
        raise DataError(f"{folder} holds {dataset.name}, not {name}; {remedy}")
    if dataset.degradation != degradation:
        bicubic = {"name": "bicubic"}
        found, wanted = ((each or bicubic)["name"] for each in (dataset.degradation, degradation))
        raise DataError(
            f"{folder} was prepared with the degradation {found}, not {wanted}"
            f"{' of these values' * (found == wanted)}; {remedy}"
        )
    return dataset
