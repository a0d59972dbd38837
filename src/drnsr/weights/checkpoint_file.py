"""Reading checkpoint files of any origin without running code from them."""

import tarfile
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from drnsr.weights.native import ModelFileError, is_safetensors
from drnsr.weights.pickled_names import RefusedError
from drnsr.weights.restricted_pickle import RestrictedPickle

# PyTorch does not compress, and weights that were compressed later shrink only a little.
_MAX_COMPRESSION = 16
_SLACK = 1 << 20  # bytes; for small files

_TORCHSCRIPT_ENTRY = "constants.pkl"


def read_checkpoint(path: Path) -> object:
    """Read a .safetensors file, or a file that ``torch.save`` wrote (.pth, .pt, .ckpt).

    Raises:
        ModelFileError: if the file is missing or damaged, contains code to run, or would take much
            more memory than its size.
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
    except RefusedError as refusal:
        raise ModelFileError(
            f"{path}: refused, because {refusal}; files of weights do not need this"
        ) from refusal
    # A damaged pickle can raise any exception.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0]
        raise ModelFileError(
            f"{path}: not a readable PyTorch file ({ascii(reason)[1:-1]})"
        ) from error


def _read_pickle(path: Path) -> object:
    size = path.stat().st_size
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        _check_zip(path, size)
    else:
        _check_no_tar(path)
    with warnings.catch_warnings():
        # torch warns of unusual pickles, and compares the source code of pickled classes.
        warnings.simplefilter("ignore")
        restricted: object = RestrictedPickle(_MAX_COMPRESSION * size + _SLACK)
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=restricted)


def _check_zip(path: Path, size: int) -> None:
    """Raise ValueError for a TorchScript program, RefusedError for a decompression bomb."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename.rpartition("/")[2] == _TORCHSCRIPT_ENTRY for entry in entries):
        raise ValueError("a TorchScript program, not weights")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > _MAX_COMPRESSION * size + _SLACK:
        raise RefusedError(f"its {size} bytes would become {unpacked}")


def _check_no_tar(path: Path) -> None:
    """Raise ValueError for tar archives of the first PyTorch, which torch unpacks to the disk."""
    try:
        tarfile.open(path, "r:").close()
    except tarfile.TarError:
        return
    raise ValueError("a tar archive, as PyTorch wrote them in 2016")
