"""The shipped default model measured beside a model for photographs, for the card of that one."""

import logging
from collections.abc import Mapping
from math import isclose
from pathlib import Path
from typing import Any

from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.evaluation.benchmark import bicubic, mean_values, measure
from drnsr.evaluation.methods import model_method
from drnsr.evaluation.metrics import PRIMARY, Values, get_metrics, known_metrics
from drnsr.evaluation.protocol import get_protocol

log = logging.getLogger("drnsr")


def measure_beside(
    model: Path, config: Mapping[str, Any], summary: Mapping[str, Any], benchmarks: Path
) -> dict[str, Values]:
    """Measure a model on the benchmarks of a run, on the same images and by the same protocol.

    Args:
        model: the model file.
        config: the composed configuration of the run.
        summary: the content of the run's ``metrics/benchmark.json``.
        benchmarks: the folder of the prepared benchmarks.

    Returns:
        The means by benchmark. A benchmark is left out, with a warning, if it is not prepared or
        bicubic has another mean on it than the run's: then it is not the one that was measured.
    """
    protocol, scale = get_protocol(config["protocol"]), config["scale"]
    methods = [bicubic(scale, protocol), model_method(model, scale, "model")]
    found: dict[str, Values] = {}
    for name, result in summary.items():
        metrics = get_metrics([metric.name for metric in known_metrics(result["model"])])
        try:
            dataset = PreparedDataset.open(benchmarks / name)
            measured = list(
                measure(dataset, methods, scale=scale, protocol=protocol, metrics=metrics)
            )
        except DataError as error:
            log.warning("%s; the card has no scores of %s on it", error, model.stem)
            continue
        pixels = [each.pixels for each in measured]
        means = {
            method: mean_values(
                [each.results[method].values for each in measured], pixels, protocol
            )
            for method in ("bicubic", "model")
        }
        ours, theirs = means["bicubic"][PRIMARY.name], result["bicubic"][PRIMARY.name]
        if ours is None or not isclose(ours, theirs, abs_tol=1e-3):
            log.warning("%s: not what the run measured; %s is left out", name, model.stem)
            continue
        found[name] = means["model"]
    return found
