"""Loading a network from any file of weights: a model file, a training state, a foreign file."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from drnsr.networks import HyperParameter, Network
from drnsr.weights.checkpoint_file import read_checkpoint
from drnsr.weights.foreign.layout import LayoutError
from drnsr.weights.foreign.reader import ForeignModel, read_foreign
from drnsr.weights.foreign.state_dicts import find_state_dicts
from drnsr.weights.native import ModelFileError, is_native, load_model
from drnsr.weights.training_state import is_training_state, read_training_state

log = logging.getLogger("drnsr")

_MAX_CONFIG_BYTES = 1 << 20


def load_network(path: Path) -> Network:
    """Load a network from any file of weights, in evaluation mode.

    Hyper-parameters that a foreign file does not determine are those of the published model; one
    line of the log says which.

    Raises:
        ModelFileError: if the file is missing or damaged, contains code to run, or has an unknown
            layout.
    """
    if is_native(path):
        return load_model(path)
    foreign = load_foreign(path)
    _log_once(f"{path}: {foreign.description}")
    return foreign.network


@cache
def _log_once(line: str) -> None:
    """Log a line, but not again when a program loads the same file again."""
    log.info(line)


def load_foreign(path: Path, given: Mapping[str, HyperParameter] | None = None) -> ForeignModel:
    """Load another program's checkpoint (.pth, .pt, .ckpt, .safetensors), or a training state.

    Args:
        path: the file. A ``config.json`` of Hugging Face's super-image may lie beside it.
        given: hyper-parameters that the file does not determine, instead of the published ones.

    Raises:
        ModelFileError: as in :func:`load_network`, or if ``given`` has a hyper-parameter that the
            file determines.
    """
    content = read_checkpoint(path)
    try:
        if is_training_state(content):
            if given:
                raise LayoutError(f"{next(iter(given))} cannot be set: the state determines it")
            return read_training_state(content)  # type: ignore[arg-type]
        return read_foreign(find_state_dicts(content), given or {}, _config_beside(path))
    except LayoutError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ModelFileError(f"{path}: its content contains itself") from error


def _config_beside(path: Path) -> dict[str, object] | None:
    """Return the content of a ``config.json`` in the same folder, if it is a JSON object."""
    beside = path.parent / "config.json"
    try:
        if beside.stat().st_size > _MAX_CONFIG_BYTES:
            return None
        config = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None
