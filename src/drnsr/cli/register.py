"""Register the model of an MLflow run under a name, with a model card."""

import argparse
from typing import TYPE_CHECKING

from drnsr.errors import printable

if TYPE_CHECKING:
    from drnsr.tracking.record import RunRecord
    from drnsr.tracking.registry import Version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="an MLflow run id (the best job of a sweep is taken), or a model: a file, an"
        " MLflow URI, hf://USER/NAME",
    )
    parser.add_argument(
        "--name",
        help="of the registered model (default: drnsr-x2 for a drnsr of scale 2, and drnsr-x2-photo"
        " for one that was trained on degraded pictures)",
    )


def run(parsed: argparse.Namespace) -> None:
    """Register a new version, unless the run has one, and print its name."""
    from drnsr.cli.models import run_or_file
    from drnsr.tracking.record import find_record
    from drnsr.tracking.registry import CANDIDATE

    version, is_new = ensure_registered(find_record(run_or_file(parsed.run)), parsed.name)
    if is_new:
        known = f"is the {CANDIDATE} now: models:/{version.name}@{CANDIDATE}"
    else:
        known = f"is this model already: models:/{version.name}/{version.number}"
    print(printable(f"{version} {known}"))


def ensure_registered(record: "RunRecord", name: str | None) -> "tuple[Version, bool]":
    """Return the version of a run's model, and whether it was registered just now.

    Args:
        record: the run.
        name: the name of the registered model; None for the default.

    Raises:
        TrackingError: if the store cannot be reached, or the run has no model or no evaluation.
    """
    from drnsr.config.schema import recipe
    from drnsr.reporting.card import model_card
    from drnsr.reporting.costs import describe_costs
    from drnsr.reporting.lineage import lineage_of_run
    from drnsr.tracking.record import read_evaluation
    from drnsr.tracking.registry import default_name, find_version, register
    from drnsr.tracking.store import TrackingError

    name = name or default_name(record.config)
    if version := find_version(name, record.run_id):
        return version, False
    summary = read_evaluation(record.run_id).summary
    try:
        card = model_card(
            name,
            config=record.config,
            recipe=recipe(record.config),
            summary=summary,
            comparisons=[],
            cost=describe_costs(record.model_cost, record.training_cost),
            lineage=lineage_of_run(record),
        )
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise TrackingError(f"run {record.run_id}: its record is damaged ({error!r})") from error
    return register(name, record.run_id, card), True
