"""Benchmarks by name for the command line: fetched and prepared when they are not there yet."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from drnsr.data.packing import Pack
from drnsr.data.preparation import pack_benchmark
from drnsr.data.registry import copy_pictures, fetch_registry
from drnsr.errors import UserError

_DATA = Path("data")


def open_benchmarks(names: str, scale: int, folder: Path | None) -> Iterator[Pack]:
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
            yield _of_folder(folder)


def _registries(names: str, scale: int) -> dict[str, Path | None]:
    """By name, as conf/benchmark has them; None stands for the user's folder."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from drnsr.config import CONF, ConfigError, one_line

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


def _prepared(name: str, registry: Path) -> Pack:
    folder = _DATA / "evaluate" / registry.stem
    if not (folder / "pack" / "index.json").is_file():
        mirror = os.environ.get("DRNSR_MIRROR") or None
        fetch_registry(registry, _DATA / "downloads", folder / "raw", mirror=mirror)
        _pack(name, folder)
    return Pack.open(folder / "pack")


def _of_folder(pictures: Path) -> Pack:
    """Prepared anew each time: the user's pictures may have changed."""
    folder = _DATA / "evaluate" / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    copy_pictures(pictures, folder / "raw")
    return _pack("folder", folder)


def _pack(name: str, folder: Path) -> Pack:
    return pack_benchmark(sorted((folder / "raw").iterdir()), folder / "pack", name=name)
