"""Benchmarks by name for the command line: fetched and prepared when they are not there yet."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from drnsr.atomic import temporary_folder
from drnsr.data.folders import copy_pictures, users_own
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import PreparedDataset
from drnsr.data.registry import fetch_registry
from drnsr.errors import UserError
from drnsr.project import CONF, downloads, evaluation_cache


def open_benchmarks(names: str, scale: int, folder: Path | None) -> Iterator[PreparedDataset]:
    """Open benchmarks one after another.

    Args:
        names: as in conf/benchmark, with commas between.
        scale: some benchmarks have other originals for each.
        folder: of the user's own pictures, for the benchmark called ``folder``.

    Raises:
        ConfigError: there is no such benchmark.
        UserError: a folder without the benchmark, or the other way round.
        FetchError, DataError: it cannot be had, or cannot be used.
    """
    registries = _registries(names, scale)
    if (None in registries.values()) != (folder is not None):
        raise UserError("--benchmark folder and --folder PATH go together")
    for name, registry in registries.items():
        if registry is not None:
            yield _prepared(name, registry)
        elif folder is not None:
            with _of_folder(folder) as dataset:
                yield dataset


def _registries(names: str, scale: int) -> dict[str, Path | None]:
    """By name, as conf/benchmark has them; None stands for the user's folder."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from drnsr.config.errors import ConfigError, one_line

    registries: dict[str, Path | None] = {}
    for name in names.split(","):
        try:
            with initialize_config_dir(str(CONF), version_base="1.3"):
                config = compose("config", overrides=[f"benchmark={name}", f"scale={scale}"])
        except HydraException as error:
            raise ConfigError(one_line(error)) from error
        for benchmark, content in config.benchmark.items():
            registry = content.get("registry")
            registries[str(benchmark)] = CONF.parent / registry if registry else None
    return registries


def _prepared(name: str, registry: Path) -> PreparedDataset:
    folder = evaluation_cache() / registry.stem
    folder.mkdir(parents=True, exist_ok=True)
    # Two that evaluate at once share it: the second finds what the first has prepared.
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not (folder / "dataset" / "index.json").is_file():
            mirror = os.environ.get("DRNSR_MIRROR") or None
            fetch_registry(registry, downloads(), folder / "raw", mirror=mirror)
            _dataset(name, folder)
    return PreparedDataset.open(folder / "dataset")


@contextmanager
def _of_folder(pictures: Path) -> Iterator[PreparedDataset]:
    """Prepared anew each time, for the user's pictures may have changed, and not kept."""
    with temporary_folder(evaluation_cache() / "folder") as folder:
        copy_pictures(pictures, folder / "raw")
        yield _dataset("folder", folder, users_own(pictures, folder / "raw"))


def _dataset(name: str, folder: Path, files: Mapping[Path, Path] | None = None) -> PreparedDataset:
    copies = sorted((folder / "raw").iterdir())
    return prepare_benchmark(copies, folder / "dataset", name=name, users_own=files)
