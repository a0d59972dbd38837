"""Stage `report`: all results of a run on one page."""

import json
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import TypedDict, cast

from drnsr.atomic import write_text
from drnsr.config.schema import Config
from drnsr.data.audit import read_audit
from drnsr.data.patterns import value_for
from drnsr.evaluation.metrics import PRIMARY
from drnsr.evaluation.protocol import Protocol, get_protocol
from drnsr.evaluation.results import Row, by_benchmark, extremes, read_rows
from drnsr.evaluation.verify import read_comparisons
from drnsr.hashing import sha256_of
from drnsr.project import LEAK_AUDIT, run_folder
from drnsr.reporting.beside_published import BesidePublished, OurMethod, beside_published
from drnsr.reporting.commands import model_commands, reproduction_command
from drnsr.reporting.costs import NOT_MEASURED, describe_costs
from drnsr.reporting.lineage import audit_sentence, lineage_of_file
from drnsr.reporting.page import PagePicture, render_report
from drnsr.reporting.views import read_views
from drnsr.tracking.costs import read_costs, read_reference_cost
from drnsr.tracking.events import LogArtifact
from drnsr.weights.native import read_info
from pipelines.app import run_stage
from pipelines.paths import Outputs, prepared
from pipelines.prepared import open_benchmark
from pipelines.tracked import mlflow_run, tracked_model


class Circumstances(TypedDict):
    """What differs each time that the same is run again.

    Attributes:
        cost: of the training and the model, in words.
        seconds: of the model for an output megapixel; None if they were not measured.
        reference_seconds: those of the network that published costs are relative to; None if they
            were not measured, or not on a CPU.
        lineage: what the results were made from, by name.
    """

    cost: dict[str, str]
    seconds: float | None
    reference_seconds: float | None
    lineage: dict[str, str]


def report(config: Config) -> None:
    """Write the page, and add it to the MLflow run."""
    outputs = Outputs.of(config)
    rows, protocol = read_rows(outputs.per_image), get_protocol(config.protocol)
    results = _results(config, rows, protocol)
    unknown = Circumstances(cost={}, seconds=None, reference_seconds=None, lineage={})
    circumstances = _circumstances(results(unknown), config)
    write_text(outputs.report, results(circumstances))
    if config.logger.experiment is not None:
        with tracked_model(config) as outbox:
            outbox.add(LogArtifact(kept=outbox.keep_copy(outputs.report), to="report"))


def _results(config: Config, rows: list[Row], protocol: Protocol) -> Callable[[Circumstances], str]:
    """Return what renders the page once the circumstances are known; all else is in it."""
    from drnsr.reporting.charts import curve_charts

    outputs, model = Outputs.of(config), config.model.name
    info = read_info(outputs.model)
    benchmarks = config.model_dump(mode="json")["benchmark"]
    page = partial(
        render_report,
        rows,
        model=model,
        scale=config.scale,
        protocol=protocol,
        comparisons=read_comparisons(outputs.verification),
        curves=curve_charts(outputs.curves, colour=info.colour),
        pictures=_pictures(rows, config, protocol),
        audit=audit_sentence(
            read_audit(prepared(config) / LEAK_AUDIT),
            info.origin.data,
            {name: open_benchmark(config, name).fingerprint for name in config.benchmark},
            init_from=config.init_from,
        ),
        config=config.model_dump(),
        degradations={
            name: benchmark.degradation.name
            for name, benchmark in config.benchmark.items()
            if benchmark.degradation is not None
        },
        notes=_notes(config),
    )
    usual = model_commands(
        outputs.model, scale=config.scale, protocol=config.protocol, benchmarks=benchmarks
    )
    parameters = _number_of_parameters(outputs)

    def render(known: Circumstances) -> str:
        return page(
            beside=_beside(config, rows, protocol, parameters, known),
            cost=known["cost"],
            lineage=known["lineage"],
            commands=[*reproduction_command(known["lineage"]), *usual],
        )

    return render


def _beside(
    config: Config, rows: list[Row], protocol: Protocol, parameters: int, known: Circumstances
) -> BesidePublished | None:
    means = {name: mean for name, _, mean in by_benchmark(rows, protocol)}
    return beside_published(
        [
            OurMethod("bicubic", {name: mean.bicubic for name, mean in means.items()}),
            OurMethod(
                config.model.name,
                {name: mean.model for name, mean in means.items()},
                parameters,
                known["seconds"],
            ),
        ],
        {name: benchmark.published for name, benchmark in config.benchmark.items()},
        scale=config.scale,
        protocol=protocol,
        metrics=rows[0].metrics,
        reference_seconds=known["reference_seconds"],
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


def _notes(config: Config) -> list[str]:
    """Return what a reader of the numbers must know of the training."""
    notes = []
    if config.gan is not None:
        notes.append(
            "The network was trained against a discriminator, which adds texture and lowers the"
            " PSNR. Judge it by eye, and by a perceptual metric of drnsr evaluate."
        )
    if not config.degradation.is_bicubic:
        notes.append(
            f"The network was trained on pictures with the degradation {config.degradation.name},"
            " for photographs with noise, blur and JPEG artefacts; clean pictures lose detail."
        )
    return notes


def _number_of_parameters(outputs: Outputs) -> int:
    from drnsr.weights.native import load_model

    return sum(each.numel() for each in load_model(outputs.model).parameters())


def _circumstances(results: str, config: Config) -> Circumstances:
    """Return the circumstances with which equal results were reported first.

    They differ each time that the same is run again. But the page is an output of the graph, and
    equal results must give an equal page.
    """
    outputs = Outputs.of(config)
    run, folder = mlflow_run(config), run_folder(read_info(outputs.model).origin.fingerprint)
    first = folder / "reported" / f"{sha256_of([results.encode()])[:16]}.json"
    if first.is_file():
        return cast(Circumstances, json.loads(first.read_text("utf-8")))
    model, training = read_costs(outputs.model)
    reference = read_reference_cost(outputs.model)
    found = Circumstances(
        cost=describe_costs(model, training),
        seconds=None if model is None else model["seconds_per_megapixel"],
        reference_seconds=None if reference is None else reference["seconds_per_megapixel"],
        lineage=lineage_of_file(outputs.model) | _tracked(config, run),
    )
    if NOT_MEASURED not in found["cost"].values() and (run or config.logger.experiment is None):
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
