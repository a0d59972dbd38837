"""Export of networks for other programs; each file is compared with torch before it is kept."""

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.fx import GraphModule
from torch.fx.experimental import _config as symbolic_shapes

from drnsr.atomic import atomic_path
from drnsr.errors import UserError
from drnsr.inference.engine import AUTOCAST, FloatPixels, TorchEngine, check_precision
from drnsr.inference.export_info import KEY, ExportInfo, check_onnx_installed
from drnsr.inference.onnx_engine import OnnxEngine
from drnsr.networks import Network
from drnsr.networks.base import Precision

OPSETS = range(13, 21)
"""Versions of ONNX's operators that torch's exporter supports."""

OPSET = 17
"""The default version; onnxruntime supports it since 1.12."""

METADATA = "drnsr.json"
"""Name of the metadata within a .pt2, for ``torch.export.load(extra_files=...)``."""

# (N, H, W): the shape that is traced, and other shapes, odd and even, that are compared.
_TRACED_SHAPE = (2, 6, 7)
_COMPARED_SHAPES = ((1, 16, 24), (2, 13, 7), (3, 5, 4))

# The largest allowed difference as a fraction of the output's range. The limit of fp16 is one step
# of 8 bits: the largest difference was half of that for untrained networks of full size, and a
# tenth for trained ones.
_LIMITS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1 / 255}


class ExportError(UserError):
    """A network cannot be exported, or its export computes something else."""


class NetworkAtScale(nn.Module):
    """A network with one input and one output tensor, as the exporters need it."""

    def __init__(self, network: Network, scale: int, precision: Precision) -> None:
        super().__init__()
        self.network = network.eval()
        self.scale = scale
        self.low_precision = AUTOCAST.get(precision)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch; see :meth:`drnsr.networks.Network.upscale`."""
        if self.low_precision is None:
            return self.network.upscale(lr, self.scale)
        # The exporter folds autocast's casts into the weights. The bicubic skip disables autocast.
        with torch.autocast(lr.device.type, self.low_precision):
            return self.network.upscale(lr, self.scale)


def export_onnx(network: Network, info: ExportInfo, path: Path, opset: int = OPSET) -> float:
    """Write a network as ONNX: ``lr`` (N, C, H, W) to ``sr`` (N, C, scale*H, scale*W), fp32.

    N, H and W are dynamic. Weights and computation have the precision of ``info``. The bicubic skip
    is always fp32, because fp16 would change the lowest of 8 bits.

    Args:
        network: a network on the CPU.
        info: the metadata; the file has its scale and precision.
        path: the file to write.
        opset: one of :data:`OPSETS`.

    Returns:
        The largest difference from torch, as a fraction of the output's range.

    Raises:
        UserError: the packages for ONNX are not installed.
        ExportError: the network cannot be exported, or the difference is too large; no file is
            written.
        PrecisionError: the network does not support this precision.
        OSError: the file cannot be written.
    """
    check_onnx_installed()
    check_precision(info.precision, info.architecture, network.descriptor.precisions)
    with atomic_path(path) as partial:
        _write_onnx(network, info, partial, opset)
        return _compare_with_torch(OnnxEngine(partial), network, info, path)


def _write_onnx(network: Network, info: ExportInfo, path: Path, opset: int) -> None:
    import onnx

    with warnings.catch_warnings(), torch.no_grad():
        # The warnings are about the older exporter, and about values that tracing may have made
        # constant. The comparison with torch finds the latter.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            NetworkAtScale(network, info.scale, info.precision),
            (_trace_input(network),),
            path,
            input_names=["lr"],
            output_names=["sr"],
            dynamic_axes={
                "lr": {0: "n", 2: "height", 3: "width"},
                "sr": {0: "n", 2: "sr_height", 3: "sr_width"},
            },
            opset_version=opset,
            dynamo=False,
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: info.to_json()})
    onnx.save(model, path)


def export_program(network: Network, info: ExportInfo, path: Path) -> float:
    """Write a network as a .pt2, which ``torch.export.load`` runs without drnsr.

    Arguments, result and errors are those of :func:`export_onnx`; the precision is fp32.
    """
    # By default torch restricts a network with padding to sizes of the same parity as the traced.
    any_size = symbolic_shapes.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), any_size:
        program = torch.export.export(
            NetworkAtScale(network, info.scale, info.precision),
            (_trace_input(network),),
            dynamic_shapes={"lr": {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}},
        )
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # it contains paths of this machine
    with atomic_path(path) as partial:
        content = BytesIO()  # torch would store the name of the partial file in it
        torch.export.save(program, content, extra_files={METADATA: info.to_json()})
        partial.write_bytes(content.getbuffer())
        module = torch.export.load(partial).module()
        return _compare_with_torch(
            lambda lr: module(torch.from_numpy(lr)).detach().numpy(), network, info, path
        )


def _trace_input(network: Network) -> Tensor:
    count, height, width = _TRACED_SHAPE
    return torch.zeros(count, network.descriptor.channels, height, width)


def _compare_with_torch(
    run: Callable[[FloatPixels], FloatPixels], network: Network, info: ExportInfo, path: Path
) -> float:
    """Return the largest difference between the exported file and torch in fp32.

    Raises:
        ExportError: the difference is above the limit.
    """
    torch_engine = TorchEngine(network, info.scale)
    random = np.random.default_rng(0)
    differences = []
    for count, height, width in _COMPARED_SHAPES:
        lr = random.random((count, network.descriptor.channels, height, width), np.float32)
        try:
            exported = run(lr)
        except Exception as error:  # a wrong trace can raise any exception
            reason = str(error).partition("\n")[0]
            raise ExportError(
                f"{path}: not written: it fails at {width} x {height} pixels ({reason})"
            ) from error
        differences.append(_relative_difference(exported, torch_engine(lr)))
    largest = float(np.max(differences))  # NaN if any difference is NaN
    limit = _LIMITS[info.precision]
    if not largest <= limit:
        raise ExportError(
            f"{path}: not written: it differs from torch by {largest:.1e} of the range; the limit"
            f" for {info.precision} is {limit:.1e}"
        )
    return largest


def _relative_difference(exported: FloatPixels, expected: FloatPixels) -> float:
    if exported.shape != expected.shape:
        return float("inf")
    return float(np.abs(exported - expected).max() / max(1.0, np.abs(expected).max()))
