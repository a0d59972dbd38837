"""The folders with the states of trainings: what they hold, and their removal."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from drnsr.locks import LockedError, folder_lock
from drnsr.project import runs
from drnsr.tracking.outbox import outboxes_of
from drnsr.training.callbacks.checkpoint import is_finished, newest_step
from drnsr.training.continuing import needed_by


@dataclass(frozen=True)
class StateFolder:
    """The folder with the states of one training.

    Attributes:
        path: the folder.
        size: in bytes.
        progress: how far the training is, in words.
        removable: whether it can be removed: it is not in use, and MLflow has all of it.
    """

    path: Path
    size: int
    progress: str
    removable: bool


def list_state_folders(*, unfinished: bool) -> list[StateFolder]:
    """List the folders of all trainings of the project.

    Args:
        unfinished: whether the states of a training that could be resumed are removable.
    """
    folders = [path for path in sorted(runs().glob("*")) if path.is_dir()]
    needed = {each for path in folders for each in needed_by(path)}
    return [_inspect(path, unfinished, is_needed=path in needed) for path in folders]


def remove_state_folder(folder: StateFolder) -> None:
    """Remove a folder.

    Raises:
        LockedError: if a training has been resumed in it meanwhile.
    """
    with folder_lock(folder.path):
        shutil.rmtree(folder.path)


def _inspect(path: Path, unfinished: bool, *, is_needed: bool) -> StateFolder:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    try:
        with folder_lock(path):
            finished = is_finished(path)
            progress = "finished" if finished else f"ended after step {newest_step(path)}"
            if any(outbox.undelivered for outbox in outboxes_of(path)):
                progress += ", and MLflow misses something: `drnsr sync`"
                return StateFolder(path, size, progress, removable=False)
            if is_needed and not unfinished:
                progress += ", and another training goes on from it"
                return StateFolder(path, size, progress, removable=False)
            return StateFolder(path, size, progress, removable=finished or unfinished)
    except LockedError:
        return StateFolder(path, size, "running", removable=False)
