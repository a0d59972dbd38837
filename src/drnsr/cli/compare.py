"""Compare models or runs on the same pictures, with statistics, on one HTML page.

A run that was evaluated, its folder or its MLflow run, is not measured again. Models are measured
on --benchmark; beside runs, on the benchmarks of the runs.
"""

import argparse
import os
import shlex
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drnsr.cli.device_options import add_device_argument
from drnsr.errors import UserError, printable
from drnsr.evaluation.metrics import METRICS, PRIMARY, get_metrics
from drnsr.terminal import track

if TYPE_CHECKING:
    from drnsr.cli.compare_inputs import Inputs
    from drnsr.config.schema import Benchmark
    from drnsr.evaluation.scores import Score, ScoreSet
    from drnsr.reporting.measuring import Measuring
    from drnsr.reporting.page import Pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "methods",
        nargs="+",
        metavar="RUN|MODEL",
        help="a folder of a run (. is the last `dvc repro`), an MLflow run id, a model (drnsr-x2, a"
        " file, an MLflow URI, hf://USER/NAME), or bicubic, nearest, lanczos; the others are"
        " compared with the first",
    )
    parser.add_argument(
        "--benchmark",
        help="names in conf/benchmark, separated by commas (default: those of the runs, or"
        " sample_test)",
    )
    parser.add_argument(
        "--folder", type=Path, help="your own test images, for the benchmark `folder`"
    )
    parser.add_argument("--scale", type=int, help="default: that of the runs, or 2")
    parser.add_argument(
        "--protocol", help="as in `drnsr evaluate` (default: that of the runs, or paper_y)"
    )
    parser.add_argument(
        "--metrics",
        help=f"names among {', '.join(METRICS)}, separated by commas; {PRIMARY.label} is always one"
        " (default: as in `drnsr evaluate`; beside runs, those that the runs have as well)",
    )
    parser.add_argument(
        "--out",
        type=_page_path,
        default=Path("compare.html"),
        metavar="FILE",
        help="the page; .html is added if it is missing, and in a folder it is compare.html"
        " (default: %(default)s)",
    )
    add_device_argument(parser)
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="fp32",
        help="of the models that are measured (default: %(default)s)",
    )


def _page_path(text: str) -> Path:
    """Return the file of the page, which a browser opens by its suffix."""
    path = Path(text)
    if text.endswith(("/", os.sep)) or path.is_dir():
        return path / "compare.html"
    if path.suffix.lower() in (".html", ".htm"):
        return path
    return path.with_name(f"{path.name}.html")


def run(parsed: argparse.Namespace) -> None:
    """Compare, write the page, and print what is proven.

    Raises:
        UserError: if two of them cannot be compared, or one cannot be used.
    """
    from drnsr.atomic import write_text
    from drnsr.cli.compare_inputs import read_inputs, what_to_measure
    from drnsr.cli.evaluation_options import open_benchmarks
    from drnsr.device import resolve_device
    from drnsr.evaluation.metrics import known_metrics
    from drnsr.evaluation.scores import ScoreSet
    from drnsr.reporting.measuring import Measuring
    from drnsr.reporting.page import is_page
    from drnsr.reporting.score_tables import difference_sentences

    if parsed.out.exists() and not is_page(parsed.out):
        raise UserError(f"{parsed.out}: drnsr did not make it: take another --out")
    device = resolve_device(parsed.device)
    inputs = read_inputs(parsed.methods)
    what, protocol = what_to_measure(inputs, parsed)
    with ExitStack() as stack:
        datasets, problem = [], ""
        try:
            benchmarks = open_benchmarks(",".join(what.benchmarks), what.scale, parsed.folder)
            datasets = stack.enter_context(benchmarks)
        except UserError as error:
            if inputs.files:  # runs were measured before: there are no pictures then
                raise
            problem = str(error)
        measuring = Measuring(
            datasets,
            *(what.scale, protocol, device, parsed.precision, partial(track, is_kept=False)),
            metrics=get_metrics([PRIMARY.name, *parsed.metrics.split(",")])
            if parsed.metrics
            else None,
        )
        scores = _scores(inputs, what.benchmarks, measuring)
        metrics = [
            metric
            for metric in known_metrics(scores[0].values)
            if all(metric.name in score.values for score in scores)
        ]
        costs = measuring.costs(inputs.models)
        compared = ScoreSet(scores, costs, metrics, what.scale, protocol)
        page = _page(compared, inputs, measuring, problem, parsed)
    write_text(parsed.out, page)
    for line in (*difference_sentences(compared), str(parsed.out)):
        print(printable(line))


