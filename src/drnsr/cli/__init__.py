"""The command `drnsr`. Each command is a module here, imported when it is chosen."""

import logging
import sys
from argparse import (
    Action,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

from drnsr.errors import UserError, exit_on_error, print_safely
from drnsr.project import PARAMS, project_root
from drnsr.verbosity import be_verbose

# The names of the modules, each with the first line of its docstring.
ANYWHERE = {
    "compare": "Compare models or runs on the same pictures, with statistics, on one HTML page.",
    "convert": "Convert a checkpoint of another program into a model file.",
    "demo": "Serve a page on this machine, to try the models in the browser.",
    "doctor": "Check the installation, the machine and the project here, and say what to do.",
    "evaluate": "Evaluate models, interpolation, or images that another program upscaled.",
    "export": "Export a model for other programs: as ONNX, or for torch.export.load.",
    "info": "Show what a model file, a checkpoint or an upscaled image is and where it came from.",
    "interpolate": "Interpolate between the weights of two models of one architecture.",
    "new": "Make a project in a new folder: the graph, its configuration, and a git repository.",
    "push": "Push a model to the Hugging Face Hub, with a card.",
    "upscale": "Upscale images and videos: files, folders, patterns; each into a file of its own.",
}
IN_A_PROJECT = {
    "adopt": "Write the configuration of an MLflow run, or of a sweep's best job, to params.yaml.",
    "gc": "Remove the training states of finished runs, after showing them.",
    "mirror": "Copy data sets into a folder, for a machine without internet.",
    "promote": "Make a registered model the champion of its name, if it is proven to be better.",
    "register": "Register the model of an MLflow run under a name, with a model card.",
    "release": "Ship the model of the last `dvc repro` with the package, and write its card.",
    "reproduce": "Reproduce a run from its record in a separate work tree, and compare.",
    "show": "Print the results of the last `dvc repro`, and where to look further.",
    "sync": "Deliver to MLflow what it missed while it could not be reached.",
    "ui": "Serve MLflow's pages, and print the address of the table of runs.",
}


class Command(Protocol):
    """What the module of a command defines; its docstring is the description in the help."""

    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; print an error that the user can correct as one line, and exit with 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name = _parser().parse_args(arguments[:1]).command
    _configure_logging()
    with exit_on_error():
        try:
            _run(name, arguments[1:])
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("drnsr"):
                raise
            raise UserError(
                f"drnsr {name} needs {error.name}: pip install 'drnsr[train]'"
            ) from error


class _Parser(ArgumentParser):
    """A parser that answers a mistake by one line, without the usage of all options."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and where to read more, and exit with 2, argparse's exit code."""
        self.exit(2, f"error: {message}; see `{self.prog} --help`\n")


def _run(name: str, arguments: Sequence[str]) -> None:
    command, parser = load_command(name)
    parsed = parser.parse_args(arguments)
    if parsed.verbose:
        be_verbose()
    if name in IN_A_PROJECT:
        _require_project(name)
    command.run(parsed)


def load_command(name: str) -> tuple[Command, ArgumentParser]:
    """Import the module of a command, and make the parser of its arguments."""
    command = cast(Command, import_module(f"drnsr.cli.{name}"))
    parser = _Parser(prog=f"drnsr {name}", description=command.__doc__)
    command.add_arguments(parser)
    parser.add_argument(
        *("-v", "--verbose"),
        action="store_true",
        help="also show where an error comes from, and what libraries log and warn of",
    )
    return command, parser


def _parser() -> ArgumentParser:
    lists = {"commands": ANYWHERE, "commands in the folder of a project": IN_A_PROJECT}
    parser = _Parser(
        prog="drnsr",
        usage="drnsr [-h] COMMAND ...",
        description="Deep residual networks for single-image super-resolution.",
        epilog="\n\n".join(_list(*each) for each in lists.items())
        + "\n\n`drnsr COMMAND --help` describes a command.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.add_argument("command", metavar="COMMAND", type=_command, help="one of those below")
    return parser


def _command(text: str) -> str:
    names = sorted(ANYWHERE | IN_A_PROJECT)
    if text not in names:
        similar = get_close_matches(text, names)
        advice = f"; did you mean {' or '.join(similar)}" if similar else ""
        raise ArgumentTypeError(f"there is no command {text!r}{advice}")
    return text


class _Version(Action):
    """Print the version; it is looked for when it is asked for."""

    def __call__(self, parser: ArgumentParser, *_arguments: object) -> None:
        """Print it and exit, as argparse's own action does."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"drnsr {version('drnsr')}")
        except PackageNotFoundError:
            print("drnsr, not installed but found by PYTHONPATH: no version")
        parser.exit()


def _list(title: str, commands: dict[str, str]) -> str:
    return "\n".join([f"{title}:", *(f"  {name:<12} {line}" for name, line in commands.items())])


def _require_project(name: str) -> None:
    """Check that the command is called in the folder of a project.

    Raises:
        UserError: if it is not.
    """
    if not (project_root() / PARAMS).is_file():
        raise UserError(
            f"{Path.cwd()}: there is no {PARAMS}; call `drnsr {name}` in the folder of a project,"
            " which `drnsr new FOLDER` makes"
        )


def _configure_logging() -> None:
    print_safely()
    logging.basicConfig(format="%(message)s")  # on standard error
    logging.getLogger("drnsr").setLevel(logging.INFO)
