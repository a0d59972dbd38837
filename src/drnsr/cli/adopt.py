"""Write the configuration of an MLflow run, or of a sweep's best job, to params.yaml."""

import argparse
from contextlib import suppress

from drnsr.errors import UserError, printable
from drnsr.project import PARAMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="an MLflow run id (the best job of a sweep is taken), or a model file",
    )


def run(parsed: argparse.Namespace) -> None:
    """Change params.yaml, whose comments are kept, and print the new choices.

    Raises:
        UserError: if there is no such run, or this project cannot compose its configuration;
            params.yaml is not changed then.
    """
    from drnsr.config.compose import compose_graph
    from drnsr.config.errors import ConfigError
    from drnsr.config.overrides import find_choices, recorded_choices, write_choices
    from drnsr.tracking.record import find_record

    record = find_record(parsed.run)
    choices = None
    if (made := record.choices) is not None:
        # conf/ may have changed since, and an override may replace what an experiment decides.
        with suppress(ConfigError):
            choices = recorded_choices(made["params"], made["overrides"], record.config)
    choices = find_choices(record.config) if choices is None else choices
    before = PARAMS.read_bytes()
    write_choices(PARAMS, choices)
    try:
        compose_graph(PARAMS)
    except UserError:
        PARAMS.write_bytes(before)
        raise
    print(f"{PARAMS} now has the configuration of run {record.run_id} ({record.name}):")
    for name, value in choices.items():
        print(printable(f"  {name}: {value}"))
    print("`dvc repro` runs it")
