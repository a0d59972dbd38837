"""Stage `evaluate`: the model and bicubic on every benchmark, as numbers and as pictures."""

import json
import logging
from dataclasses import asdict

from omegaconf import DictConfig
from rich.progress import track

from drnsr.atomic import write_text
from drnsr.checkpoints.native import read_info
from drnsr.evaluation.benchmark import Method, bicubic, measure
from drnsr.evaluation.methods import network_method
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.results import Row, row_of, summary, write_rows, write_summary
from pipelines.app import run_stage
from pipelines.packs import open_benchmark
from pipelines.paths import Outputs
from pipelines.tracked import begin_run, log_trained_model

log = logging.getLogger("drnsr")


def evaluate(config: DictConfig) -> None:
    """Measure, draw, and record."""
    import torch

    from drnsr.checkpoints.native import load_model
    from drnsr.evaluation.cost import measure_cost

    torch.set_num_threads(config.trainer.threads)
    outputs = Outputs.of(config)
    on_gpu = config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    device = "cuda" if on_gpu else "cpu"
    network = load_model(outputs.model)
    model = network_method(network, config.scale, "model", device)
    rows = [
        row
        for name in map(str, config.benchmark)
        for row in _measure_benchmark(name, model, config, outputs)
    ]
    content = summary(rows, scale=config.scale, protocol=get_protocol(config.protocol))
    write_summary(outputs.summary, content)
    write_rows(outputs.per_image, rows)
    cost = measure_cost(network, config.scale, device)
    write_text(outputs.cost, json.dumps(asdict(cost), indent=2) + "\n")
    if config.logger.experiment is not None:
        _record(config, outputs, content)


def _measure_benchmark(name: str, model: Method, config: DictConfig, outputs: Outputs) -> list[Row]:
    from drnsr.reporting.pictures import write_comparison

    pack = open_benchmark(config, name)
    protocol = get_protocol(config.protocol)
    rows = []
    methods = [bicubic(config.scale, protocol), model]
    measured_pictures = measure(pack, methods, scale=config.scale, protocol=protocol)
    for measured in track(measured_pictures, f"evaluating {name}", total=len(pack.images)):
        rows.append(row_of(name, measured))
        write_comparison(outputs.picture(name, measured.name), measured)
    return rows


def _record(config: DictConfig, outputs: Outputs, content: dict[str, dict[str, object]]) -> None:
    """Add the evaluation to the MLflow run that made this model, or to one made for it."""
    from drnsr.tracking.runs import DATA_TAG, find_runs, log_evaluation
    from drnsr.tracking.store import open_store, tracking_errors

    client = open_store()
    with tracking_errors():
        run_id = next(iter(find_runs(client, outputs.model)), None)
        if run_id is None:
            log.info("this MLflow does not know the model (it was trained elsewhere): making a run")
            run_id = begin_run(client, config, read_info(outputs.model).origin)
            log_trained_model(client, run_id, config)
        files = [outputs.summary, outputs.per_image, outputs.pictures]
        log_evaluation(client, run_id, content, files)
        for name in map(str, config.benchmark):
            tag = f"{DATA_TAG}{name}"
            client.set_tag(run_id, tag, open_benchmark(config, name).fingerprint)


if __name__ == "__main__":
    run_stage(evaluate)
