"""Benchmarks by name for the command line: fetched and prepared when they are not there yet."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from drnsr.data.folders import copy_pictures, users_own
from drnsr.data.packing import Pack
from drnsr.data.preparation import pack_benchmark
from drnsr.data.registry import fetch_registry
from drnsr.errors import UserError

_DATA = Path("data")
_PREPARED = _DATA / "evaluate"


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
            with _of_folder(folder) as pack:
                yield pack


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
    folder = _PREPARED / registry.stem
    folder.mkdir(parents=True, exist_ok=True)
    # Two that evaluate at once share it: the second finds what the first has prepared.
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not (folder / "pack" / "index.json").is_file():
            mirror = os.environ.get("DRNSR_MIRROR") or None
            fetch_registry(registry, _DATA / "downloads", folder / "raw", mirror=mirror)
            _pack(name, folder)
    return Pack.open(folder / "pack")


@contextmanager
def _of_folder(pictures: Path) -> Iterator[Pack]:
    """Prepared anew each time, for the user's pictures may have changed, and not kept."""
    _PREPARED.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="folder-", dir=_PREPARED) as name:
        folder = Path(name)
        copy_pictures(pictures, folder / "raw")
        yield _pack("folder", folder, users_own(pictures, folder / "raw"))


def _pack(name: str, folder: Path, files: Mapping[Path, Path] | None = None) -> Pack:
    copies = sorted((folder / "raw").iterdir())
    return pack_benchmark(copies, folder / "pack", name=name, users_own=files)
