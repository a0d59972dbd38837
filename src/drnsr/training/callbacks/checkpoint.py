"""The state of a run on disk, from which it can resume."""

import logging
import re
import time
from collections.abc import Container
from pathlib import Path
from typing import Any

import lightning as L
import torch

from drnsr.atomic import atomic_path, naming_file
from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.training.callbacks.nonfinite import are_finite
from drnsr.training.processes import any_process, starts_step
from drnsr.training.scalars import VAL_PSNR
from drnsr.training.schedules import advance
from drnsr.weights.native import EarlierPart
from drnsr.weights.training_state import FINGERPRINT, NETWORK, self_description

log = logging.getLogger("drnsr")

BEST_FILE = "best.ckpt"

# A file in a run's folder once its result is written, and its states are no longer needed.
_FINISHED = "finished"

# The name has the hash of the content, so that a file that has its name is complete and can be
# verified. The state after the last step, from which a longer training starts, is called `last`.
_NAME = re.compile(r"(?P<kind>step|last)-(?P<step>\d+)-(?P<sha256>[0-9a-f]{16})\.ckpt")


class DamagedStatesError(UserError):
    """A run has states, and none is intact."""


class TrainingStateCheckpoint(L.Callback):
    """Saves the state of a run at intervals, and the state with the best validation PSNR.

    A state is saved between two steps, after the validation of the previous one, so that a resumed
    run neither repeats nor skips anything. One more is saved after the last step, for a longer run
    to start from.

    Args:
        folder: the folder of this run alone.
        fingerprint: fingerprint of everything that determines the result of the run.
        seconds: time between two states; 0 for a state after every step.
        keep: how many states to keep, the newest ones.
        before: the part of another training that this one goes on from; its state is in the folder.

    Attributes:
        folder: as above.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: str,
        seconds: float,
        keep: int,
        before: EarlierPart | None = None,
    ) -> None:
        self.folder = folder
        self._fingerprint = fingerprint
        self._before = before
        self._is_extending = False  # whether this call loads the last state of a shorter run
        self._seconds = seconds
        self._keep = keep
        self._best = float("-inf")
        self._written = 0  # the step of the newest state
        self._written_at = time.monotonic()

    def newest(self) -> Path | None:
        """Return the newest intact state of this run; log the others that are skipped.

        Returns:
            The file, or None if there is no state to resume from.

        Raises:
            DamagedStatesError: if the run goes on from another one, and no state is intact.
        """
        known = {self._fingerprint} | ({self._before.training} if self._before else set())
        path = newest_intact(self.folder, known)
        if path is not None:
            step = step_of(path)
            log.info("resuming after step %s (from %s; remove it to start anew)", step, path)
        elif self._before is not None:
            raise DamagedStatesError(
                f"{self.folder}: no state is intact; remove the folder, and the same command takes"
                " the earlier one again"
            )
        return path

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
        if self._save(trainer, "step") is None:
            return
        for old in _states(self.folder)[self._keep :]:
            old.unlink()
        self._written_at = time.monotonic()

    def _save(self, trainer: L.Trainer, kind: str) -> Path | None:
        """Save the state in the first process; the others take part, and return None."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.folder)
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / "partial.ckpt"
        try:
            with naming_file(self.folder):
                trainer.save_checkpoint(partial)
            name = f"{kind}-{trainer.global_step:08d}-{file_sha256(partial)[:16]}.ckpt"
            with atomic_path(self.folder / name) as beside:
                partial.replace(beside)
            return self.folder / name
        finally:
            partial.unlink(missing_ok=True)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the state after the last step and its validation, before the averages are taken."""
        if not are_finite(pl_module):
            return
        saved = self._save(trainer, "last")
        if saved is None:
            return
        for old in _states(self.folder, "last"):
            if old != saved:
                old.unlink()

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

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on before the next step, whatever a batch of the loader was when the state was saved.

        A schedule of another length is not loaded: :meth:`on_train_start` makes it.
        """
        loops = checkpoint["loops"]["fit_loop"]
        batches = checkpoint["global_step"] * trainer.accumulate_grad_batches
        done = {"ready": batches + 1, "started": batches, "processed": batches}
        progress = loops["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            counts.update(done, completed=batches)
        progress["is_last_batch"] = False
        for counts in (loops["epoch_progress"]["total"], loops["epoch_progress"]["current"]):
            counts.update(ready=1, started=1, processed=0, completed=0)
        is_own = checkpoint[FINGERPRINT] == self._fingerprint
        self._is_extending = not is_own and self._before is not None and self._before.extended
        if self._is_extending:
            checkpoint["lr_schedulers"] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Bring the schedules of an extended run to its step."""
        if self._is_extending:
            for config in trainer.lr_scheduler_configs:
                advance(config.scheduler, trainer.global_step)
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            log.info(
                "the learning rate goes on at %.3g, as in a training of %s steps",
                rate,
                trainer.max_steps,
            )

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
    return max(map(step_of, _states(folder)), default=0)


def newest_intact(folder: Path, fingerprints: Container[object] | None = None) -> Path | None:
    """Return the newest intact state in a folder; log the others that are skipped.

    Args:
        folder: of a run.
        fingerprints: of the runs whose states are taken; None for any.
    """
    for path in _states(folder):
        if not is_intact(path):
            log.warning("%s is damaged (its content has another sha256); skipped", path)
        elif fingerprints is not None and _fingerprint_of(path) not in fingerprints:
            log.warning("%s is no state of this configuration, data and code; skipped", path)
        else:
            return path
    return None


def last_state(folder: Path) -> Path | None:
    """Return the state after the last step of the run in a folder; None if there is none."""
    return next(iter(_states(folder, "last")), None)


def is_intact(state: Path) -> bool:
    """Return whether the content of a state is what was written."""
    return file_sha256(state).startswith(_parts(state)["sha256"])


def _states(folder: Path, kind: str = "step") -> list[Path]:
    """Return the states of a kind in a folder, the newest first."""
    if not folder.is_dir():
        return []
    named = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    states = [path for path in named if _parts(path)["kind"] == kind]
    return sorted(states, key=step_of, reverse=True)


def _parts(state: Path) -> re.Match[str]:
    match = _NAME.fullmatch(state.name)
    assert match is not None
    return match


def step_of(state: Path) -> int:
    """Return the step after which a state was written, from its name."""
    return int(_parts(state)["step"])


def _fingerprint_of(path: Path) -> object:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return state.get(FINGERPRINT)
    except Exception:  # a file that this program did not write can raise any exception
        return None
