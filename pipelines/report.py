"""Stage `report`: all results of a run on one page."""

from itertools import chain
from typing import TYPE_CHECKING

from drnsr.atomic import write_text
from drnsr.config.schema import Config
from drnsr.data.audit import read_audit
from drnsr.data.patterns import value_for
from drnsr.evaluation.metrics import PRIMARY
from drnsr.evaluation.notes import training_notes
from drnsr.evaluation.protocol import Protocol, get_protocol
from drnsr.evaluation.results import Row, by_benchmark, extremes, read_rows
from drnsr.evaluation.verify import read_comparisons
from drnsr.hashing import sha256_of
from drnsr.project import LEAK_AUDIT, project_root
from drnsr.reporting.beside_published import BesidePublished, OurMethod, beside_published
from drnsr.reporting.commands import model_commands, reproduction_command
from drnsr.reporting.costs import describe_size, describe_times
from drnsr.reporting.lineage import audit_sentence, checked_out_commit, lineage_of_file
from drnsr.reporting.page import Circumstances, PagePicture, Report, render_report, script_of
from drnsr.reporting.views import read_views
from drnsr.tracking.costs import read_costs, read_reference_cost
from drnsr.tracking.events import LogArtifact
from drnsr.weights.native import read_info
from pipelines.app import run_stage
from pipelines.paths import Outputs, prepared
from pipelines.prepared import open_benchmark
from pipelines.tracked import mlflow_run, tracked_model

if TYPE_CHECKING:
    from drnsr.networks import Network


def report(config: Config) -> None:
    """Write the page, and beside it what differs each time that the same is run again.

    The page is an output of the graph: equal results must give an equal page. It loads the rest
    from a file that DVC does not know. MLflow gets a copy of the page with all of it inside.
    """
    from drnsr.networks.size import parameter_count
    from drnsr.weights.native import load_model

    outputs = Outputs.of(config)
    rows, network = read_rows(outputs.per_image), load_model(outputs.model)
    results = _results(rows, config, network)
    circumstances = _circumstances(rows, config, parameter_count(network))
    # By its name the file belongs to these results, also after DVC has taken others from its cache.
    name = f"{sha256_of([render_report(results).encode()])[:16]}.js"
    write_text(project_root() / outputs.circumstances / name, script_of(circumstances))
    url = outputs.circumstances.relative_to(outputs.report.parent) / name
    write_text(outputs.report, render_report(results, script=url.as_posix()))
    if config.logger.experiment is not None:
        with tracked_model(config) as outbox:
            page = render_report(results, circumstances=circumstances).encode()
            outbox.add(LogArtifact(kept=outbox.keep(outputs.report.name, page), to="report"))


def _results(rows: list[Row], config: Config, network: "Network") -> Report:
    """Return what the page shows, but for the circumstances of the run."""
    from drnsr.networks.size import multiply_adds_per_megapixel, parameter_count
    from drnsr.reporting.charts import curve_charts

    outputs, protocol = Outputs.of(config), get_protocol(config.protocol)
    info, parameters = read_info(outputs.model), parameter_count(network)
    benchmarks = config.model_dump(mode="json")["benchmark"]
    return Report(
        rows=rows,
        model=config.model.name,
        scale=config.scale,
        protocol=protocol,
        comparisons=read_comparisons(outputs.verification),
        beside=_beside(rows, config, parameters),
        curves=curve_charts(outputs.curves, colour=info.colour),
        pictures=_pictures(rows, config, protocol),
        audit=audit_sentence(
            read_audit(prepared(config) / LEAK_AUDIT),
            info.origin.data,
            {name: open_benchmark(config, name).fingerprint for name in config.benchmark},
            init_from=config.init_from,
        ),
        cost=describe_size(parameters, multiply_adds_per_megapixel(network, config.scale)),
        lineage=lineage_of_file(outputs.model) | _benchmark_hashes(config),
        commands=model_commands(
            outputs.model, scale=config.scale, protocol=config.protocol, benchmarks=benchmarks
        ),
        config=config.model_dump(),
        degradations={
            name: benchmark.degradation.name
            for name, benchmark in config.benchmark.items()
            if benchmark.degradation is not None
        },
        notes=training_notes(config.model_dump()),
    )


def _beside(
    rows: list[Row],
    config: Config,
    parameters: int,
    seconds: float | None = None,
    reference_seconds: float | None = None,
) -> BesidePublished | None:
    """Set the results beside the published ones.

    Args:
        rows: the results.
        config: of the run.
        parameters: the number of those of the model.
        seconds: of the model for an output megapixel; None if they were not measured.
        reference_seconds: those of the network that published costs are relative to; None if they
            were not measured, or not on a CPU.
    """
    protocol = get_protocol(config.protocol)
    means = {name: mean for name, _, mean in by_benchmark(rows, protocol)}
    return beside_published(
        [
            OurMethod("bicubic", {name: mean.bicubic for name, mean in means.items()}),
            OurMethod(
                config.model.name,
                {name: mean.model for name, mean in means.items()},
                parameters,
                seconds,
            ),
        ],
        {name: benchmark.published for name, benchmark in config.benchmark.items()},
        scale=config.scale,
        protocol=protocol,
        metrics=rows[0].metrics,
        reference_seconds=reference_seconds,
    )


def _pictures(
    rows: list[Row], config: Config, protocol: Protocol
) -> dict[tuple[str, str], PagePicture]:
    """Return the pictures with the best and the worst gains, whose views `evaluate` has kept."""
    outputs = Outputs.of(config)
    return {
        (name, image): PagePicture(
            read_views(outputs.view(name, image)),
            value_for(image, config.benchmark[name].licences, ""),
        )
        for name, of_benchmark, _ in by_benchmark(rows, protocol)
        for image in chain(*extremes({row.image: row.gain[PRIMARY.name] for row in of_benchmark}))
    }


def _circumstances(rows: list[Row], config: Config, parameters: int) -> Circumstances:
    model = Outputs.of(config).model
    of_model, training = read_costs(model)
    reference = read_reference_cost(model)
    lineage = {
        **checked_out_commit(),
        "MLflow run": mlflow_run(config) or "not tracked, or not yet",
    }
    return Circumstances(
        beside=_beside(
            rows,
            config,
            parameters,
            None if of_model is None else of_model["seconds_per_megapixel"],
            None if reference is None else reference["seconds_per_megapixel"],
        ),
        cost=describe_times(of_model, training),
        lineage=lineage,
        commands=reproduction_command(lineage),
    )


def _benchmark_hashes(config: Config) -> dict[str, str]:
    return {
        f"benchmark {name} (sha256)": open_benchmark(config, name).fingerprint
        for name in config.benchmark
    }


if __name__ == "__main__":
    run_stage(report)
