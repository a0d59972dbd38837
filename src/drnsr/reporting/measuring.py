"""The measurement of methods for a page that compares them: scores, views of pictures, costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from drnsr.data.parallel import Progress
from drnsr.data.prepared import PreparedDataset
from drnsr.evaluation.benchmark import Method, measure
from drnsr.evaluation.cost import Cost, measure_cost, reference_network, seconds_per_megapixel
from drnsr.evaluation.metrics import PRIMARY, Metric
from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.published import published_costs
from drnsr.evaluation.scores import Score, ScoreSet, to_scores
from drnsr.evaluation.sharing import Measurement
from drnsr.inference.precision import PrecisionChoice
from drnsr.reporting.sections import benchmark_sections
from drnsr.reporting.views import PictureViews, draw_views
from drnsr.weights.loading import load_network

BASELINE = "bicubic"
"""It is always measured: pictures are recognised, and crops chosen, by it."""


@dataclass(frozen=True)
class Measuring:
    """How methods are measured on benchmarks.

    Attributes:
        datasets: the benchmarks.
        scale: the factor of the super-resolution.
        protocol: how to measure.
        device: torch's name of what the models run on.
        precision: in which they compute.
        progress: shows the progress.
        metrics: those that are computed; None for all that are ``reported``.
    """

    datasets: Sequence[PreparedDataset]
    scale: int
    protocol: Protocol
    device: str
    precision: PrecisionChoice
    progress: Progress
    metrics: Sequence[Metric] | None = None

    def scores(self, files: Mapping[str, Path | None]) -> list[Score]:
        """Measure the metrics of methods and of :data:`BASELINE` on all pictures.

        Args:
            files: the model file of each method by its name; None for an interpolation.

        Raises:
            UserError: a model cannot be loaded or run, or a picture not be measured.
        """
        methods = self._methods(files)
        scores: list[Score] = []
        for dataset in self.datasets:
            measured = measure(
                dataset,
                methods,
                scale=self.scale,
                protocol=self.protocol,
                metrics=self.metrics,
            )
            shown = self.progress(measured, f"measuring {dataset.name}", len(dataset.images))
            scores += to_scores(dataset.name, shown)
        return scores

    def views(
        self, scores: ScoreSet, files: Mapping[str, Path | None]
    ) -> dict[tuple[str, str], PictureViews]:
        """Draw the pictures with the largest and the least gains of the second method.

        Args:
            scores: of all methods.
            files: the model file of each of them by its name; None for an interpolation.

        Returns:
            The views by benchmark and picture.
        """
        methods = self._methods(files)
        sections = {section.name: section for section in benchmark_sections(scores)}
        views = {}
        for dataset in self.datasets:
            section = sections[dataset.name]
            places = {image.name: number for number, image in enumerate(dataset.images)}
            numbers = [places[name] for name in chain(section.best, section.worst)]
            measured = measure(
                dataset,
                methods,
                scale=self.scale,
                protocol=self.protocol,
                metrics=[PRIMARY],
                numbers=numbers,
            )
            for each in self.progress(measured, f"drawing {dataset.name}", len(numbers)):
                views[dataset.name, each.name] = draw_views(each, scores.methods, BASELINE)
        return views

    def costs(self, files: Mapping[str, Path]) -> dict[str, Cost]:
        """Measure what models cost on the device."""
        return {
            name: measure_cost(load_network(file), self.scale, self.device, self.precision)
            for name, file in files.items()
        }

    def reference_seconds(self) -> float | None:
        """Measure the network that published costs are relative to; None if not on a CPU."""
        if self.device != "cpu" or not published_costs(self.scale):
            return None
        network = reference_network(self.scale)
        return seconds_per_megapixel(network, self.scale, self.device, self.precision)

    def _methods(self, files: Mapping[str, Path | None]) -> list[Method]:
        methods = {**files, BASELINE: None}
        measurement = Measurement(methods, self.scale, self.protocol, (), self.precision)
        return measurement.make_methods(self.device)
