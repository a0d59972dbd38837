"""What a training goes on from: itself with another number of processes, or a shorter training.

The folder of each training has a file that says what it trains. States are found by it.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from drnsr.atomic import atomic_path, write_text
from drnsr.errors import UserError
from drnsr.locks import LockedError, folder_lock
from drnsr.project import run_folder, runs
from drnsr.training.callbacks.checkpoint import (
    DamagedStatesError,
    is_finished,
    is_intact,
    last_state,
    newest_intact,
    newest_step,
    step_of,
)
from drnsr.training.callbacks.early_stopping import has_stopped
from drnsr.weights.native import EarlierPart, Origin, is_native, read_info

log = logging.getLogger("drnsr")

_FILE = "training.json"

# The values that change the rounding of a step, and nothing else of it.
_ROUNDING = ("devices", "num_nodes", "strategy", "accumulate_grad_batches", "threads", "compile")

# The values, beside these, that an extension may change. What the training started from no longer
# matters.
_EXTENSIBLE = (
    *("trainer.max_steps", "trainer.validate_every", "trainer.log_every"),
    *("scheduler", "optimizer.lr", "datamodule.workers", "init_from"),
)


class ExtendError(UserError):
    """A training that cannot be extended, or not so."""


@dataclass(frozen=True)
class Training:
    """A training.

    Attributes:
        origin: of its model.
        values: of the configuration, as far as the model depends on them.
    """

    origin: Origin
    values: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of its states."""
        return run_folder(self.origin.fingerprint)

    def write(self) -> None:
        """Write into the folder what it trains."""
        content = {"origin": asdict(self.origin), "values": self.values}
        write_text(self.folder / _FILE, json.dumps(content, indent=2) + "\n")

    def after(self, other: "Training", steps: int, *, extended: bool) -> "Training":
        """Return this training as it goes on after a step of another one."""
        origin = other.origin
        part = EarlierPart(origin.fingerprint, steps, origin.computed, extended)
        return replace(self, origin=replace(self.origin, earlier=(*origin.earlier, part)))


def describe_computing(trainer: Mapping[str, Any]) -> str:
    """Say in words how the steps of a training are computed.

    Args:
        trainer: the group of the configuration, without ``auto``.
    """
    count, parts = trainer["devices"] * trainer["num_nodes"], trainer["accumulate_grad_batches"]
    processes = "1 process" if count == 1 else f"{count} processes"
    threads = "1 thread" if trainer["threads"] == 1 else f"{trainer['threads']} threads"
    described = f"{processes} of {threads}"
    if parts > 1:
        described += f", {parts} batches a step"
    return described + (", compiled" if trainer["compile"] is True else "")


def extend(training: Training, source: str) -> tuple[Training, Path]:
    """Return a training as it extends another one, and the state to start from.

    Args:
        training: the new one.
        source: the folder of the other one in runs/, or its model file.

    Raises:
        ExtendError: if the other one is not here, is not finished, is not shorter, or differs in
            more than its length and learning rate, or stopped early and would do so again.
    """
    folder = _folder_of(source)
    other, state = _read(folder), last_state(folder)
    if other is None or not folder.is_dir():
        raise ExtendError(
            f"extend: {source}: the states of this training are not here, in {folder} (they stay on"
            " the machine that trained, until `drnsr gc` removes them); copy the folder here, or"
            " start from the model's weights alone: init_from"
        )
    if state is None:
        raise ExtendError(
            f"extend: {folder}: this training is not finished; its own command goes on after step"
            f" {newest_step(folder)}"
        )
    steps, wanted = step_of(state), training.values["trainer"]["max_steps"]
    if wanted <= steps:
        raise ExtendError(
            f"trainer.max_steps: {wanted} is not more than the {steps} steps that {folder} has"
        )
    for key, before, now in _differences(other.values, training.values):
        if not _may_change(key, now):
            raise ExtendError(
                f"extend: {folder}: it was trained with {key}: {before}, and now it is {now}; only"
                f" {', '.join(_EXTENSIBLE[:-2])} may change (init_from takes the weights alone)"
            )
    if training.values["trainer"].get("early_stopping") and has_stopped(state):
        raise ExtendError(
            f"extend: {folder}: this training stopped early after step {steps}, and a longer one"
            " would stop there too; trainer.early_stopping=null goes on"
        )
    if other.origin.data != training.origin.data:
        raise ExtendError(f"extend: {folder}: it was trained on other pictures, or other prepared")
    if other.origin.code != training.origin.code:
        log.warning("%s was trained by another version of the training code", folder)
    log.info("extending %s after its %s steps", folder, steps)
    return training.after(other, steps, extended=True), state


