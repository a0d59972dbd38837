"""Stage `evaluate`: measure the model and bicubic on each benchmark, and draw them."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

from drnsr.atomic import check_writable
from drnsr.config.schema import Config
from drnsr.evaluation.benchmark import Method, bicubic, check_measurable, measure
from drnsr.evaluation.methods import network_method
from drnsr.evaluation.metrics import PRIMARY, Metric, get_metrics, reported_metrics
from drnsr.evaluation.notes import training_notes
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import published_costs
from drnsr.evaluation.results import Row, extremes, row_of, summary, write_rows, write_summary
from drnsr.terminal import track
from drnsr.tracking.costs import MODEL_FILE, REFERENCE_FILE, remove_cost, write_cost
from drnsr.tracking.events import EVALUATION
from drnsr.weights.native import read_info
from pipelines.app import run_stage
from pipelines.paths import Outputs
from pipelines.prepared import open_benchmark
from pipelines.tracked import add_model, record_failure, tracked_model, used_dataset

if TYPE_CHECKING:
    from drnsr.reporting.views import PictureViews

# The code of the package that the numbers of a model depend on. dvc.yaml has the same list.
EVALUATION_CODE = (
    "weights",
    "data/prepared.py",
    "data/parallel.py",
    "device.py",
    "evaluation",
    "images",
    "hashing.py",
    "inference/engine.py",
    "inference/precision.py",
    "inference/holes.py",
    "inference/channels.py",
    "inference/tiling.py",
    "networks",
    "reporting/drawing.py",
    "reporting/pictures.py",
    "reporting/views.py",
    "training/scalars.py",
)


def check_evaluation(config: Config) -> None:
    """Check before a training that the evaluation after it can run.

    Raises:
        DataError: if a benchmark is not prepared or has another scale, or a picture is too small.
        OSError: if the results cannot be written.
    """
    outputs, protocol = Outputs.of(config), get_protocol(config.protocol)
    for name in config.benchmark:
        dataset = open_benchmark(config, name)
        dataset.verify()
        check_measurable(dataset, config.scale, protocol)
        check_writable(outputs.pictures / name)
    check_writable(outputs.summary.parent)


def evaluate(config: Config) -> None:
    """Measure, draw and record; the run of the model ends with this, FINISHED or FAILED."""
    with record_failure(config):
        _evaluate(config)


def _evaluate(config: Config) -> None:
    import torch

    from drnsr.device import resolve_device
    from drnsr.evaluation.cost import measure_cost
    from drnsr.weights.native import load_model

    torch.set_num_threads(config.trainer.threads)
    outputs = Outputs.of(config)
    device = resolve_device(config.trainer.accelerator)
    network = load_model(outputs.model)
    model = network_method(network, config.scale, "model", device)
    rows = [
        row for name in config.benchmark for row in _measure_benchmark(name, model, config, outputs)
    ]
    content = summary(rows, scale=config.scale, protocol=get_protocol(config.protocol))
    for name, benchmark in config.benchmark.items():
        if benchmark.degradation is not None:
            content[name]["degradation"] = benchmark.degradation.name
    write_summary(outputs.summary, content)
    write_rows(outputs.per_image, rows)
    cost = asdict(measure_cost(network, config.scale, device))
    write_cost(read_info(outputs.model).origin, MODEL_FILE, cost)
    _measure_reference(config, outputs, device)
    if config.logger.experiment is not None:
        _record(config, outputs, content, rows, cost)


def _measure_reference(config: Config, outputs: Outputs, device: str) -> None:
    """Measure, beside the model, the network that the costs of published ones are relative to."""
    from drnsr.evaluation.cost import reference_network, seconds_per_megapixel

    origin, scale = read_info(outputs.model).origin, config.scale
    is_compared = any(each.published for each in config.benchmark.values())
    if device == "cpu" and is_compared and published_costs(scale):
        seconds = seconds_per_megapixel(reference_network(scale), scale, device)
        write_cost(origin, REFERENCE_FILE, {"seconds_per_megapixel": seconds})
    else:
        remove_cost(origin, REFERENCE_FILE)  # of an earlier evaluation, on another device


def _measure_benchmark(name: str, model: Method, config: Config, outputs: Outputs) -> list[Row]:
    from drnsr.reporting.pictures import write_panels
    from drnsr.reporting.views import draw_views

    dataset = open_benchmark(config, name)
    dataset.verify()
    protocol = get_protocol(config.protocol)
    rows: list[Row] = []
    views: dict[str, PictureViews] = {}  # of the best and the worst so far
    methods = [bicubic(config.scale, protocol), model]
    measured_pictures = measure(
        dataset, methods, scale=config.scale, protocol=protocol, metrics=_metrics(config)
    )
    for measured in track(measured_pictures, f"evaluating {name}", len(dataset.images)):
        rows.append(row_of(name, measured))
        write_panels(outputs.picture(name, measured.name), measured, config.model.name)
        shown = chain(*extremes({row.image: row.gain[PRIMARY.name] for row in rows}))
        views = {
            image: views.get(image) or draw_views(measured, ("bicubic", "model"), "bicubic")
            for image in shown
        }
    _write_views(name, views, outputs)
    return rows


def _metrics(config: Config) -> tuple[Metric, ...]:
    """Return the metrics of every evaluation, and those that the configuration adds."""
    reported = reported_metrics(get_protocol(config.protocol).measured_on)
    return get_metrics([*(metric.name for metric in reported), *config.metrics])


def _write_views(benchmark: str, views: "Mapping[str, PictureViews]", outputs: Outputs) -> None:
    """Write the views of the pictures with the best and the worst gains, and of no others."""
    from drnsr.reporting.views import write_views

    shutil.rmtree(outputs.views(benchmark), ignore_errors=True)
    for image, each in views.items():
        write_views(outputs.view(benchmark, image), each)


def _record(
    config: Config,
    outputs: Outputs,
    content: dict[str, dict[str, object]],
    rows: list[Row],
    cost: dict[str, float | None],
) -> None:
    """Add the evaluation to the MLflow run that made this model, or to one made for it."""
    from drnsr.tracking.evaluations import Evaluated, record_evaluation
    from drnsr.tracking.runs import title

    benchmarks = {name: open_benchmark(config, name) for name in config.benchmark}
    evaluated = Evaluated(
        title=title(config.model_dump()),
        summary=content,
        rows=rows,
        cost=cost,
        datasets=[used_dataset(name, each, EVALUATION) for name, each in benchmarks.items()],
        files=[outputs.summary, outputs.per_image],
        pictures=outputs.pictures,
        notes=training_notes(config.model_dump()),
    )
    with tracked_model(config) as outbox:
        add_model(outbox, config)
        record_evaluation(outbox, evaluated)


if __name__ == "__main__":
    run_stage(evaluate)
