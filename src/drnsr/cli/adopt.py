"""Write the configuration of an MLflow run, or of a sweep's best job, to params.yaml."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drnsr.tracking.record import RunRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="an MLflow run id (of a sweep: its best job is taken), or a model file",
    )


def run(parsed: argparse.Namespace) -> None:
    """Change params.yaml, whose comments stay, and print what it chooses now."""
    from drnsr.config.compose import compose_graph
    from drnsr.config.overrides import write_choices
    from drnsr.errors import UserError
    from drnsr.project import PARAMS
    from drnsr.tracking.record import find_record

    if not PARAMS.is_file():
        raise UserError(f"{PARAMS}: not here; call this in the folder of the project")
    record = find_record(parsed.run)
    choices = _choices(record)
    before = PARAMS.read_bytes()
    write_choices(PARAMS, choices)
    try:
        compose_graph(PARAMS)
    except UserError:
        PARAMS.write_bytes(before)
        raise
    print(f"{PARAMS} now has the configuration of run {record.run_id} ({record.name}):")
    for name, value in choices.items():
        print(f"  {name}: {value}")
    print("`dvc repro` runs it")


def _choices(record: "RunRecord") -> dict[str, Any]:
    """As they were made, where that is recorded and params.yaml can say it."""
    from drnsr.config.errors import ConfigError
    from drnsr.config.overrides import choices_made, choices_of

    if record.choices is not None:
        try:
            return choices_made(
                record.choices["params"], record.choices["overrides"], record.config
            )
        except ConfigError:
            pass  # conf/ has changed since, or an override replaces what an experiment decides
    return choices_of(record.config)
