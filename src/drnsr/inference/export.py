"""Networks as files for other programs, each compared with torch before it is put in place."""

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
from drnsr.inference.engine import AUTOCAST, Planes, TorchEngine, check_precision
from drnsr.inference.exported import KEY, ExportInfo, check_packages
from drnsr.inference.onnx_engine import OnnxEngine
from drnsr.networks import Network
from drnsr.networks.base import Precision

OPSETS = range(13, 21)
"""Versions of ONNX's operators: torch's exporter knows no newer ones."""

OPSET = 17
"""Known to every onnxruntime since 1.12."""

METADATA = "drnsr.json"
"""Name of the metadata within a .pt2, for ``torch.export.load(extra_files=...)``."""

# (N, H, W), odd and even, and another each time than the one that is traced.
_TRACED = (2, 6, 7)
_COMPARED = ((1, 16, 24), (2, 13, 7), (3, 5, 4))

# How far the output may be off, in parts of its range. fp16 is held to a step of 8 bits: untrained
# networks of full size were off by half of that at most, trained ones by a tenth.
_LIMITS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1 / 255}


class ExportError(UserError):
    """A network that could not be exported, or came out as another one."""


class _AtScale(nn.Module):
    """A network as export wants it: one tensor in, one out."""

    def __init__(self, network: Network, scale: int, precision: Precision) -> None:
        super().__init__()
        self.network = network.eval()
        self.scale = scale
        self.low = AUTOCAST.get(precision)

    def forward(self, lr: Tensor) -> Tensor:
        """See :meth:`drnsr.networks.Network.upscale`."""
        if self.low is None:
            return self.network.upscale(lr, self.scale)
        # The exporter folds its casts of the weights into them; the bicubic skip keeps out of it.
        with torch.autocast(lr.device.type, self.low):
            return self.network.upscale(lr, self.scale)


def export_onnx(network: Network, info: ExportInfo, path: Path, opset: int = OPSET) -> float:
    """Write a network as ONNX: ``lr`` (N, C, H, W) to ``sr`` (N, C, scale*H, scale*W), fp32.

    N, H and W are free. Weights and computation are of the precision of ``info``, but the bicubic
    skip, which in fp16 would spoil the lowest of 8 bits, is always fp32.

    Args:
        network: on the CPU.
        info: what the file will say; its scale and precision are those of the file.
        path: of the file.
        opset: one of :data:`OPSETS`.

    Returns:
        The largest difference from torch that was seen, in parts of the output's range.

    Raises:
        UserError: the packages for ONNX are not installed.
        ExportError: it cannot be exported, or differs too much; nothing is written then.
        PrecisionError: the network does not run in this precision.
        OSError: the file cannot be written.
    """
    check_packages()
    check_precision(info.precision, info.architecture, network.descriptor.precisions)
    with atomic_path(path) as partial:
        _write_onnx(network, info, partial, opset)
        return _compared(OnnxEngine(partial), network, info, path)


def _write_onnx(network: Network, info: ExportInfo, path: Path, opset: int) -> None:
    import onnx

    with warnings.catch_warnings(), torch.no_grad():
        # That the exporter is not torch's newest is no news to a user; what a trace may have fixed
        # shows when the results are compared.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _AtScale(network, info.scale, info.precision),
            (_traced(network),),
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
    onnx.helper.set_model_props(model, {KEY: info.as_text()})
    onnx.save(model, path)


def export_program(network: Network, info: ExportInfo, path: Path) -> float:
    """Write a network as a .pt2, which ``torch.export.load`` runs without drnsr.

    Arguments, result and errors are those of :func:`export_onnx`, but that the precision is fp32.
    """
    # As torch does it by itself, a network that pads is held to sizes as odd as the traced one.
    any_size = symbolic_shapes.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), any_size:
        program = torch.export.export(
            _AtScale(network, info.scale, info.precision),
            (_traced(network),),
            dynamic_shapes={"lr": {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}},
        )
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # it names the folders of this machine
    with atomic_path(path) as partial:
        content = BytesIO()  # the file's own name, which is to change yet, would stand in it
        torch.export.save(program, content, extra_files={METADATA: info.as_text()})
        partial.write_bytes(content.getbuffer())
        module = torch.export.load(partial).module()
        return _compared(
            lambda lr: module(torch.from_numpy(lr)).detach().numpy(), network, info, path
        )


def _traced(network: Network) -> Tensor:
    count, height, width = _TRACED
    return torch.zeros(count, network.descriptor.channels, height, width)


def _compared(
    run: Callable[[Planes], Planes], network: Network, info: ExportInfo, path: Path
) -> float:
    """The largest difference between what is in the file and the network in torch's fp32.

    Raises:
        ExportError: it is too large.
    """
    in_torch = TorchEngine(network, info.scale)
    random = np.random.default_rng(0)
    differences = []
    for count, height, width in _COMPARED:
        lr = random.random((count, network.descriptor.channels, height, width), np.float32)
        try:
            exported = run(lr)
        except Exception as error:  # what is traced wrongly can fail in any way
            reason = str(error).partition("\n")[0]
            raise ExportError(
                f"{path}: not written: it fails at {width} x {height} pixels ({reason})"
            ) from error
        differences.append(_difference(exported, in_torch(lr)))
    largest = float(np.max(differences))  # which a NaN survives
    limit = _LIMITS[info.precision]
    if not largest <= limit:
        raise ExportError(
            f"{path}: not written: it differs from torch by {largest:.1e} of the range; the limit"
            f" for {info.precision} is {limit:.1e}"
        )
    return largest


def _difference(exported: Planes, expected: Planes) -> float:
    if exported.shape != expected.shape:
        return float("inf")
    return float(np.abs(exported - expected).max() / max(1.0, np.abs(expected).max()))
