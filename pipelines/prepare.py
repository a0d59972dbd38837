"""Stage `prepare`: turn data/raw into data sets of raw pixels in data/prepared."""

import logging
from pathlib import Path

from rich.progress import track

from drnsr.config.schema import Config
from drnsr.data.folders import original_paths
from drnsr.data.leaks import LeakError, find_leaks
from drnsr.data.prepare import (
    Checks,
    LowResolution,
    bicubic_lr,
    prepare_benchmark,
    prepare_training_set,
)
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.data.single import VALIDATION
from drnsr.project import BENCHMARKS, TRAINING_SET
from pipelines.app import run_stage
from pipelines.paths import prepared, raw
from pipelines.prepared import benchmark_dataset_name

log = logging.getLogger("drnsr")


def prepare(config: Config) -> None:
    """Decode, check and shrink every picture, and refuse to train on pictures of a benchmark.

    Raises:
        LeakError: if a training picture is one of a benchmark, or a version of it.
        DataError: if a picture cannot be used.
    """
    training = _prepare_training_set(config)
    benchmarks = [_prepare_benchmark(name, config) for name in config.benchmark]
    if config.data.single is not None:
        log.info(
            "no leak audit: by design, the training and the benchmark are parts of one picture, and"
            " the withheld part (mode %s) was cut off before",
            config.data.single.mode,
        )
    elif leaks := find_leaks(training, benchmarks, progress=track):
        training.discard()
        raise LeakError(leaks)


def _prepare_training_set(config: Config) -> PreparedDataset:
    folder, limits = raw(config) / TRAINING_SET, config.prepare
    pictures = _without(_pictures(folder / "hr" if config.data.pairs else folder), config)
    return prepare_training_set(
        pictures,
        prepared(config) / TRAINING_SET,
        name=config.data.name,
        scales=config.data.scales,
        validation_fraction=config.data.validation_fraction,
        validation=VALIDATION if config.data.single is not None else None,
        degradation=None if config.degradation.is_bicubic else config.degradation,
        low_resolution=_given_pairs(pictures, config) if config.data.pairs else bicubic_lr,
        checks=Checks(limits.bad_images, limits.max_pixels, limits.min_side),
        original_paths=_users_training_files(config),
        progress=track,
    )


def _given_pairs(pictures: list[Path], config: Config) -> LowResolution:
    from drnsr.data.pairs import GivenPairs

    folder = raw(config) / TRAINING_SET
    low = {scale: _pictures(folder / f"lr_x{scale}") for scale in config.data.scales}
    limits = config.prepare
    return GivenPairs(
        pictures,
        low,
        max_pixels=limits.max_pixels,
        max_shift=limits.max_shift,
        original_paths=_users_training_files(config),
    )


def _users_training_files(config: Config) -> dict[Path, Path]:
    """Return the user's own file of each copy below data/raw, for messages."""
    if config.data.folder is None:
        return {}
    source, copies = Path(config.data.folder), raw(config) / TRAINING_SET
    if not config.data.pairs:
        return original_paths(source, copies / config.data.name)
    parts = ("hr", *(f"lr_x{scale}" for scale in config.data.scales))
    return {
        copy: file
        for part in parts
        for copy, file in original_paths(source / part, copies / part).items()
    }


def _prepare_benchmark(name: str, config: Config) -> PreparedDataset:
    folder, benchmark = raw(config) / BENCHMARKS / name, config.benchmark[name]
    return prepare_benchmark(
        _pictures(folder),
        prepared(config) / BENCHMARKS / name,
        name=benchmark_dataset_name(config, name),
        degradation=benchmark.degradation,
        scales=[] if benchmark.degradation is None else config.data.scales,
        max_pixels=config.prepare.max_pixels,
        original_paths=original_paths(Path(benchmark.folder), folder)
        if benchmark.folder is not None
        else None,
        progress=track,
    )


def _without(pictures: list[Path], config: Config) -> list[Path]:
    names = {picture.name for picture in pictures}
    for name in config.data.exclude:
        if name not in names:
            raise DataError(f"data.exclude: there is no picture called {name}")
    return [picture for picture in pictures if picture.name not in config.data.exclude]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: nothing was fetched; run `dvc repro fetch` first")
    return sorted(path for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    run_stage(prepare)
