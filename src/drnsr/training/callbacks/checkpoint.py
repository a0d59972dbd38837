"""The state of a run on disk, so that it can go on wherever it was ended."""

import logging
import re
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch

from drnsr.atomic import atomic_path, naming_file
from drnsr.hashing import file_sha256
from drnsr.training.callbacks.nonfinite import are_finite
from drnsr.training.scalars import VAL_PSNR
from drnsr.weights.training_state import FINGERPRINT, NETWORK, self_description

log = logging.getLogger("drnsr")

BEST_FILE = "best.ckpt"

# Stands in a run's folder once its result is written: the states are needed no more.
_FINISHED = "finished"

# The name carries the hash of the content: one rename makes a file both complete and checkable.
_NAME = re.compile(r"step-(?P<step>\d+)-(?P<sha256>[0-9a-f]{16})\.ckpt")


class Checkpoints(L.Callback):
    """Writes the state of a run now and then, and the best by validation PSNR beside it.

    A state is taken between two steps, when the step before and its validation are wholly over, so
    that what goes on from it neither repeats nor leaves out anything. After the last step none is
    taken: what is left to do then is to write the result.

    Args:
        folder: of this run alone.
        fingerprint: of everything that the run is the result of.
        seconds: between two states; a large network's take some to write. 0 for one a step.
        keep: how many states are kept, the newest ones.

    Attributes:
        folder: as above.
    """

    def __init__(self, folder: Path, *, fingerprint: str, seconds: float, keep: int) -> None:
        self.folder = folder
        self._fingerprint = fingerprint
        self._seconds = seconds
        self._keep = keep
        self._best = float("-inf")
        self._written = 0  # the step of the newest state
        self._written_at = time.monotonic()

    def newest(self) -> Path | None:
        """The newest complete state; torn, changed and foreign ones are named and passed over.

        Returns:
            None where there is none to go on from.
        """
        for path in _states(self.folder):
            if not file_sha256(path).startswith(_parts(path)["sha256"]):
                log.warning("%s is damaged (its content has another sha256); passed over", path)
            elif _fingerprint_of(path) != self._fingerprint:
                log.warning("%s is of another configuration, data or code; passed over", path)
            else:
                step = _step_of(path)
                log.info("going on after step %s (%s; without it, from the start)", step, path)
                return path
        return None

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Write a state, when it is time."""
        if time.monotonic() >= self._written_at + self._seconds:
            self.write(trainer)

    def write(self, trainer: L.Trainer) -> None:
        """Write the state as it is now, and remove those that are too many.

        None is written of weights that are infinite or no numbers: nothing good comes of them.

        Raises:
            OSError: the disk is full; the states before are as they were.
        """
        if trainer.global_step == self._written or not are_finite(trainer.lightning_module):
            return  # the next loss will tell why
        self._written = trainer.global_step
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / "partial.ckpt"
        try:
            with naming_file(self.folder):
                trainer.save_checkpoint(partial)
            name = f"step-{trainer.global_step:08d}-{file_sha256(partial)[:16]}.ckpt"
            with atomic_path(self.folder / name) as beside:
                partial.replace(beside)
        finally:
            partial.unlink(missing_ok=True)
        for old in _states(self.folder)[self._keep :]:
            old.unlink()
        self._written_at = time.monotonic()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the best."""
        psnr = float(trainer.callback_metrics[VAL_PSNR.name])
        if psnr > self._best:
            self._best = psnr
            with atomic_path(self.folder / BEST_FILE) as beside, naming_file(self.folder):
                trainer.save_checkpoint(beside)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say whose state it is, and of which network."""
        checkpoint[FINGERPRINT] = self._fingerprint
        checkpoint[NETWORK] = self_description(pl_module.network)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """What this callback must know to go on."""
        return {"best": self._best, "written": self._written}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._best, self._written = state_dict["best"], state_dict["written"]


def mark_finished(folder: Path) -> None:
    """Note that the result of a run is written, so that its states may be removed."""
    (folder / _FINISHED).touch()


def is_finished(folder: Path) -> bool:
    """Whether the result of the run in this folder is written."""
    return (folder / _FINISHED).exists()


def newest_step(folder: Path) -> int:
    """The step from which the run in this folder can go on; 0 for its start."""
    return max(map(_step_of, _states(folder)), default=0)


def _states(folder: Path) -> list[Path]:
    """The newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=_step_of, reverse=True)


def _parts(state: Path) -> re.Match[str]:
    match = _NAME.fullmatch(state.name)
    assert match is not None
    return match


def _step_of(state: Path) -> int:
    return int(_parts(state)["step"])


def _fingerprint_of(path: Path) -> object:
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return state.get(FINGERPRINT)
