"""Model files of drnsr: safetensors, with metadata that says how to build and run the network."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from drnsr.atomic import atomic_path
from drnsr.errors import UserError
from drnsr.hashing import is_sha256
from drnsr.images.pixel_format import RGB8, PixelFormat, described_pixels
from drnsr.networks import HyperParameter, Network
from drnsr.project import run_name
from drnsr.weights.building import WeightsError, build_network
from drnsr.weights.fingerprint import fingerprint

# A single key: safetensors writes several keys in an order that changes from run to run.
_KEY = "drnsr"


class ModelFileError(UserError):
    """A file that is missing, damaged, or not a model file."""


@dataclass(frozen=True)
class EarlierPart:
    """A part of a training that went on with another number of processes, or with more steps.

    Attributes:
        training: the fingerprint of the training until then.
        steps: the step after which it went on otherwise.
        computed: see :class:`Origin`.
        extended: whether the training had finished there, and was given more steps.
    """

    training: str
    steps: int
    computed: str
    extended: bool

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "EarlierPart":
        """Return the part of which a JSON file, maybe from elsewhere, has the attributes.

        Raises:
            TypeError, ValueError: if it has not.
        """
        part = cls(**content)
        if not is_sha256(str(part.training)):  # it becomes the name of a folder
            raise ValueError(part.training)
        return replace(part, steps=int(part.steps), computed=str(part.computed))

    def __str__(self) -> str:
        """Say what the part was, for a person."""
        after = "then extended" if self.extended else "then computed in another way"
        return f"to step {self.steps} in {self.computed} ({run_name(self.training)}, {after})"


def earlier_parts(parts: Iterable[EarlierPart]) -> dict[str, str]:
    """Return the earlier parts of a training as a fact with a name; nothing if there are none."""
    described = "; ".join(map(str, parts))
    return {"earlier parts": described} if described else {}


def early_end(step: int | None) -> dict[str, str]:
    """Return where a training stopped early as a fact with a name; nothing if it did not."""
    return {} if step is None else {"stopped early": f"after step {step}, by its validations"}


@dataclass(frozen=True)
class Origin:
    """Where a model comes from; equal runs have equal origins.

    Attributes:
        config: fingerprint of the configuration that training depends on.
        data: fingerprint of the prepared training set.
        code: fingerprint of the training code.
        made_from: for a model that drnsr did not train, a sentence that says its source.
        licences: the licences of the pictures that it was trained on, each with the authors and
            the source that it asks to name, and the number of pictures.
        computed: the number of processes and threads, and whatever else changes the rounding of a
            step, in words.
        earlier: the parts of the training before; empty if it was computed in one way.
        stopped_after: the step after which the validations ended the training early; None if they
            did not.
    """

    config: str = ""
    data: str = ""
    code: str = ""
    made_from: str = ""
    licences: dict[str, int] = field(default_factory=dict)
    computed: str = ""
    earlier: tuple[EarlierPart, ...] = ()
    stopped_after: int | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of all that determines the result of a training."""
        parts: list[object] = [self.config, self.data, self.code]
        return fingerprint([*parts, *map(asdict, self.earlier)])

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Origin":
        """Return the origin of which a JSON file has the attributes.

        Raises:
            LookupError, TypeError, ValueError: if it has not.
        """
        if not isinstance(content, Mapping):
            raise TypeError(f"{content!r} has no attributes")
        earlier = tuple(map(EarlierPart.from_json, content.get("earlier", ())))
        licences = {str(name): int(n) for name, n in dict(content.get("licences", {})).items()}
        step = content.get("stopped_after")
        stopped = None if step is None else int(step)
        known = {"earlier": earlier, "licences": licences, "stopped_after": stopped}
        return cls(**{**content, **known})


