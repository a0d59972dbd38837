"""Write the configuration of an MLflow run, or of a sweep's best job, to params.yaml."""

import argparse
from contextlib import suppress

from drnsr.cli.confirmation import confirmed
from drnsr.errors import UserError, printable
from drnsr.project import PARAMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="an MLflow run id (the best job of a sweep is taken), or a model: a file, an"
        " MLflow URI, hf://USER/NAME",
    )
    parser.add_argument(
        "--yes", action="store_true", help="do not ask before functions from elsewhere are called"
    )


def run(parsed: argparse.Namespace) -> None:
    """Change params.yaml, whose comments are kept, and print the new choices.

    Raises:
        UserError: if there is no such run, or this project cannot compose its configuration;
            params.yaml is not changed then. Or if the user does not agree to what it calls.
    """
    from drnsr.cli.models import run_or_file
    from drnsr.config.compose import compose_graph
    from drnsr.config.errors import ConfigError
    from drnsr.config.overrides import find_choices, recorded_choices, write_choices
    from drnsr.config.targets import unknown_targets
    from drnsr.tracking.record import find_record
    from drnsr.tracking.reproduction import was_made_here

    record = find_record(run_or_file(parsed.run))
    names = unknown_targets(record.config)
    if names and not was_made_here(record):
        print(printable(f"this run was made elsewhere, and calls {', '.join(names)}"), flush=True)
        if not (parsed.yes or confirmed("call them on this machine? [y/N] ")):
            raise UserError(
                f"run {record.run_id}: calls functions that no file of conf/ names; --yes adopts it"
                " without asking"
            )
    choices = None
    if (made := record.choices) is not None:
        # conf/ may have changed since, and an override may replace what an experiment decides.
        with suppress(ConfigError, LookupError, TypeError, ValueError, AttributeError):  # damaged
            choices = recorded_choices(made["params"], made["overrides"], record.config)
    choices = find_choices(record.config) if choices is None else choices
    before = PARAMS.read_bytes()
    try:
        write_choices(PARAMS, choices)
        compose_graph(PARAMS)
    except BaseException:
        PARAMS.write_bytes(before)
        raise
    print(f"{PARAMS} now has the configuration of run {record.run_id} ({printable(record.name)}):")
    for name, value in choices.items():
        print(printable(f"  {name}: {value}"))
    print("`dvc repro` runs it")
