"""Stage `fetch`: fetch the files of the training set and the benchmarks into data/raw.

``DRNSR_MIRROR``, a folder or a URL, replaces the web.
"""

import logging
import os
import shutil
from pathlib import Path

from drnsr.config.schema import Config, Single
from drnsr.data.download import FetchError
from drnsr.data.folders import copy_pairs, copy_pictures, suffixes_of
from drnsr.data.registry import fetch_file, fetch_registry
from drnsr.data.single import write_parts
from drnsr.data.through_plane import write_slices
from drnsr.project import BENCHMARKS, TRAINING_SET, downloads
from pipelines.app import run_stage
from pipelines.paths import raw
from pipelines.perceptual_weights import (
    OTHER_FEATURES,
    check_features_file,
    features_file,
    features_registry,
)

log = logging.getLogger("drnsr")


def fetch(config: Config) -> None:
    """Fetch every file that the configuration names; each is checked by its hash."""
    shutil.rmtree(raw(config), ignore_errors=True)  # files of another choice
    _fetch_features(config)  # first: an error should come before gigabytes of pictures
    if config.data.single is not None:
        _write_parts(config.data.single, config)
        return
    training = raw(config) / TRAINING_SET
    links: list[Path] = []
    for name, part in config.data.parts.items():
        folder = training / name
        for registry in map(Path, part.registries):
            _fetch(registry, folder / registry.stem, config)
        if part.folder is not None:
            if config.data.pairs:
                links += copy_pairs(Path(part.folder), folder)
            else:
                links += copy_pictures(Path(part.folder), folder, suffixes_of(config.data.pixels))
        elif not part.registries:
            raise FetchError("folder: name the folder of your own pictures")
    for name, benchmark in config.benchmark.items():
        folder = raw(config) / BENCHMARKS / name
        if benchmark.registry is not None:
            _fetch(Path(benchmark.registry), folder, config)
        elif benchmark.folder is not None:
            links += copy_pictures(Path(benchmark.folder), folder, suffixes_of(benchmark.pixels))
        elif name == "single":
            raise FetchError(
                "benchmark: single is the withheld part of one picture; choose data: single"
            )
        else:
            raise FetchError("benchmark_folder: name the folder of your own test pictures")
    if links and not config.run.prepare_before_training:
        log.warning(
            "%s: linked folders; DVC notices no change in them: run `dvc repro -f fetch` after one",
            ", ".join(map(str, links)),
        )


def _fetch_features(config: Config) -> None:
    """Fetch the weights for the perceptual loss, if the training has one."""
    registry, file = features_registry(config), features_file(config)
    if registry is not None and file is not None:
        try:
            fetch_file(registry, file, mirror=_mirror())
        except FetchError as error:
            raise FetchError(f"{error}. {OTHER_FEATURES}") from error
    check_features_file(config)


def _write_parts(single: Single, config: Config) -> None:
    """Split one picture into the part that is trained on and the part that is withheld."""
    if single.image is None:
        raise FetchError("image: name the picture to train on, such as image=docs/small.png")
    if list(config.benchmark) != ["single"]:
        raise FetchError("benchmark: with data: single, choose benchmark: single")
    folders = raw(config) / TRAINING_SET, raw(config) / BENCHMARKS / "single"
    if single.mode == "through_plane":
        write_slices(Path(single.image), *folders, scale=single.scale)
    else:
        write_parts(Path(single.image), *folders, mode=single.mode, scale=single.scale)


def _fetch(registry: Path, folder: Path, config: Config) -> None:
    fetch_registry(
        registry,
        downloads(),
        folder,
        mirror=_mirror(),
        connections=config.fetch.connections,
        max_unpacked=config.fetch.max_unpacked,
    )


def _mirror() -> str | None:
    return os.environ.get("DRNSR_MIRROR") or None


if __name__ == "__main__":
    run_stage(fetch)
