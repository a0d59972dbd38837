"""Stage `prepare`: turn data/raw into data sets of raw pixels in data/prepared."""

import logging
from pathlib import Path

from drnsr.config.schema import Config
from drnsr.data.audit import LeakAudit, write_audit
from drnsr.data.folders import original_paths, suffixes_of
from drnsr.data.leaks import LeakError, find_leaks
from drnsr.data.patterns import unmatched, value_for
from drnsr.data.prepare import (
    Checks,
    LowResolution,
    Part,
    bicubic_lr,
    prepare_benchmark,
    prepare_training_set,
)
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.data.readers import Reader, make_reader
from drnsr.data.single import VALIDATION
from drnsr.data.through_plane import HIGH, low_folder
from drnsr.project import BENCHMARKS, LEAK_AUDIT, TRAINING_SET
from drnsr.terminal import track
from pipelines.app import run_stage
from pipelines.paths import prepared, raw
from pipelines.prepared import benchmark_dataset_name

log = logging.getLogger("drnsr")

_VALIDATION_SLICES = 0.05  # of the slices of a volume


def prepare(config: Config) -> None:
    """Decode, check and shrink every picture, and refuse to train on pictures of a benchmark.

    Raises:
        LeakError: if a training picture is one of a benchmark, or a version of it.
        DataError: if a picture cannot be used.
    """
    record = prepared(config) / LEAK_AUDIT
    record.unlink(missing_ok=True)  # of other data
    training = _prepare_training_set(config)
    benchmarks = [_prepare_benchmark(name, config) for name in config.benchmark]
    if config.data.single is not None:
        log.info(
            "no leak audit: by design, the training and the benchmark are parts of one picture, and"
            " the withheld part (mode %s) was cut off before",
            config.data.single.mode,
        )
        benchmarks = []
    elif leaks := find_leaks(training, benchmarks, progress=track):
        training.discard()
        raise LeakError(leaks)
    write_audit(record, LeakAudit.passed(training, benchmarks))


def _prepare_training_set(config: Config) -> PreparedDataset:
    limits, reader = config.prepare, make_reader(config.data.pixels)
    parts = _parts(config, reader)
    return prepare_training_set(
        parts,
        prepared(config) / TRAINING_SET,
        name=config.data.name,
        scales=config.data.scales,
        reader=reader,
        degradation=None if config.degradation.is_bicubic else config.degradation,
        low_resolution=_low_resolution(parts, config),
        dense=config.data.crop_grid == "hr",
        checks=Checks(limits.bad_images, limits.max_pixels, limits.min_side),
        original_paths=_users_training_files(config),
        progress=track,
    )


def _parts(config: Config, reader: Reader) -> list[Part]:
    """Return the parts of the training set, with the pictures that were fetched for each."""
    folder = raw(config) / TRAINING_SET
    if config.data.single is not None:
        if config.data.single.mode == "through_plane":
            return [Part(_pictures(folder / HIGH), _VALIDATION_SLICES)]
        return [Part(_pictures(folder), VALIDATION)]
    parts = []
    for name, part in config.data.parts.items():
        pictures = _pictures(folder / name / "hr" if config.data.pairs else folder / name)
        names = [picture.name for picture in pictures]
        for key, chosen in (("exclude", part.exclude), ("shrink", list(part.shrink))):
            if wrong := unmatched(chosen, names):
                raise DataError(f"data.parts.{name}.{key}: there is no picture called {wrong[0]}")
        out = dict.fromkeys(part.exclude, True)
        kept = [picture for picture in pictures if not value_for(picture.name, out, default=False)]
        parts.append(Part(reader.pictures(kept), part.validation_fraction, part.shrink, name))
    return parts


def _low_resolution(parts: list[Part], config: Config) -> LowResolution:
    """Return what makes LR: MATLAB's bicubic, or the files that lie beside HR."""
    folder, single = raw(config) / TRAINING_SET, config.data.single
    if config.data.pairs:
        ((name, _),) = config.data.parts.items()
        folder = folder / name
    elif single is None or single.mode != "through_plane":
        return bicubic_lr
    from drnsr.data.pairs import GivenPairs

    low = {scale: _pictures(folder / low_folder(scale)) for scale in config.data.scales}
    limits = config.prepare
    return GivenPairs(
        [picture for part in parts for picture in part.pictures],
        low,
        max_pixels=limits.max_pixels,
        max_shift=limits.max_shift,
        original_paths=_users_training_files(config),
    )


def _users_training_files(config: Config) -> dict[Path, Path]:
    """Return the user's own file of each copy below data/raw, for messages."""
    inner = (
        ["hr", *(f"lr_x{scale}" for scale in config.data.scales)] if config.data.pairs else ["."]
    )
    return {
        copy: file
        for name, part in config.data.parts.items()
        if part.folder is not None
        for each in inner
        for copy, file in original_paths(
            Path(part.folder) / each,
            raw(config) / TRAINING_SET / name / each,
            suffixes_of(config.data.pixels),
        ).items()
    }


def _prepare_benchmark(name: str, config: Config) -> PreparedDataset:
    folder, benchmark = raw(config) / BENCHMARKS / name, config.benchmark[name]
    reader = make_reader(benchmark.pixels)
    return prepare_benchmark(
        reader.pictures(_pictures(folder)),
        prepared(config) / BENCHMARKS / name,
        name=benchmark_dataset_name(config, name),
        reader=reader,
        degradation=benchmark.degradation,
        scales=[] if benchmark.degradation is None else config.data.scales,
        max_pixels=config.prepare.max_pixels,
        original_paths=original_paths(Path(benchmark.folder), folder, suffixes_of(benchmark.pixels))
        if benchmark.folder is not None
        else None,
        progress=track,
    )


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: nothing was fetched; run `dvc repro fetch` first")
    return sorted(path for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    run_stage(prepare)