def inherited_licences(own: Mapping[str, int], sources: Mapping[str, Origin]) -> dict[str, int]:
    """Return the licences of a model's pictures, and of those of the models it was made from.

    Pictures of the same licence and source are likely the same ones, so that the larger number
    counts. A source that does not say its licences adds one that is not stated, with the number 0.

    Args:
        own: the licences of its own pictures, as in :class:`Origin`.
        sources: the origins of the models that it was made from, by name.
    """
    licences = dict(own)
    for name, origin in sources.items():
        theirs = origin.licences or {f"not stated, the pictures of {name}": 0}
        for licence, number in theirs.items():
            licences[licence] = max(number, licences.get(licence, 0))
    return licences


@dataclass(frozen=True)
class ModelInfo:
    """The metadata of a model file.

    Attributes:
        architecture: a name in :data:`drnsr.networks.ARCHITECTURES`.
        hyper_parameters: the arguments that build it.
        scales: the scale factors that it serves.
        colour: the channels of input and output.
        value_range: the range of pixel values, input and output.
        origin: where the model comes from.
        pixels: the channels and values that it was trained on.
    """

    architecture: str
    hyper_parameters: dict[str, HyperParameter]
    scales: tuple[int, ...]
    colour: str
    value_range: tuple[float, float]
    origin: Origin
    pixels: PixelFormat = RGB8


def save_model(path: Path, network: Network, origin: Origin) -> None:
    """Write a network's weights and metadata; equal inputs give equal bytes.

    Raises:
        OSError: if the file cannot be written; the message names it.
    """
    descriptor = network.descriptor
    info = ModelInfo(
        architecture=type(network).__name__,
        hyper_parameters=network.hyper_parameters,
        scales=descriptor.scales,
        colour=descriptor.colour,
        value_range=descriptor.value_range,
        origin=origin,
        pixels=descriptor.pixels,
    )
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    # A file that safetensors itself writes is readable by its owner alone, and on a full disk it
    # raises no OSError.
    described = asdict(info)
    if info.pixels == RGB8:  # as in the files of older versions
        del described["pixels"]
    content = save(tensors, metadata={_KEY: json.dumps(described, sort_keys=True)})
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def is_native(path: Path) -> bool:
    """Return whether a file is a model file of drnsr, rather than another program's.

    Raises:
        ModelFileError: if it is a damaged safetensors file.
    """
    return path.is_file() and is_safetensors(path) and _KEY in _metadata(path)


def is_safetensors(path: Path) -> bool:
    """Return whether a file is safetensors, by its suffix or by the first brace of its header."""
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
    """Read a model file's metadata, without its weights.

    Raises:
        ModelFileError: if the file is missing, damaged, or not a model file of drnsr.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    metadata = _metadata(path)
    if _KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a model written by drnsr")
    try:
        return _parse(metadata[_KEY])
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ModelFileError(
            f"{path}: written by another version of drnsr, or damaged; train the model again"
        ) from error


def read_origin(model: Path) -> Origin:
    """Read the origin of a model file; it is empty for a checkpoint of another program.

    Raises:
        ModelFileError: the file is damaged.
    """
    return read_info(model).origin if is_native(model) else Origin()


def _parse(text: str) -> ModelInfo:
    """Parse the metadata of a model file.

    Raises:
        LookupError, TypeError, ValueError, ArithmeticError: if :func:`save_model` did not write it.
    """
    content = json.loads(text)
    info = ModelInfo(
        **content
        | {
            "origin": Origin.from_json(content["origin"]),
            "scales": tuple(map(int, content["scales"])),
            "value_range": tuple(map(float, content["value_range"])),
            "pixels": described_pixels(content),
        }
    )
    if not isinstance(info.architecture, str) or not isinstance(info.hyper_parameters, dict):
        raise TypeError(text)
    return info


def load_model(path: Path) -> Network:
    """Build the network that a model file describes, with its weights, in evaluation mode.

    Raises:
        ModelFileError: if the file is missing, damaged, or not a model file of drnsr; if this
            version does not know the architecture; or if weights are NaN or infinite.
    """
    info = read_info(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        return build_network(info.architecture, info.hyper_parameters, tensors, info.pixels)
    except WeightsError as error:
        raise ModelFileError(f"{path}: {error}") from error
