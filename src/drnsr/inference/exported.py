"""What an exported model says of itself, so that nothing else is needed to run it."""

import json
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.networks import Descriptor, Network
from drnsr.networks.base import Precision
from drnsr.weights.native import ModelFileError, Origin, is_native, read_info

KEY = "drnsr"
"""Of the metadata in an ONNX file."""

ONNX = ".onnx"


@dataclass(frozen=True)
class ExportInfo:
    """The metadata of an exported model.

    Attributes:
        architecture: a name in :data:`drnsr.networks.ARCHITECTURES`.
        descriptor: of the network, with the one scale and precision of the file.
        model: the name of the model file that it came from.
        model_sha256: of that file's content, by which MLflow knows its run.
        origin: what that model came from.
    """

    architecture: str
    descriptor: Descriptor
    model: str
    model_sha256: str
    origin: Origin

    @property
    def scale(self) -> int:
        """How many times larger the output is."""
        return self.descriptor.scales[0]

    @property
    def precision(self) -> Precision:
        """Of weights and computation; what goes in and comes out is fp32."""
        return self.descriptor.precisions[0]

    def as_text(self) -> str:
        """For the file."""
        return json.dumps(asdict(self), sort_keys=True)


def describe(network: Network, scale: int, precision: Precision, model: Path) -> ExportInfo:
    """What the export of a network at one of its scales will say.

    Args:
        network: what is exported.
        scale: one that it serves.
        precision: of the exported file.
        model: the file that the network was loaded from.

    Raises:
        ModelFileError: the file is damaged.
    """
    return ExportInfo(
        architecture=type(network).__name__,
        descriptor=replace(network.descriptor, scales=(scale,), precisions=(precision,)),
        model=model.name,
        model_sha256=file_sha256(model),
        origin=origin_of(model),
    )


def origin_of(model: Path) -> Origin:
    """What a model file came from; nothing is known of another program's.

    Raises:
        ModelFileError: the file is damaged.
    """
    return read_info(model).origin if is_native(model) else Origin()


def check_packages() -> None:
    """Raise UserError where the packages for ONNX are not installed."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        raise UserError("onnx and onnxruntime are needed: pip install 'drnsr[export]'")


def read_exported(path: Path) -> ExportInfo:
    """Read the metadata of an ONNX file.

    Raises:
        UserError: the packages for ONNX are not installed.
        ModelFileError: the file is missing, damaged, or was not exported by drnsr.
    """
    check_packages()
    import onnx

    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    try:
        properties = onnx.load(path, load_external_data=False).metadata_props
    except Exception as error:  # a damaged file can fail in any way
        raise ModelFileError(f"{path}: not a readable ONNX file ({error})") from error
    text = {entry.key: entry.value for entry in properties}.get(KEY)
    if text is None:
        raise ModelFileError(
            f"{path}: was not exported by drnsr, so that nothing says how to run it; drnsr runs"
            " what `drnsr export` writes"
        )
    try:
        return _parse(text)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path}: exported by another version of drnsr, or damaged; export the model again"
        ) from error


def _parse(text: str) -> ExportInfo:
    """Raises LookupError, TypeError or ValueError for what is not written by :func:`describe`."""
    content = json.loads(text)
    described = content["descriptor"]
    (scale,) = described["scales"]
    (precision,) = described["precisions"]
    low, high = described["value_range"]
    reach = described["receptive_field"]
    descriptor = Descriptor(
        **described
        | {
            "scales": (int(scale),),
            "precisions": (precision,),
            "value_range": (float(low), float(high)),
            "receptive_field": reach if reach == "global" else int(reach),
            "size_multiple": int(described["size_multiple"]),
        }
    )
    if descriptor.colour not in ("RGB", "Y") or precision not in get_args(Precision):
        raise ValueError(text)
    return ExportInfo(**content | {"descriptor": descriptor, "origin": Origin(**content["origin"])})
