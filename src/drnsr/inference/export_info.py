"""Metadata of an exported model: all that is needed to run it, and where it comes from."""

import json
import math
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.images.pixel_format import RGB8, described_pixels
from drnsr.networks import Descriptor, Network
from drnsr.networks.base import Colour, Precision
from drnsr.weights.native import ModelFileError, Origin, read_origin

if TYPE_CHECKING:
    import onnx

KEY = "drnsr"
"""The key of this metadata in an ONNX file."""

ONNX = ".onnx"

_LARGEST = 64  # scale, and multiple of a side: several times those of any published network


@dataclass(frozen=True)
class ExportInfo:
    """The metadata of an exported model.

    Attributes:
        architecture: a name in :data:`drnsr.networks.ARCHITECTURES`.
        descriptor: the properties of the network, with the single scale and precision of the file.
        model: the name of the model file that was exported.
        model_sha256: the hash of that file, by which MLflow finds its run.
        origin: the configuration, data and code that the model was trained with.
    """

    architecture: str
    descriptor: Descriptor
    model: str
    model_sha256: str
    origin: Origin

    @property
    def scale(self) -> int:
        """The scale factor."""
        return self.descriptor.scales[0]

    @property
    def precision(self) -> Precision:
        """The precision of weights and computation; input and output are fp32."""
        return self.descriptor.precisions[0]

    def to_json(self) -> str:
        """Return the text that is stored in the exported file."""
        described = asdict(self)
        if self.descriptor.pixels == RGB8:  # as in the files of older versions
            del described["descriptor"]["pixels"]
        return json.dumps(described, sort_keys=True)


def make_export_info(network: Network, scale: int, precision: Precision, model: Path) -> ExportInfo:
    """Describe the export of a network at one of its scales.

    Args:
        network: the network to export.
        scale: one of its scales.
        precision: the precision of the exported file.
        model: the model file that the network was loaded from.

    Raises:
        ModelFileError: the file is damaged.
    """
    return ExportInfo(
        architecture=type(network).__name__,
        descriptor=replace(network.descriptor, scales=(scale,), precisions=(precision,)),
        model=model.name,
        model_sha256=file_sha256(model),
        origin=read_origin(model),
    )


def check_onnx_installed() -> None:
    """Check that the packages for ONNX are installed.

    Raises:
        UserError: onnx or onnxruntime is not installed.
    """
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        raise UserError("onnx and onnxruntime are needed: pip install 'drnsr[export]'")


def read_exported(path: Path) -> ExportInfo:
    """Read the metadata of an ONNX file.

    Raises:
        UserError: the packages for ONNX are not installed.
        ModelFileError: the file is missing, damaged, or was not exported by drnsr.
    """
    check_onnx_installed()
    import onnx

    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    try:
        model = onnx.load(path, load_external_data=False)
        properties = model.metadata_props
    except Exception as error:  # a damaged file can raise any exception
        raise ModelFileError(f"{path}: not a readable ONNX file ({error})") from error
    text = {entry.key: entry.value for entry in properties}.get(KEY)
    if text is None:
        raise ModelFileError(
            f"{path}: was not exported by drnsr, so that nothing says how to run it; drnsr runs"
            " what `drnsr export` writes"
        )
    try:
        _check_graph(model)
        return _parse(text)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ModelFileError(
            f"{path}: exported by another version of drnsr, or damaged; export the model again"
        ) from error


def _check_graph(graph: "onnx.ModelProto") -> None:
    """Refuse graphs within nodes: a loop without an end could not be interrupted.

    Raises:
        ModelFileError: there is one; `drnsr export` writes none.
    """
    nodes = [*graph.graph.node, *(node for each in graph.functions for node in each.node)]
    for node in nodes:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ModelFileError(f"a graph with {node.op_type}, which `drnsr export` never writes")


def _check_descriptor(descriptor: Descriptor) -> None:
    """Check the values that tiling and memory depend on.

    Raises:
        ValueError: one is out of its range.
    """
    low, high = descriptor.value_range
    field = descriptor.receptive_field
    if not (
        descriptor.colour in get_args(Colour)
        and descriptor.precisions[0] in get_args(Precision)
        and 1 <= descriptor.scales[0] <= _LARGEST
        and 1 <= descriptor.size_multiple <= _LARGEST
        and (field == "global" or field >= 0)
        and math.isfinite(low)
        and math.isfinite(high)
        and low < high
        and isinstance(descriptor.tiling_exact, bool)
    ):
        raise ValueError(str(descriptor))


def _parse(text: str) -> ExportInfo:
    """Parse the text of :meth:`ExportInfo.to_json`.

    Raises:
        LookupError, TypeError, ValueError: it is another text.
    """
    content = json.loads(text)
    described = content["descriptor"]
    (scale,) = described["scales"]
    (precision,) = described["precisions"]
    low, high = described["value_range"]
    receptive_field = described["receptive_field"]
    descriptor = Descriptor(
        **described
        | {
            "scales": (int(scale),),
            "precisions": (precision,),
            "value_range": (float(low), float(high)),
            "receptive_field": (
                receptive_field if receptive_field == "global" else int(receptive_field)
            ),
            "size_multiple": int(described["size_multiple"]),
            "pixels": described_pixels(described),
        }
    )
    _check_descriptor(descriptor)
    origin = Origin.from_json(content["origin"])
    return ExportInfo(**content | {"descriptor": descriptor, "origin": origin})
