"""Reading files of weights that others wrote, without running anything from them."""

import tarfile
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from drnsr.weights.native import ModelFileError, is_safetensors
from drnsr.weights.pickled_names import RefusedError
from drnsr.weights.restricted import RestrictedPickle

# PyTorch does not compress. Weights that somebody packed again are at most a little smaller.
_MAX_COMPRESSION = 16
_SLACK = 1 << 20  # bytes; of a small file

_TORCHSCRIPT = "constants.pkl"


def read_file(path: Path) -> object:
    """Read a .safetensors file, or what ``torch.save`` wrote (.pth, .pt, .ckpt).

    Raises:
        ModelFileError: the file is missing or damaged, wants code to be run, or would take much
            more memory than it is large.
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
            f"{path}: refused, for {refusal}; weights need nothing of the kind"
        ) from refusal
    # A damaged pickle can fail in any way.
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
        # torch tells of unusual pickles, and would compare the source code of pickled classes.
        warnings.simplefilter("ignore")
        restricted: object = RestrictedPickle(_MAX_COMPRESSION * size + _SLACK)
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=restricted)


def _check_zip(path: Path, size: int) -> None:
    """Raise ValueError for a program, RefusedError for what grows out of all proportion."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename.rpartition("/")[2] == _TORCHSCRIPT for entry in entries):
        raise ValueError("a TorchScript program, and no weights")
    grown = sum(entry.file_size for entry in entries)
    if grown > _MAX_COMPRESSION * size + _SLACK:
        raise RefusedError(f"its {size} bytes would become {grown}")


def _check_no_tar(path: Path) -> None:
    """Raise ValueError for the first PyTorch's archives, which torch unpacks onto the disk."""
    try:
        tarfile.open(path, "r:").close()
    except tarfile.TarError:
        return
    raise ValueError("a tar archive, as the PyTorch of 2016 wrote them")
