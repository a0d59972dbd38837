"""Any file of weights as a network: a model or a training state of ours, or another program's."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from drnsr.networks import HyperParameter, Network
from drnsr.weights.foreign import Foreign, read_foreign
from drnsr.weights.foreign.layout import LayoutError
from drnsr.weights.foreign.state_dicts import find_state_dicts
from drnsr.weights.native import ModelFileError, is_native, load_model
from drnsr.weights.reading import read_file
from drnsr.weights.training_state import is_training_state, read_training_state

log = logging.getLogger("drnsr")

_LARGEST_CONFIG = 1 << 20  # bytes


def load_network(path: Path) -> Network:
    """Load whatever file of weights, ready to run.

    What a foreign file does not say is taken from the published model, and told in one line.

    Raises:
        ModelFileError: the file is missing or damaged, wants code to be run, or is of no known
            layout; the message names what is wrong.
    """
    if is_native(path):
        return load_model(path)
    foreign = load_foreign(path)
    _tell_once(f"{path}: {foreign.description}")
    return foreign.network


@cache
def _tell_once(line: str) -> None:
    """A program may load one file for each of several purposes."""
    log.info(line)


def load_foreign(path: Path, given: Mapping[str, HyperParameter] | None = None) -> Foreign:
    """Load another program's checkpoint (.pth, .pt, .ckpt, .safetensors), or a training's state.

    Args:
        path: of the file. A ``config.json`` of Hugging Face's super-image may lie beside it.
        given: hyper-parameters that the file does not say, where the published ones are wrong.

    Raises:
        ModelFileError: as in :func:`load_network`, or ``given`` has what is not to be given.
    """
    content = read_file(path)
    try:
        if is_training_state(content):
            if given:
                raise LayoutError(f"{next(iter(given))} is not to be given here; the state says it")
            return read_training_state(content)  # type: ignore[arg-type]
        return read_foreign(find_state_dicts(content), given or {}, _config_beside(path))
    except LayoutError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ModelFileError(f"{path}: what it holds is within itself") from error


def _config_beside(path: Path) -> dict[str, object] | None:
    """What the ``config.json`` in the same folder holds, whatever it is there for."""
    beside = path.parent / "config.json"
    try:
        if beside.stat().st_size > _LARGEST_CONFIG:
            return None
        config = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None
