"""The benchmarks and the protocol that the options of `drnsr evaluate` name."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from omegaconf import OmegaConf
from yaml import YAMLError

from drnsr.atomic import temporary_folder
from drnsr.config.compose import compose_benchmarks
from drnsr.data.folders import copy_pictures, original_paths
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import PreparedDataset
from drnsr.data.registry import fetch_registry
from drnsr.errors import UserError
from drnsr.evaluation.protocol import Protocol, ProtocolError, get_protocol
from drnsr.project import CONF, downloads, evaluation_cache


def parse_protocol(text: str) -> Protocol:
    """Return the protocol of a name, or of fields in braces, as in params.yaml.

    Raises:
        ProtocolError: if it is neither, or there is no such protocol or field.
    """
    try:
        choice = OmegaConf.from_dotlist([f"protocol={text}"]).protocol
    except YAMLError as error:
        raise ProtocolError(f"--protocol: {text!r} is neither a name nor {{key: value}}") from error
    return get_protocol(choice)


def open_benchmarks(names: str, scale: int, folder: Path | None) -> Iterator[PreparedDataset]:
    """Open benchmarks one after another; each is fetched and prepared if it is not there yet.

    Args:
        names: names in conf/benchmark, separated by commas.
        scale: the scale factor; some benchmarks have different originals for each.
        folder: the user's own images, for the benchmark called ``folder``.

    Raises:
        ConfigError: if there is no such benchmark.
        UserError: if only one of the benchmark ``folder`` and the folder is given, or drnsr was
            installed without the project's sources.
        FetchError: if a file cannot be fetched.
        DataError: if the images cannot be used.
    """
    if not CONF.is_dir():
        raise UserError(
            f"{CONF}: there is no such folder, which has the benchmarks; install drnsr from the"
            " project's folder: pip install -e '.[train]'"
        )
    registries = _registries(names, scale)
    if (None in registries.values()) != (folder is not None):
        raise UserError("--benchmark folder and --folder PATH go together")
    for name, registry in registries.items():
        if registry is not None:
            yield _prepared_registry(name, registry)
        elif folder is not None:
            with _prepared_folder(folder) as dataset:
                yield dataset


def _registries(names: str, scale: int) -> dict[str, Path | None]:
    """Return the registry of each benchmark by name; None stands for the user's folder."""
    registries: dict[str, Path | None] = {}
    for name in names.split(","):
        for benchmark, content in compose_benchmarks(name, scale).items():
            registry = content.registry
            registries[benchmark] = CONF.parent / registry if registry else None
    return registries


def _prepared_registry(name: str, registry: Path) -> PreparedDataset:
    folder = evaluation_cache() / registry.stem
    folder.mkdir(parents=True, exist_ok=True)
    # Processes that evaluate at once share it: the second finds what the first has prepared.
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not (folder / "dataset" / "index.json").is_file():
            mirror = os.environ.get("DRNSR_MIRROR") or None
            fetch_registry(registry, downloads(), folder / "raw", mirror=mirror)
            _prepare(name, folder)
    return PreparedDataset.open(folder / "dataset")


@contextmanager
def _prepared_folder(pictures: Path) -> Iterator[PreparedDataset]:
    """Prepare the user's images, which may have changed since the last time; keep nothing."""
    with temporary_folder(evaluation_cache() / "folder") as folder:
        copy_pictures(pictures, folder / "raw")
        yield _prepare("folder", folder, original_paths(pictures, folder / "raw"))


def _prepare(name: str, folder: Path, files: Mapping[Path, Path] | None = None) -> PreparedDataset:
    copies = sorted((folder / "raw").iterdir())
    return prepare_benchmark(copies, folder / "dataset", name=name, original_paths=files)
