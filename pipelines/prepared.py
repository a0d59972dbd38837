"""Prepared data, which must be what the configuration names."""

from pathlib import Path

from drnsr.config.schema import Config
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.project import BENCHMARKS, TRAINING_SET
from pipelines.paths import prepared


def open_training_set(config: Config) -> PreparedDataset:
    """The prepared training set.

    Raises:
        DataError: there is none, or another one.
    """
    folder, choice = prepared(config) / TRAINING_SET, f"data: {config.data.name}"
    _check_prepared(folder, choice)
    return _open(folder, config.data.name, choice)


def open_benchmark(config: Config, name: str) -> PreparedDataset:
    """A prepared benchmark; some have other originals for each scale.

    Raises:
        DataError: there is none, or another one.
    """
    wanted, folder = benchmark_pack_name(config, name), prepared(config) / BENCHMARKS / name
    _check_prepared(folder, f"benchmark: {name}")
    return _open(folder, wanted, f"scale: {config.scale}")


def benchmark_pack_name(config: Config, name: str) -> str:
    """What the dataset of a benchmark is called: as its registry, which the scale may choose."""
    registry = config.benchmark[name].registry
    return name if registry is None else Path(registry).stem


def _check_prepared(folder: Path, choice: str) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder}: no prepared data here; {_remedy(choice)}")


def _open(folder: Path, wanted: str, choice: str) -> PreparedDataset:
    dataset = PreparedDataset.open(folder)
    if dataset.name != wanted:
        raise DataError(f"{folder} holds {dataset.name}, not {wanted}; {_remedy(choice)}")
    return dataset


def _remedy(choice: str) -> str:
    return f"write `{choice}` into params.yaml and run `dvc repro prepare`"