def _may_change(key: str, now: object) -> bool:
    if key.startswith("trainer.early_stopping"):
        return now is None  # the states have the count of the other settings
    return any(key == known or key.startswith(f"{known}.") for known in _EXTENSIBLE)


def _folder_of(source: str) -> Path:
    path = Path(source)
    if not path.is_file():
        return runs() / path.name
    origin = read_info(path).origin if is_native(path) else Origin()
    if not origin.config:
        raise ExtendError(f"extend: {source}: drnsr did not train this model; init_from takes it")
    return run_folder(origin.fingerprint)


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """Iterate over the values that differ in more than rounding, each with its key."""
    old, new = _leaves(_without_rounding(before)), _leaves(_without_rounding(now))
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    leaves: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= _leaves(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def _without_rounding(values: Mapping[str, Any]) -> dict[str, Any]:
    trainer = {key: value for key, value in values["trainer"].items() if key not in _ROUNDING}
    # The states of sharded weights are of another kind.
    trainer["is_sharded"] = values["trainer"]["strategy"] == "fsdp"
    return {**values, "trainer": trainer}


def find_progress(training: Training) -> tuple[Training, Path | None]:
    """Find the states that a training left when it had another number of processes.

    A training that was computed in two ways is another training, with a folder of its own. One that
    finished, or is running, is left alone.

    Returns:
        The training as it goes on, and the state to start from; None if its own folder has it, or
        it starts anew.
    """
    if is_finished(training.folder):
        return training, None
    best, state = training, None
    reached = newest_step(training.folder)
    for folder in sorted(runs().glob("*")):
        other = _read(folder)
        if other is None or folder == training.folder or not _is_same(other, training):
            continue
        step = newest_step(folder)
        if _is_same_way(other, training):
            if step > reached:
                best, state, reached = other, None, step
        elif step > max(reached, _first_step(other)) and not _is_in_use(folder):
            found = newest_intact(folder)
            if found is not None and step_of(found) > reached:
                reached = step_of(found)
                best, state = training.after(other, reached, extended=False), found
    return best, state


def _is_same(other: Training, training: Training) -> bool:
    """Return whether two trainings differ in nothing but the rounding of their steps."""
    return (
        (other.origin.data, other.origin.code) == (training.origin.data, training.origin.code)
        and _extended(other) == _extended(training)
        and next(_differences(other.values, training.values), None) is None
    )


def _is_same_way(other: Training, training: Training) -> bool:
    return other.origin.config == training.origin.config


def _extended(training: Training) -> list[tuple[str, int]]:
    return [(part.training, part.steps) for part in training.origin.earlier if part.extended]


def _first_step(training: Training) -> int:
    """Return the step after which a training began to be computed as it is."""
    earlier = training.origin.earlier
    return earlier[-1].steps if earlier else 0


def _is_in_use(folder: Path) -> bool:
    """Return whether a training is finished, or another process runs it."""
    try:
        with folder_lock(folder):
            return is_finished(folder)
    except LockedError:
        return True


def take_over(state: Path, folder: Path) -> None:
    """Copy the state that a training goes on from into its folder, if it has no later one.

    Raises:
        DamagedStatesError: if the state is damaged.
        OSError: if it cannot be copied.
    """
    step = step_of(state)
    if newest_step(folder) >= step:
        return
    if not is_intact(state):
        raise DamagedStatesError(f"{state}: damaged (its content has another sha256)")
    name = f"step-{step:08d}-{state.stem.rpartition('-')[2]}.ckpt"
    with atomic_path(folder / name) as partial:
        shutil.copyfile(state, partial)
    log.info("going on after step %s of %s", step, state.parent)


def finished_with(training: Training) -> list[Path]:
    """List the folders of the parts of a finished training, whose states are no longer needed."""
    parts = [part for part in training.origin.earlier if not part.extended]
    folders = [run_folder(part.training) for part in parts]
    return [training.folder, *(folder for folder in folders if folder.is_dir())]


def needed_by(folder: Path) -> list[Path]:
    """List the folders that the training in a folder needs, until it is finished, to go on."""
    training = None if is_finished(folder) else _read(folder)
    return [run_folder(part.training) for part in training.origin.earlier] if training else []


def _read(folder: Path) -> Training | None:
    """Read what the training in a folder trains; None if a part of the file is missing."""
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return Training(Origin.from_json(content["origin"]), content["values"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
