"""What the tests share: small pictures of our own making, and the mirror of real files, if any."""

import gc
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from drnsr.data.prepared import PreparedDataset

# Nothing that a test imports may reach for the network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

# Each core has a process of its own, in which more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What is imported stays: to look through it for garbage takes a fifth of the time of the imports.
gc.disable()

PROJECT = Path(__file__).resolve().parents[1]
MIRROR = Path(os.environ.get("DRNSR_MIRROR", PROJECT.parent / "shared" / "mirror"))

# A long test that starts last keeps one worker busy while the other has nothing left.
LONGEST = tuple(
    f"tests/{name}"
    for name in (
        *(
            "pipeline/test_documentation.py",
            "pipeline/test_reproduce.py",
            "pipeline/test_resume.py",
        ),
        *("pipeline/test_graph.py", "training/test_distributed.py", "pipeline/", ""),
    )
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file without slow tests when those alone are run; each worker imports all."""
    if config.option.markexpr != "slow" or collection_path.suffix != ".py":
        return None
    return None if "mark.slow" in collection_path.read_text() else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files whose tests take longest; the tests of a file stay together."""

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(PROJECT).as_posix()
        return next(number for number, start in enumerate(LONGEST) if file.startswith(start))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Collect garbage from here on, but not in what was imported."""
    gc.freeze()
    gc.enable()


def texture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture with detail at many sizes: sums of random waves."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.zeros((height, width, channels))
    for _ in range(12):
        frequency = random.uniform(-0.6, 0.6, 2)
        phase = random.uniform(0, 2 * np.pi, channels)
        picture += np.sin((frequency[0] * y + frequency[1] * x)[:, :, None] + phase)
    return np.uint8(np.clip(127 + 25 * picture, 0, 255))


def with_values(node, values: dict):
    """A copy of a configuration with other values, by dotted key; none is checked."""
    for key, value in values.items():
        name, _, rest = key.partition(".")
        if rest:
            value = with_values(
                node[name] if isinstance(node, dict) else getattr(node, name), {rest: value}
            )
        changed = {name: value}
        node = node | changed if isinstance(node, dict) else node.model_copy(update=changed)
    return node


def free_port() -> int:
    """A port of this machine that no one listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_pictures(folder: Path) -> Path:
    """Make four pictures of 96 to 102 pixels in a folder, one of them gray."""
    folder.mkdir()
    for number in range(4):
        pixels = texture(96 + 2 * number, 100, 1 if number == 3 else 3, seed=number)
        Image.fromarray(pixels.squeeze()).save(folder / f"picture{number}.png")
    return folder


def make_dataset(pictures: Path, folder: Path, *, dense: bool = False) -> "PreparedDataset":
    """Prepare the pictures of a folder for scales 2 and 3; one of four is for validation."""
    from drnsr.data.prepare import (  # torch, which pytest-xdist itself spares
        Part,
        prepare_training_set,
    )

    return prepare_training_set(
        [Part(sorted(pictures.iterdir()), 0.25)],
        folder,
        name="mine",
        scales=[2, 3],
        dense=dense,
    )


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """A folder with the pictures of :func:`make_pictures`."""
    return make_pictures(tmp_path / "pictures")


@pytest.fixture
def dataset(picture_folder: Path, tmp_path: Path) -> "PreparedDataset":
    """The pictures of ``picture_folder``, prepared."""
    return make_dataset(picture_folder, tmp_path / "dataset")


@pytest.fixture
def dense_dataset(picture_folder: Path, tmp_path: Path) -> "PreparedDataset":
    """The same, with an LR pixel for each HR pixel."""
    return make_dataset(picture_folder, tmp_path / "dense_dataset", dense=True)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's, to be copied: to make its tables takes seconds."""
    from drnsr.tracking.store import open_store

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_store(f"sqlite:///{path}")
    return path


@pytest.fixture
def mirror() -> Path:
    """The mirror of real benchmark files; a test that needs it is left out where there is none."""
    if not MIRROR.is_dir():
        pytest.skip("no mirror of the benchmark files here")
    return MIRROR


def benchmark_files(mirror: Path, name: str, scale: int) -> list[tuple[Path, Path]]:
    """The (HR, LR) files of Set5 or Set14, as MATLAB made them."""
    folder = next(mirror.glob(f"*/jbhuang0604/SelfExSR/*/data/{name}/image_SRF_{scale}"))
    hr_files = sorted(folder.glob("*_HR.png"))
    return [(hr, hr.with_name(hr.name.replace("_HR", "_LR"))) for hr in hr_files]


@pytest.fixture
def small_disk():
    """Files can grow to 50 kB and no further, as on a disk that fills up."""
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
