"""A sweep as a table and two plots: parallel coordinates, and how much each parameter matters."""

import csv
import io
import logging
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drnsr.atomic import atomic_path, write_text
from drnsr.project import project_root
from drnsr.tracking.jobs import JobRecord, varied_overrides
from drnsr.tracking.objective import Objective

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

log = logging.getLogger("drnsr")

TABLE = "results.csv"

_LOG_RATIO = 10  # of the largest value to the smallest, from which an axis is logarithmic
_DPI = 120


def table_of(jobs: Sequence[JobRecord]) -> list[dict[str, Any]]:
    """Return a row for each job: what it was, what it gave, and where."""
    varied = varied_overrides(jobs)
    measures = list(dict.fromkeys(m for job in jobs if job.result for m in job.result.measures))
    rows = []
    for job in jobs:
        row: dict[str, Any] = {"job": job.number, "status": job.status}
        row |= {name: job.overrides.get(name) for name in varied}
        result = job.result
        row["objective"] = None if result is None else result.objective
        row |= {name: result.measures.get(name) if result else None for name in measures}
        row |= {"error": job.error, "run_id": result.run_id if result else None}
        rows.append(row | {"output": _place(result.output) if result else None})
    return rows


def _place(output: str) -> str:
    """Return the folder of a result, which may be of another sweep, as seen from the project."""
    folder, root = Path(output), project_root().resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.name


def write_sweep(folder: Path, jobs: Sequence[JobRecord], objective: str) -> list[Path]:
    """Write the table of a sweep, and the plots if the objectives of several jobs are known.

    Args:
        folder: where to.
        jobs: of the sweep.
        objective: its name.

    Returns:
        The files.
    """
    files = [folder / TABLE]
    rows = table_of(jobs)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(files[0], buffer.getvalue())
    if find_spec("optuna") is None:
        log.info("no plots of the sweep: they need optuna (pip install '.[sweep]')")
        return files
    study = _study(jobs, Objective(objective))
    if study is not None:
        files += _write_plots(folder, study, objective)
    return files


def best_job(jobs: Sequence[JobRecord], objective: str) -> JobRecord | None:
    """Return the job with the best objective; None if none was measured."""
    values = {
        number: job.result.objective
        for number, job in enumerate(jobs)
        if job.result is not None and job.result.objective is not None
    }
    return jobs[Objective(objective).best(values)] if values else None


def _study(jobs: Sequence[JobRecord], objective: Objective) -> "Study | None":
    """Return the measured jobs as a study of Optuna; None if there is nothing to compare."""
    import optuna

    measured = [job for job in jobs if job.result and job.result.objective is not None]
    values = [job.result.objective for job in measured if job.result]
    if len(set(values)) < 2:
        return None
    names = [
        name
        for name in varied_overrides(measured)
        if len({job.overrides.get(name) for job in measured}) > 1
    ]
    if not names:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    columns = {name: [job.overrides.get(name, "default") for job in measured] for name in names}
    axes = {name: _axis(column) for name, column in columns.items()}
    study = optuna.create_study(direction="maximize" if objective.higher_is_better else "minimize")
    for number, value in enumerate(values):
        params = {name: axes[name][1][number] for name in names}
        distributions = {name: axes[name][0] for name in names}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        )
    return study


def _axis(texts: Sequence[str]) -> "tuple[BaseDistribution, list[Any]]":
    """Return the distribution of the values of a parameter, and the values: numbers if all are."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return CategoricalDistribution(sorted(set(texts))), list(texts)
    low, high = min(numbers), max(numbers)
    return FloatDistribution(low, high, log=low > 0 and high / low >= _LOG_RATIO), numbers


def _write_plots(folder: Path, study: "Study", objective: str) -> list[Path]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization.matplotlib import plot_parallel_coordinate, plot_param_importances

    files = []
    with warnings.catch_warnings(), plt.rc_context():
        warnings.simplefilter("ignore")  # the module is called experimental
        for name, plot in (
            ("parallel_coordinates.png", plot_parallel_coordinate),
            ("parameter_importances.png", plot_param_importances),
        ):
            plot(study, target_name=objective)
            with atomic_path(folder / name) as partial:
                plt.savefig(partial, dpi=_DPI, bbox_inches="tight")
            plt.close()
            files.append(folder / name)
    return files
