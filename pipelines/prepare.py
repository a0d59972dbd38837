"""Stage `prepare`: data/raw into packs of raw pixels in data/prepared."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.progress import track

from drnsr.data.leaks import LeakError, find_leaks
from drnsr.data.packing import DataError, Pack, pack_benchmark, pack_training_set
from pipelines.app import run_stage
from pipelines.paths import BENCHMARKS, PREPARED, RAW, TRAINING_SET


def prepare(config: DictConfig) -> None:
    """Decode, check, shrink and pack every picture; refuse to train on what is measured on."""
    folder = PREPARED / TRAINING_SET
    training = pack_training_set(
        _without(_pictures(RAW / TRAINING_SET), list(config.data.exclude)),
        folder,
        name=config.data.name,
        scales=list(config.data.scales),
        validation_fraction=config.data.validation_fraction,
        progress=lambda pictures: _track(pictures, config.data.name),
    )
    benchmarks = [_prepare_benchmark(str(name), config) for name in config.benchmark]
    if leaks := find_leaks(training, benchmarks, progress=track):
        training.discard()
        raise LeakError(leaks)


def _prepare_benchmark(name: str, config: DictConfig) -> Pack:
    return pack_benchmark(
        _pictures(RAW / BENCHMARKS / name),
        PREPARED / BENCHMARKS / name,
        name=Path(config.benchmark[name].registry).stem,
        progress=lambda pictures: _track(pictures, name),
    )


def _without(pictures: list[Path], excluded: list[str]) -> list[Path]:
    names = {picture.name for picture in pictures}
    for name in excluded:
        if name not in names:
            raise DataError(f"data.exclude: there is no picture called {name}")
    return [picture for picture in pictures if picture.name not in excluded]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: nothing was fetched; run `dvc repro fetch` first")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _track(pictures: Iterable[Path], name: str) -> Iterator[Path]:
    yield from track(pictures, description=f"preparing {name}")


if __name__ == "__main__":
    run_stage(prepare)
