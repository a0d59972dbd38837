"""Our own model files: safetensors, with metadata that says how to build and run the network."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from drnsr.atomic import atomic_path
from drnsr.checkpoints.fingerprint import fingerprint
from drnsr.errors import UserError
from drnsr.networks import ARCHITECTURES, HyperParameter, Network

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
    content = json.loads(metadata[_KEY])
    if set(content) != {field.name for field in fields(ModelInfo)}:
        raise ModelFileError(f"{path}: written by another version of drnsr; train the model again")
    content["origin"] = Origin(**content["origin"])
    content["scales"] = tuple(content["scales"])
    content["value_range"] = tuple(content["value_range"])
    return ModelInfo(**content)


def load_model(path: Path) -> Network:
    """Build the network that a model file describes, with its weights, ready to run.

    Raises:
        ModelFileError: the file is missing, damaged, no model of ours, or of an architecture that
            this version does not know.
    """
    info = read_info(path)
    if info.architecture not in ARCHITECTURES:
        raise ModelFileError(f"{path}: architecture {info.architecture!r} is unknown here")
    network = ARCHITECTURES[info.architecture](**info.hyper_parameters)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    network.load_state_dict(tensors)
    return network.eval()
