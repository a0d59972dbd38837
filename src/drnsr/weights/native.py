"""Our own model files: safetensors, with metadata that says how to build and run the network."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from drnsr.atomic import atomic_path
from drnsr.errors import UserError
from drnsr.networks import HyperParameter, Network
from drnsr.weights.building import WeightsError, network_of
from drnsr.weights.fingerprint import fingerprint

# One key for all: safetensors writes several in an order that changes from run to run.
_KEY = "drnsr"


class ModelFileError(UserError):
    """A file that is no model of ours, or a damaged one."""


@dataclass(frozen=True)
class Origin:
    """What a model came from; nothing in it differs between equal runs.

    Attributes:
        config: fingerprint of the configuration that training depends on.
        data: fingerprint of the prepared training set.
        code: fingerprint of the training code.
        made_from: in words, what a model that was not trained here was made from instead.
    """

    config: str = ""
    data: str = ""
    code: str = ""
    made_from: str = ""

    @property
    def fingerprint(self) -> str:
        """Of all that a training is the result of."""
        return fingerprint([self.config, self.data, self.code])


@dataclass(frozen=True)
class ModelInfo:
    """The metadata of a model file.

    Attributes:
        architecture: a name in :data:`drnsr.networks.ARCHITECTURES`.
        hyper_parameters: the arguments that build it.
        scales: how many times larger the output can be.
        colour: the channels that go in and come out.
        value_range: of a pixel, in and out.
        origin: what it came from.
    """

    architecture: str
    hyper_parameters: dict[str, HyperParameter]
    scales: tuple[int, ...]
    colour: str
    value_range: tuple[float, float]
    origin: Origin


def save_model(path: Path, network: Network, origin: Origin) -> None:
    """Write a network's weights and metadata; equal inputs give equal bytes.

    Raises:
        OSError: the file cannot be written; it names it.
    """
    descriptor = network.descriptor
    info = ModelInfo(
        architecture=type(network).__name__,
        hyper_parameters=network.hyper_parameters,
        scales=descriptor.scales,
        colour=descriptor.colour,
        value_range=descriptor.value_range,
        origin=origin,
    )
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    # What safetensors writes itself, only its owner may read, and a full disk has no OSError.
    content = save(tensors, metadata={_KEY: json.dumps(asdict(info), sort_keys=True)})
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def is_native(path: Path) -> bool:
    """Whether a file is a model of ours, and not another program's.

    Raises:
        ModelFileError: it is a damaged safetensors file.
    """
    return path.is_file() and is_safetensors(path) and _KEY in _metadata(path)


def is_safetensors(path: Path) -> bool:
    """Whether a file is of this format, by its name or because the header's brace stands there."""
    if path.suffix == ".safetensors":
        return True
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"{path}: not a readable safetensors file ({error})") from error


def read_info(path: Path) -> ModelInfo:
    """Read a model file's metadata alone.

    Raises:
        ModelFileError: the file is missing, damaged, or no model of ours.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    metadata = _metadata(path)
    if _KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a model written by drnsr")
    try:
        return _parse(metadata[_KEY])
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path}: written by another version of drnsr, or damaged; train the model again"
        ) from error


def _parse(text: str) -> ModelInfo:
    """Raises LookupError, TypeError or ValueError for what :func:`save_model` does not write."""
    content = json.loads(text)
    info = ModelInfo(
        **content
        | {
            "origin": Origin(**content["origin"]),
            "scales": tuple(map(int, content["scales"])),
            "value_range": tuple(map(float, content["value_range"])),
        }
    )
    if not isinstance(info.architecture, str) or not isinstance(info.hyper_parameters, dict):
        raise TypeError(text)
    return info


def load_model(path: Path) -> Network:
    """Build the network that a model file describes, with its weights, ready to run.

    Raises:
        ModelFileError: the file is missing, damaged, no model of ours, of an architecture that this
            version does not know, or holds weights that are NaN or infinite.
    """
    info = read_info(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        return network_of(info.architecture, info.hyper_parameters, tensors)
    except WeightsError as error:
        raise ModelFileError(f"{path}: {error}") from error
