"""Register the model of an MLflow run under a name, with a model card."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drnsr.tracking.record import RunRecord
    from drnsr.tracking.registry import Version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="an MLflow run id (of a sweep: its best job is taken), or a model file",
    )
    parser.add_argument(
        "--name", help="of the registered model (default: drnsr-x2 for a drnsr of scale 2)"
    )


def run(parsed: argparse.Namespace) -> None:
    """Make a new version, unless the run has one, and print how it is called."""
    from drnsr.tracking.record import find_record
    from drnsr.tracking.registry import CANDIDATE

    version, new = registered(find_record(parsed.run), parsed.name)
    if new:
        print(f"{version} is the {CANDIDATE} now: models:/{version.name}@{CANDIDATE}")
    else:
        print(f"{version} is this model already: models:/{version.name}/{version.number}")


def registered(record: "RunRecord", name: str | None) -> tuple["Version", bool]:
    """The version of a run's model, and whether it was made just now.

    Args:
        record: of the run.
        name: of the registered model; None for the default.

    Raises:
        TrackingError: the store is away, or the run has no model or was not evaluated.
    """
    from drnsr.config.schema import recipe
    from drnsr.reporting.card import model_card
    from drnsr.reporting.costs import describe_costs
    from drnsr.tracking.record import read_evaluation
    from drnsr.tracking.registry import default_name, find_version, register

    name = name or default_name(record.config)
    if version := find_version(name, record.run_id):
        return version, False
    card = model_card(
        name,
        config=record.config,
        recipe=recipe(record.config),
        summary=read_evaluation(record.run_id).summary,
        comparisons=[],
        cost=describe_costs(record.model_cost, record.training_cost),
        lineage=_lineage(record),
    )
    return register(name, record.run_id, card), True


def _lineage(record: "RunRecord") -> dict[str, str]:
    return {
        "git commit": record.commit + (" and uncommitted changes" if record.dirty else ""),
        "MLflow run": record.run_id,
        "model (sha256)": str(record.model_sha256),
        **{f"data {name} (sha256)": sha256 for name, sha256 in record.data.items()},
    }
