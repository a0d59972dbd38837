"""Short names for what a result depends on: equal inputs have equal fingerprints."""

import json
from collections.abc import Iterable
from pathlib import Path

import drnsr
from drnsr.hashing import file_sha256, sha256_of

# The code that decides what a training gives. dvc.yaml lists the same for the stage `train`.
TRAINING_CODE = (
    "cuda_graphs.py",
    "weights",
    "data/crops.py",
    "data/draws.py",
    "data/datamodule.py",
    "data/prepared.py",
    "data/resident.py",
    "hashing.py",
    "images/colour.py",
    "images/files.py",
    "images/resize.py",
    "networks",
    "training",
)


def fingerprint(content: object) -> str:
    """The sha256 in hex of anything that JSON can say, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256_of([text.encode()])


def code_fingerprint(places: Iterable[str] = TRAINING_CODE) -> str:
    """The fingerprint of source files: modules of drnsr, or whole subpackages."""
    package = Path(drnsr.__file__).parent
    files = sorted(file for place in places for file in _python_files(package / place))
    return fingerprint({file.relative_to(package).as_posix(): file_sha256(file) for file in files})


def _python_files(place: Path) -> Iterable[Path]:
    return place.rglob("*.py") if place.is_dir() else [place]
