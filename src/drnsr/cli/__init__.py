"""The command `drnsr`: one file a command."""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from drnsr.cli import (
    adopt,
    convert,
    demo,
    evaluate,
    export,
    info,
    interpolate,
    promote,
    register,
    reproduce,
    sync,
    upscale,
)
from drnsr.errors import UserError, exit_on_error

# Each has a docstring that is its help, `add_arguments` and `run`. It imports what it needs when it
# runs and not before, so that `drnsr --help` answers at once.
_COMMANDS = {
    "adopt": adopt,
    "convert": convert,
    "demo": demo,
    "evaluate": evaluate,
    "export": export,
    "info": info,
    "interpolate": interpolate,
    "promote": promote,
    "register": register,
    "reproduce": reproduce,
    "sync": sync,
    "upscale": upscale,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a person's mistake is one line and exit code 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = ArgumentParser(prog="drnsr", description="Super-resolution, measured.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        first_line = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=first_line, description=module.__doc__)
        if name in arguments:  # what it imports to describe them would slow `drnsr --help`
            module.add_arguments(command)
        command.set_defaults(call=module.run, command=name)
    parsed = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")  # on standard error
    logging.getLogger("drnsr").setLevel(logging.INFO)
    with exit_on_error():
        try:
            parsed.call(parsed)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("drnsr"):
                raise
            raise UserError(
                f"drnsr {parsed.command} needs {error.name}: pip install 'drnsr[train]'"
            ) from error
