"""The measurement of methods in several processes, which share the pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from drnsr.data.prepared import PreparedDataset
from drnsr.device import thread_shares
from drnsr.errors import UserError
from drnsr.evaluation.benchmark import Method, measure
from drnsr.evaluation.methods import classical_method, model_method
from drnsr.evaluation.metrics import get_metrics
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.scores import Score, to_scores
from drnsr.inference.precision import PrecisionChoice
from drnsr.signals import signals_raise
from drnsr.workers import Finished, Lost, Report, share_out


class MeasurementError(UserError):
    """A picture cannot be measured, because the processes that tried were killed."""


@dataclass(frozen=True)
class Measurement:
    """What is measured and how; it can be sent to another process.

    Attributes:
        methods: the model file of each method by its name; None for an interpolation.
        scale: the factor of the super-resolution.
        protocol: how to measure.
        metrics: names of the metrics.
        precision: in which the models compute.
    """

    methods: Mapping[str, Path | None]
    scale: int
    protocol: Protocol
    metrics: tuple[str, ...]
    precision: PrecisionChoice

    def make_methods(self, device: str) -> list[Method]:
        """Load the models.

        Raises:
            UserError: one cannot be loaded, or run on the device or in the precision.
        """
        return [
            model_method(file, self.scale, name, device, self.precision)
            if file is not None
            else classical_method(name, self.scale, self.protocol)
            for name, file in self.methods.items()
        ]


def measure_in_processes(
    datasets: Sequence[PreparedDataset], measurement: Measurement, devices: Sequence[str]
) -> Iterator[tuple[int, list[Score]]]:
    """Measure each picture in one of several processes, large ones first.

    Args:
        datasets: the benchmarks.
        measurement: what to measure.
        devices: torch's names, one for each process.

    Yields:
        The scores of a picture, and its number among those of all benchmarks; as they are ready.

    Raises:
        UserError: see :func:`drnsr.evaluation.benchmark.measure`.
        MeasurementError: two processes were killed within the same picture.
        SignalError: Ctrl-C or SIGTERM arrived.
    """
    pictures = [(dataset, number) for dataset in datasets for number in range(len(dataset.images))]
    images = [dataset.images[number] for dataset, number in pictures]
    order = sorted(range(len(images)), key=lambda k: -images[k].height * images[k].width)
    starts = [
        _Start(measurement, device, threads)
        for device, threads in zip(devices, thread_shares(len(devices)), strict=True)
    ]
    with (
        signals_raise("ended early"),
        closing(share_out([pictures[number] for number in order], starts)) as events,
    ):
        for event in events:
            number = order[event.task]
            if isinstance(event, Finished):
                yield number, event.result
            elif isinstance(event, Lost) and event.is_final:
                title = f"{images[number].name} of {pictures[number][0].name}"
                raise MeasurementError(f"{title}: {event.reason}, twice")


@dataclass(frozen=True)
class _Start:
    """Lets a worker measure on a device of its own; it is called in the worker's process."""

    measurement: Measurement
    device: str
    threads: int

    def __call__(self) -> Callable[[tuple[PreparedDataset, int], Report], list[Score]]:
        torch.set_num_threads(self.threads)
        methods = self.measurement.make_methods(self.device)
        metrics = get_metrics(self.measurement.metrics)
        scale, protocol = self.measurement.scale, self.measurement.protocol

        def work(picture: tuple[PreparedDataset, int], _: Report) -> list[Score]:
            dataset, number = picture
            measured = measure(
                dataset,
                methods,
                scale=scale,
                protocol=protocol,
                metrics=metrics,
                workers=1,
                numbers=[number],
            )
            return to_scores(dataset.name, measured)

        return work
