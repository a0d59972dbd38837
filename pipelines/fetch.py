"""Stage `fetch`: the files of the training set and the benchmarks into data/raw.

``DRNSR_MIRROR``, a folder or URL, stands in for the web where there is none.
"""

import os
import shutil
from pathlib import Path

from omegaconf import DictConfig

from drnsr.data.download import FetchError
from drnsr.data.registry import copy_pictures, fetch_registry
from drnsr.tracking.store import project_root
from pipelines.app import run_stage
from pipelines.paths import BENCHMARKS, RAW, TRAINING_SET


def fetch(config: DictConfig) -> None:
    """Fetch every file that the configuration names; each is checked by its hash."""
    downloads = project_root() / "data" / "downloads"
    shutil.rmtree(RAW, ignore_errors=True)  # what another choice has left
    mirror = os.environ.get("DRNSR_MIRROR") or None
    for registry in map(Path, config.data.registries):
        raw = RAW / TRAINING_SET / registry.stem
        fetch_registry(registry, downloads, raw, mirror=mirror)
    if config.data.folder is not None:
        copy_pictures(Path(config.data.folder), RAW / TRAINING_SET / config.data.name)
    elif not config.data.registries:
        raise FetchError("folder: name the folder of your own pictures")
    for name, benchmark in config.benchmark.items():
        raw = RAW / BENCHMARKS / str(name)
        fetch_registry(Path(benchmark.registry), downloads, raw, mirror=mirror)


if __name__ == "__main__":
    run_stage(fetch)
