"""The state of a run on disk, from which it can resume."""

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
from drnsr.training.processes import any_process, starts_step
from drnsr.training.scalars import VAL_PSNR
from drnsr.weights.training_state import FINGERPRINT, NETWORK, self_description

log = logging.getLogger("drnsr")

BEST_FILE = "best.ckpt"

# A file in a run's folder once its result is written, and its states are no longer needed.
_FINISHED = "finished"

# The name has the hash of the content, so that a file that has its name is complete and can be
# verified.
_NAME = re.compile(r"step-(?P<step>\d+)-(?P<sha256>[0-9a-f]{16})\.ckpt")


class TrainingStateCheckpoint(L.Callback):
    """Saves the state of a run at intervals, and the state with the best validation PSNR.

    A state is saved between two steps, after the validation of the previous one, so that a resumed
    run neither repeats nor skips anything. No state is saved after the last step, when only the
    result is left to write.

    Args:
        folder: the folder of this run alone.
        fingerprint: fingerprint of everything that determines the result of the run.
        seconds: time between two states; 0 for a state after every step.
        keep: how many states to keep, the newest ones.

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
        """Return the newest intact state of this run; log the others that are skipped.

        Returns:
            The file, or None if there is no state to resume from.
        """
        for path in _states(self.folder):
            if not file_sha256(path).startswith(_parts(path)["sha256"]):
                log.warning("%s is damaged (its content has another sha256); skipped", path)
            elif _fingerprint_of(path) != self._fingerprint:
                log.warning("%s is no state of this configuration, data and code; skipped", path)
            else:
                step = _step_of(path)
                log.info("resuming after step %s (from %s; remove it to start anew)", step, path)
                return path
        return None

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,  # noqa: ANN401 (Lightning's own signature)
        batch_idx: int,
    ) -> None:
        """Save a state before a step, if the interval has passed in one of the processes."""
        if not starts_step(trainer, batch_idx):
            return
        if any_process(trainer, time.monotonic() >= self._written_at + self._seconds):
            self.write(trainer)

    def write(self, trainer: L.Trainer) -> None:
        """Save the current state, and remove old ones beyond ``keep``.

        All processes call it, and the first one writes. Nothing is saved if weights are NaN or
        infinite.

        Raises:
            OSError: if the disk is full; earlier states are unchanged.
        """
        if trainer.global_step == self._written or not are_finite(trainer.lightning_module):
            return  # the next loss reports NaN or infinite weights
        self._written = trainer.global_step
        self._written_at = time.monotonic()
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.folder)  # takes part, and writes nothing
            return
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
        """Save the state if it is the best."""
        psnr = float(trainer.callback_metrics[VAL_PSNR.name])
        if psnr > self._best:
            self._best = psnr
            if not trainer.is_global_zero:
                trainer.save_checkpoint(self.folder)  # takes part, and writes nothing
                return
            with atomic_path(self.folder / BEST_FILE) as beside, naming_file(self.folder):
                trainer.save_checkpoint(beside)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the fingerprint of the run, and the description of the network."""
        checkpoint[FINGERPRINT] = self._fingerprint
        checkpoint[NETWORK] = self_description(pl_module.described_network)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """Return what this callback needs to resume."""
        return {"best": self._best, "written": self._written}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a state."""
        self._best, self._written = state_dict["best"], state_dict["written"]


def mark_finished(folder: Path) -> None:
    """Mark that the result of a run is written, so that its states may be removed."""
    (folder / _FINISHED).touch()


def is_finished(folder: Path) -> bool:
    """Return whether the result of the run in this folder is written."""
    return (folder / _FINISHED).exists()


def newest_step(folder: Path) -> int:
    """Return the step after which the run in this folder can resume; 0 for its start."""
    return max(map(_step_of, _states(folder)), default=0)


def _states(folder: Path) -> list[Path]:
    """Return the states in a folder, the newest first."""
    if not folder.is_dir():
        return []
    states = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(states, key=_step_of, reverse=True)


def _parts(state: Path) -> re.Match[str]:
    match = _NAME.fullmatch(state.name)
    assert match is not None
    return match


def _step_of(state: Path) -> int:
    return int(_parts(state)["step"])


def _fingerprint_of(path: Path) -> object:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return state.get(FINGERPRINT)
    except Exception:  # a file that this program did not write can raise any exception
        return None
