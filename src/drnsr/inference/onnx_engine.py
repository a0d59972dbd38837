"""Runs exported models with onnxruntime."""

from pathlib import Path

import torch

from drnsr.inference.engine import (
    DeviceError,
    MemoryShortageError,
    Planes,
    check_precision,
    checked_finite,
)
from drnsr.inference.exported import read_exported
from drnsr.networks.base import Precision
from drnsr.weights.native import ModelFileError

_SILENT = 4  # of onnxruntime's levels; what goes wrong is told by an exception as well

# onnxruntime has no type for it.
_SHORTAGE = ("Failed to allocate memory", "bad_alloc")


class OnnxEngine:
    """Runs an ONNX file that drnsr exported, on as many threads as torch takes.

    Args:
        path: of the file.
        device: "cpu"; there is no other here.
        precision: that of the file, if it is said.

    Raises:
        UserError: onnx or onnxruntime is not installed.
        ModelFileError: the file is missing, damaged, or was not exported by drnsr.
        DeviceError: another device.
        PrecisionError: the file is of another precision.
    """

    def __init__(self, path: Path, device: str = "cpu", precision: Precision | None = None) -> None:
        check_cpu(device)
        info = read_exported(path)
        self.descriptor, self.scale = info.descriptor, info.scale
        if precision is not None:
            check_precision(precision, path.name, self.descriptor.precisions)
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # a damaged graph can fail in any way
            reason = str(error).partition("\n")[0]
            raise ModelFileError(f"{path}: onnxruntime cannot run it ({reason})") from error

    def __call__(self, lr: Planes) -> Planes:
        """See :class:`drnsr.inference.engine.Engine`."""
        try:
            (sr,) = self._session.run(None, {self._session.get_inputs()[0].name: lr})
        except Exception as error:  # its errors have no ancestor of their own
            if any(words in str(error) for words in _SHORTAGE):
                raise MemoryShortageError(str(error)) from error
            raise
        return checked_finite(sr)


def check_cpu(device: str) -> None:
    """Raise DeviceError for any other device: onnxruntime's own build for it was never tried."""
    if device != "cpu":
        raise DeviceError(f"device {device}: onnxruntime is run on the CPU alone; torch has it")
