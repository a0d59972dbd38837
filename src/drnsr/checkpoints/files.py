"""Reading files of weights that others wrote, without running anything from them."""

import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from drnsr.checkpoints import restricted
from drnsr.checkpoints.foreign.layout import LayoutError
from drnsr.checkpoints.native import ModelFileError, is_safetensors

# Where training programs put the weights in a file of several things; averaged ones come first.
_WRAPPERS = ("params_ema", "params", "state_dict", "model")


def read_file(path: Path) -> object:
    """Read a .safetensors file, or what ``torch.save`` wrote (.pth, .pt, .ckpt).

    Raises:
        ModelFileError: the file is missing or damaged, or wants code to be run.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    if is_safetensors(path):
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise ModelFileError(f"{path}: not a readable safetensors file ({error})") from error
    try:
        return _read_pickle(path)
    except restricted.RefusedError as refusal:
        raise ModelFileError(
            f"{path}: refused, for {refusal}; weights need nothing to be called"
        ) from refusal
    # A damaged pickle can fail in any way.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0]
        raise ModelFileError(f"{path}: not a readable PyTorch file ({reason})") from error


def _read_pickle(path: Path) -> object:
    with warnings.catch_warnings():
        # torch tells of unusual pickles, and would compare the source code of pickled classes.
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            pass  # other things than tensors are in it: a whole module, or something bad
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=restricted)


def find_tensors(content: object) -> dict[str, Tensor]:
    """Find the weights by name in what a file holds.

    Args:
        content: a state dict, a dictionary with one under a usual name, or a whole module.

    Raises:
        LayoutError: there are none.
    """
    if isinstance(content, restricted.StandIn):
        return dict(_of_module(content, ""))
    if not isinstance(content, Mapping):
        raise LayoutError(f"it holds no weights, but something of type {type(content).__name__}")
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), Mapping | restricted.StandIn):
            return find_tensors(content[wrapper])
    if any(isinstance(value, Tensor) for value in content.values()):
        return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    names = ", ".join(map(ascii, content)) or "nothing"
    raise LayoutError(f"it holds no weights under a known name, but {names}")


def _of_module(module: object, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a pickled module and of those within it."""
    state = module.state if isinstance(module, restricted.StandIn) else None
    if not isinstance(state, Mapping):
        return
    for group in ("_parameters", "_buffers"):
        for name, value in _items(state.get(group)):
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value.detach()
    for name, child in _items(state.get("_modules")):
        yield from _of_module(child, f"{prefix}{name}.")


def _items(group: object) -> list[tuple[object, object]]:
    return list(group.items()) if isinstance(group, Mapping) else []
