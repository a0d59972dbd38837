"""The onnxruntime engine: runs exported models."""

from pathlib import Path

import numpy as np
import torch

from drnsr.inference.engine import (
    DeviceError,
    FloatPixels,
    OutOfMemoryError,
    check_precision,
    require_finite,
)
from drnsr.inference.export_info import read_exported
from drnsr.networks.base import Precision
from drnsr.weights.native import ModelFileError

_LOG_FATAL_ONLY = 4  # onnxruntime's severity level; it raises an exception for every error as well

# onnxruntime has no exception type for a lack of memory.
_MEMORY_ERRORS = ("Failed to allocate memory", "bad_alloc")


class OnnxEngine:
    """Runs an ONNX file that drnsr exported, with as many threads as torch uses.

    Args:
        path: the ONNX file.
        device: "cpu", the only supported device.
        precision: the precision that the file must have; None accepts any.

    Raises:
        UserError: onnx or onnxruntime is not installed.
        ModelFileError: the file is missing, damaged, or was not exported by drnsr.
        DeviceError: ``device`` is not "cpu".
        PrecisionError: the file has another precision.
    """

    def __init__(self, path: Path, device: str = "cpu", precision: Precision | None = None) -> None:
        check_cpu(device)
        self._path = path
        info = read_exported(path)
        self.descriptor, self.scale = info.descriptor, info.scale
        if precision is not None:
            check_precision(precision, path.name, self.descriptor.precisions)
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = _LOG_FATAL_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # a damaged graph can raise any exception
            raise self._cannot_run(error) from error

    def __call__(self, lr: FloatPixels) -> FloatPixels:
        """Upscale a batch of LR pixels; see :class:`drnsr.inference.engine.Engine`.

        Raises:
            ModelFileError: the graph fails, or does not compute what the file's metadata says.
        """
        return require_finite(self._compute(lr))

    def _compute(self, lr: FloatPixels) -> FloatPixels:
        try:
            outputs = self._session.run(None, {self._session.get_inputs()[0].name: lr})
        except Exception as error:  # onnxruntime's exceptions have no common base class
            if any(message in str(error) for message in _MEMORY_ERRORS):
                raise OutOfMemoryError(str(error)) from error
            raise self._cannot_run(error) from error
        number, channels, height, width = lr.shape
        expected = (number, channels, self.scale * height, self.scale * width)
        found = [(getattr(each, "shape", None), getattr(each, "dtype", None)) for each in outputs]
        if found != [(expected, np.float32)]:
            raise ModelFileError(
                f"{self._path}: its graph does not compute what its metadata says: one output of"
                f" {expected} from {lr.shape}"
            )
        sr: FloatPixels = outputs[0]
        return sr

    def check(self) -> "OnnxEngine":
        """Upscale a few black pixels, so that a wrong graph is found before a picture is read.

        Raises:
            ModelFileError: the graph fails, or does not compute what the file's metadata says.
        """
        multiple = self.descriptor.size_multiple
        side = multiple * -(-8 // multiple)
        try:
            self._compute(np.zeros((1, self.descriptor.channels, side, side), np.float32))
        except OutOfMemoryError as error:
            raise self._cannot_run(error) from error
        return self

    def _cannot_run(self, error: Exception) -> ModelFileError:
        reason = str(error).partition("\n")[0]
        return ModelFileError(f"{self._path}: onnxruntime cannot run it ({reason})")


def check_cpu(device: str) -> None:
    """Check that onnxruntime supports a device; its GPU build has not been tested.

    Raises:
        DeviceError: ``device`` is not "cpu".
    """
    if device != "cpu":
        raise DeviceError(f"device {device}: onnxruntime is run on the CPU alone; torch has it")
