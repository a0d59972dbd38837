"""CUDA graphs: the kernels of a function are captured once and then replayed with one launch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Calls for each shape before the capture, in which libraries choose kernels and allocate memory.
_WARM_UP = 3


@dataclass
class _Capture:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class CudaGraphed:
    """Captures the CUDA kernels of a function and replays them in later calls.

    To launch the kernels of a training step one by one takes longer than to compute most of them.
    There is one graph for each combination of input shapes. The first calls run the function
    itself. Changes of other tensors (weights, moments) happen in every call. On other devices than
    CUDA the function always runs itself.

    Args:
        function: uses the same memory in every call, does not synchronize with the device, and has
            no control flow that depends on the values of its inputs.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._calls: dict[tuple[torch.Size, ...], int] = {}
        self._captures: dict[tuple[torch.Size, ...], _Capture] = {}
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the function's outputs; the next call overwrites the outputs of a graph."""
        if inputs[0].device.type != "cuda":
            return self._function(*inputs)
        shapes = tuple(each.shape for each in inputs)
        capture = self._captures.get(shapes)
        if capture is None:
            called = self._calls[shapes] = self._calls.get(shapes, 0) + 1
            if called <= _WARM_UP:
                return self._run(inputs)
            capture = self._captures[shapes] = self._capture(inputs)
        for static, value in zip(capture.inputs, inputs, strict=True):
            static.copy_(value, non_blocking=True)
        capture.graph.replay()
        return capture.outputs

    def _run(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Run the function on the stream of the later capture, as torch requires."""
        current = torch.cuda.current_stream()
        self._stream = self._stream or torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            outputs = self._function(*inputs)
        current.wait_stream(self._stream)
        return outputs

    def _capture(self, inputs: tuple[Tensor, ...]) -> _Capture:
        static = tuple(torch.empty_like(each).copy_(each) for each in inputs)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            outputs = self._function(*static)
        return _Capture(graph, static, outputs)
