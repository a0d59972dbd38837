"""The benchmarks and the protocol that the options of `drnsr evaluate` name."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from omegaconf import OmegaConf
from pydantic import ValidationError
from yaml import YAMLError

from drnsr.atomic import temporary_folder
from drnsr.config.compose import compose_benchmarks
from drnsr.config.errors import ConfigError, describe
from drnsr.config.schema import Benchmark
from drnsr.data.folders import copy_pictures, original_paths, suffixes_of
from drnsr.data.pixels import Pixels
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.prepared import PreparedDataset
from drnsr.data.readers import make_reader
from drnsr.data.registry import fetch_registry
from drnsr.degradation.parameters import Degradation
from drnsr.errors import UserError
from drnsr.evaluation.protocol import Protocol, ProtocolError, get_protocol
from drnsr.hashing import sha256_of
from drnsr.images.pixel_format import RGB8, PixelFormat
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


def parse_pixels(text: str) -> Pixels:
    """Return the choices about the pixels of a folder, from fields in braces as in conf/.

    Raises:
        ConfigError: if they are no such fields, or a value is invalid.
    """
    try:
        parsed = OmegaConf.from_dotlist([f"pixels={text}"])
        return Pixels.model_validate(OmegaConf.to_container(parsed.pixels))
    except (YAMLError, ValueError) as error:
        if isinstance(error, ValidationError):
            raise ConfigError(f"--pixels: {describe(error)}") from error
        raise ConfigError(f"--pixels: {text!r} is not {{key: value}}") from error


def pixels_of(trained: PixelFormat) -> Pixels | None:
    """Return the choices for pictures like those that a network was trained on."""
    if trained == RGB8:
        return None
    black, white = trained.value_range
    limits: Any = trained.value_range
    if isinstance(black, tuple) and isinstance(white, tuple):
        limits = list(zip(black, white, strict=True))
    return Pixels(bands=list(trained.bands), depth=trained.depth, range=limits)


@contextmanager
def open_benchmarks(
    names: str, scale: int, folder: Path | None, pixels: Pixels | None = None
) -> Iterator[list[PreparedDataset]]:
    """Open benchmarks; each is fetched and prepared if it is not there yet.

    Args:
        names: names in conf/benchmark, separated by commas.
        scale: the scale factor; some benchmarks have different originals for each.
        folder: the user's own images, for the benchmark called ``folder``.
        pixels: what they hold; None for 8-bit RGB.

    Raises:
        ConfigError: if there is no such benchmark.
        UserError: if only one of the benchmark ``folder`` and the folder is given.
        FetchError: if a file cannot be fetched.
        DataError: if the images cannot be used.
    """
    benchmarks: dict[str, Benchmark] = {}
    for name in names.split(","):
        benchmarks |= compose_benchmarks(name, scale)
    users = any(benchmark.registry is None for benchmark in benchmarks.values())
    if users != (folder is not None):
        raise UserError("--benchmark folder and --folder PATH go together")
    with ExitStack() as stack:
        datasets = []
        for name, benchmark in benchmarks.items():
            wanted = pixels if benchmark.registry is None else benchmark.pixels
            how = _Preparation(wanted, benchmark.degradation, scale)
            if benchmark.registry is not None:
                registry = CONF.parent / benchmark.registry
                datasets.append(_prepared_registry(name, registry, how))
            elif folder is not None:
                datasets.append(stack.enter_context(_prepared_folder(name, folder, how)))
        yield datasets


class _Preparation(NamedTuple):
    """What the pictures hold, how LR is degraded, if at all, and the scale."""

    pixels: Pixels | None
    degradation: Degradation | None
    scale: int

    @property
    def suffix(self) -> str:
        """What the name of a folder has, so that other values are another folder."""
        if self.pixels is not None:
            return f"_{sha256_of([self.pixels.model_dump_json().encode()])[:12]}"
        if self.degradation is None:
            return ""
        values = sha256_of([self.degradation.model_dump_json().encode()])[:12]
        return f"_{self.degradation.name}_x{self.scale}_{values}"


def _prepared_registry(name: str, registry: Path, how: _Preparation) -> PreparedDataset:
    folder = evaluation_cache() / f"{registry.stem}{how.suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    # Processes that evaluate at once share it: the second finds what the first has prepared.
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not (folder / "dataset" / "index.json").is_file():
            mirror = os.environ.get("DRNSR_MIRROR") or None
            fetch_registry(registry, downloads(), folder / "raw", mirror=mirror)
            _prepare(name, folder, how)
    return PreparedDataset.open(folder / "dataset")


@contextmanager
def _prepared_folder(name: str, pictures: Path, how: _Preparation) -> Iterator[PreparedDataset]:
    """Prepare the user's images, which may have changed since the last time; keep nothing."""
    with temporary_folder(evaluation_cache() / "folder") as folder:
        raw, suffixes = folder / "raw", suffixes_of(how.pixels)
        copy_pictures(pictures, raw, suffixes)
        yield _prepare(name, folder, how, original_paths(pictures, raw, suffixes))


def _prepare(
    name: str, folder: Path, how: _Preparation, files: Mapping[Path, Path] | None = None
) -> PreparedDataset:
    reader = make_reader(how.pixels)
    return prepare_benchmark(
        reader.pictures(sorted((folder / "raw").iterdir())),
        folder / "dataset",
        name=name,
        reader=reader,
        degradation=how.degradation,
        scales=[] if how.degradation is None else [how.scale],
        original_paths=files,
    )