def _scores(inputs: "Inputs", benchmarks: list[str], measuring: "Measuring") -> "list[Score]":
    """Return the scores of the runs and measure the others; in the order of the command."""
    from drnsr.reporting.compared import require_same_pictures, scores_of_runs
    from drnsr.reporting.measuring import BASELINE

    scores = scores_of_runs(inputs.runs, benchmarks) if inputs.runs else []
    if inputs.files:
        measured = measuring.scores(inputs.files)
        for run in inputs.runs[:1]:
            for name in benchmarks:
                rows = run.evaluation.on(name)
                require_same_pictures(
                    name,
                    (run.name, {image: row.bicubic for image, row in rows.items()}),
                    (
                        "the models",
                        {
                            score.image: score.values
                            for score in measured
                            if (score.benchmark, score.method) == (name, BASELINE)
                        },
                    ),
                )
        scores += [score for score in measured if score.method in inputs.files]
    places = list(dict.fromkeys(score.benchmark for score in scores))
    return sorted(
        scores,
        key=lambda each: (places.index(each.benchmark), inputs.names.index(each.method)),
    )


def _page(
    compared: "ScoreSet",
    inputs: "Inputs",
    measuring: "Measuring",
    problem: str,
    parsed: argparse.Namespace,
) -> str:
    from drnsr.config.compose import compose_benchmarks
    from drnsr.config.errors import ConfigError
    from drnsr.reporting.compare_page import render_comparison
    from drnsr.reporting.measuring import BASELINE

    known: dict[str, Benchmark] = {}
    for choice in (parsed.benchmark or ",".join(compared.benchmarks)).split(","):
        with suppress(ConfigError):  # a run's benchmark of another project: there are no pictures
            known |= compose_benchmarks(choice, compared.scale)
    published = {
        name: known[name].published if name in known else None for name in compared.benchmarks
    }
    missing = [name for name in inputs.names if name not in inputs.drawable]
    if not problem and missing:
        problem = f"the model of {', '.join(missing)} is not at hand"
    is_compared = compared.costs and any(published.values())
    return render_comparison(
        compared,
        published=published,
        degradations={
            name: benchmark.degradation.name
            for name, benchmark in known.items()
            if benchmark.degradation is not None
        },
        pictures={} if problem else _pictures(compared, inputs, measuring, known),
        why_no_pictures=f"There are no pictures: {problem}.",
        baseline=BASELINE,
        reference_seconds=measuring.reference_seconds() if is_compared else None,
        device=measuring.device,
        command=_command(parsed),
    )


def _pictures(
    compared: "ScoreSet",
    inputs: "Inputs",
    measuring: "Measuring",
    benchmarks: "Mapping[str, Benchmark]",
) -> "Pictures":
    from drnsr.data.patterns import value_for
    from drnsr.reporting.page import PagePicture

    return {
        (name, image): PagePicture(views, value_for(image, benchmarks[name].licences, ""))
        for (name, image), views in measuring.views(compared, inputs.drawable).items()
    }


def _command(parsed: argparse.Namespace) -> str:
    """Return the command that makes the page again."""
    words = ["drnsr", "compare", *parsed.methods]
    options = ("benchmark", "folder", "scale", "protocol", "metrics", "out", "device", "precision")
    for name in options:
        value = getattr(parsed, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    return shlex.join(words)
