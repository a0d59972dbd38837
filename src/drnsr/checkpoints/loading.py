"""Any file of weights as a network: a model file of ours, or another program's checkpoint."""

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from drnsr.checkpoints.files import find_tensors, read_file
from drnsr.checkpoints.foreign import Foreign, read_foreign
from drnsr.checkpoints.foreign.layout import LayoutError
from drnsr.checkpoints.native import ModelFileError, is_native, load_model
from drnsr.networks import HyperParameter, Network

log = logging.getLogger("drnsr")


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
    """Load another program's checkpoint (.pth, .pt, .ckpt, .safetensors).

    Args:
        path: of the file.
        given: hyper-parameters that the file does not say, where the published ones are wrong.

    Raises:
        ModelFileError: as in :func:`load_network`, or ``given`` has what is not to be given.
    """
    try:
        return read_foreign(find_tensors(read_file(path)), given or {})
    except LayoutError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ModelFileError(f"{path}: what it holds is within itself") from error
