"""What a CUDA device does again and again, recorded once: launched as one graph."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Calls of each shape that run as they are: libraries choose their kernels, memory is laid out.
_WARM_UP = 3


@dataclass
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class CudaGraphed:
    """A function of tensors whose kernels are recorded and from then on replayed.

    To launch the kernels of a training step one by one takes longer than to compute most of them.
    Each shape of the inputs has a recording of its own. The first calls run the function itself,
    and what it does to tensors from outside (weights, moments) is done in every call. On other
    devices than CUDA nothing is recorded.

    Args:
        function: gives tensors of the same addresses every time, waits for nothing, and decides
            nothing by the values of its inputs.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._calls: dict[tuple[torch.Size, ...], int] = {}
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The function's outputs; those of a recording are overwritten by the next call."""
        if inputs[0].device.type != "cuda":
            return self._function(*inputs)
        shapes = tuple(each.shape for each in inputs)
        recording = self._recordings.get(shapes)
        if recording is None:
            called = self._calls[shapes] = self._calls.get(shapes, 0) + 1
            if called <= _WARM_UP:
                return self._run(inputs)
            recording = self._recordings[shapes] = self._record(inputs)
        for mine, given in zip(recording.inputs, inputs, strict=True):
            mine.copy_(given, non_blocking=True)
        recording.graph.replay()
        return recording.outputs

    def _run(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """On the stream that is recorded later, as torch asks for."""
        now = torch.cuda.current_stream()
        self._stream = self._stream or torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            outputs = self._function(*inputs)
        now.wait_stream(self._stream)
        return outputs

    def _record(self, inputs: tuple[Tensor, ...]) -> _Recording:
        held = tuple(torch.empty_like(each).copy_(each) for each in inputs)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            outputs = self._function(*held)
        return _Recording(graph, held, outputs)
