"""Stage `report`: all results of a run on one page."""

import json
from functools import partial
from typing import cast

from drnsr.atomic import write_text
from drnsr.config.schema import Config
from drnsr.data.patterns import value_for
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.results import Row, read_rows
from drnsr.evaluation.verify import read_comparisons
from drnsr.hashing import sha256_of
from drnsr.project import run_folder
from drnsr.reporting.costs import NOT_MEASURED, describe_costs
from drnsr.reporting.lineage import lineage_of_file
from drnsr.reporting.page import ReportPicture, render_report
from drnsr.tracking.costs import read_costs
from drnsr.tracking.events import LogArtifact
from drnsr.weights.native import read_info
from pipelines.app import run_stage
from pipelines.paths import Outputs
from pipelines.prepared import open_benchmark
from pipelines.tracked import mlflow_run, tracked_model


def report(config: Config) -> None:
    """Write the page, and add it to the MLflow run."""
    from drnsr.reporting.curves import curves_svg

    outputs = Outputs.of(config)
    rows = read_rows(outputs.per_image)
    results = partial(
        render_report,
        rows,
        model=config.model.name,
        scale=config.scale,
        protocol=get_protocol(config.protocol),
        comparisons=read_comparisons(outputs.verification),
        curves=curves_svg(outputs.curves, colour=read_info(outputs.model).colour),
        pictures=[_picture(row, config, outputs) for row in rows],
        config=config.model_dump(),
    )
    cost, origin = _circumstances(results(cost={}, lineage={}), config)
    write_text(outputs.report, results(cost=cost, lineage=origin))
    if config.logger.experiment is not None:
        with tracked_model(config) as outbox:
            outbox.add(LogArtifact(kept=outbox.keep_copy(outputs.report), to="report"))


def _picture(row: Row, config: Config, outputs: Outputs) -> ReportPicture:
    return ReportPicture(
        name=row.image,
        png=outputs.picture(row.benchmark, row.image),
        licence=value_for(row.image, config.benchmark[row.benchmark].licences, ""),
    )


def _circumstances(results: str, config: Config) -> tuple[dict[str, str], dict[str, str]]:
    """Return the cost and the lineage with which equal results were reported first.

    Cost and lineage differ each time that the same is run again. But the page is an output of the
    graph, and equal results must give an equal page.
    """
    outputs = Outputs.of(config)
    run, folder = mlflow_run(config), run_folder(read_info(outputs.model).origin.fingerprint)
    first = folder / "reported" / f"{sha256_of([results.encode()])[:16]}.json"
    if first.is_file():
        return cast(tuple[dict[str, str], dict[str, str]], json.loads(first.read_text("utf-8")))
    costs = describe_costs(*read_costs(outputs.model))
    found = costs, lineage_of_file(outputs.model) | _tracked(config, run)
    if NOT_MEASURED not in found[0].values() and (run or config.logger.experiment is None):
        write_text(first, json.dumps(found))  # nothing is missing that may be known later
    return found


def _tracked(config: Config, run: str | None) -> dict[str, str]:
    return {
        "MLflow run": run or "not tracked, or not yet",
        **{
            f"benchmark {name} (sha256)": open_benchmark(config, name).fingerprint
            for name in config.benchmark
        },
    }


if __name__ == "__main__":
    run_stage(report)
