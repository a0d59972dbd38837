"""The files and folders of a project: what each is called, and where it is."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""The folder of the package drnsr."""

# Names that are relative to the project's folder.
PARAMS = Path("params.yaml")
RESOLVED = Path("resolved.yaml")
PACKAGE_FILE = Path("package.yaml")  # hashes of the installed package, in a project made by `new`
DATA = Path("data")
DOWNLOADS = DATA / "downloads"
OWN_SOURCES = Path("src")  # networks of the project's own
_CONF = Path("conf")

# Names in the folder of the data, which a run may choose.
RAW = "raw"
PREPARED = "prepared"
TRAINING_SET = "train"
BENCHMARKS = "benchmarks"
LEAK_AUDIT = "leak_audit.json"

# Names in the folder of a run's outputs: the project's own, or that of a run by hand.
MODEL = Path("models/model.safetensors")
METRICS = Path("metrics")
CURVES = METRICS / "curves"
SUMMARY = METRICS / "benchmark.json"
PER_IMAGE = METRICS / "per_image.csv"
VERIFICATION = METRICS / "verify.json"
PICTURES = Path("pictures")
VIEWS = "views"  # in the folder of a benchmark's pictures
REPORT = Path("reports/index.html")
CIRCUMSTANCES = REPORT.parent / "times"


def is_project(folder: Path) -> bool:
    """Return whether a folder is that of a project; other programs have a conf/ too."""
    return (folder / PARAMS).is_file() and (folder / _CONF / "registry").is_dir()


REPOSITORY = PACKAGE.parents[1] if is_project(PACKAGE.parents[1]) else None
"""The folder of drnsr's own repository, if the package runs from its sources."""

PROJECT_FILES = PACKAGE / "new_project" / "files"
"""Where an installed package has the files of a new project; they are in the repository itself."""

SHIPPED = REPOSITORY or PROJECT_FILES
"""The folder with a project's files as they came with the package."""

CONF = ((Path() if is_project(Path()) else SHIPPED) / _CONF).resolve()
"""The groups of the configuration: the project's here, or else those that came with the package."""

REGISTRIES = CONF / "registry"
"""The folder with the lists of files of each data set."""


def project_root() -> Path:
    """Return the project's folder; in a queued experiment, which runs in a copy, the original's."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def downloads() -> Path:
    """Return the folder of the downloaded files, which all runs and queued experiments share."""
    return project_root() / DOWNLOADS


def evaluation_cache() -> Path:
    """Return the folder in which ``drnsr evaluate`` keeps the benchmarks that it has prepared."""
    return project_root() / DATA / "evaluate"


def runs() -> Path:
    """Return the folder with a folder for each training: see :func:`run_folder`."""
    return project_root() / "runs"


def run_folder(fingerprint: str) -> Path:
    """Return the folder for the training states, the outboxes and the costs of one training.

    It is none of DVC's outputs, which DVC removes before a stage runs.

    Args:
        fingerprint: of all that the training is the result of.
    """
    return runs() / fingerprint[:16]


def run_name(fingerprint: str) -> str:
    """Return the name of the folder of one training within the project."""
    return f"runs/{run_folder(fingerprint).name}"


def tracking_database() -> Path:
    """Return the SQLite file in which MLflow keeps the runs of the project."""
    return project_root() / "mlflow.db"


def tracking_artifacts() -> Path:
    """Return the folder in which MLflow keeps the files of the project's runs."""
    return project_root() / "mlruns"


def missing_in_copy(path: Path) -> str:
    """Explain why a file or folder is missing in a queued experiment's copy of the project.

    Args:
        path: a path of the user's; a relative one is looked for in the copy.

    Returns:
        The end of a sentence; empty if the copy has all that the project has at this path.
    """
    original = project_root() / path
    if path.is_absolute() or not original.exists():
        return ""
    files = original.rglob("*") if original.is_dir() else [original]
    if all((path / file.relative_to(original)).exists() for file in files):
        return ""
    return f" here: queued runs work in a copy of what git knows; name it by its path, {original}"
