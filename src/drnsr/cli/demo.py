"""Serve a page on this machine, to try the models in the browser."""

import argparse
from importlib.util import find_spec

from drnsr import pretrained
from drnsr.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="MODEL",
        help="a further model: a model file, a checkpoint of another program, an MLflow URI,"
        " hf://USER/NAME; may be repeated",
    )
    parser.add_argument("--port", type=_port, default=7860, help="default: %(default)s")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on (default: %(default)s, only this machine)",
    )


def run(parsed: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UserError: if NiceGUI is not installed, or a model or the address cannot be used.
    """
    if find_spec("nicegui") is None:
        raise UserError("drnsr demo needs NiceGUI: pip install 'drnsr[demo]'")
    from drnsr.cli.models import model_file
    from drnsr.demo.server import check_address, is_loopback, serve
    from drnsr.demo.tasks import RUNTIME_OPTIONS
    from drnsr.inference.allocator import keep_freed_memory
    from drnsr.upscale.models import Models

    check_address(parsed.host, parsed.port)
    names = [*pretrained.available(), *parsed.model]
    models = {name: Models.from_file(model_file(name), RUNTIME_OPTIONS) for name in names}
    if not is_loopback(parsed.host):
        print(f"--host {parsed.host}: everyone who can reach this machine can use the page")
    keep_freed_memory()
    serve(models, parsed.host, parsed.port)


def _port(text: str) -> int:
    if not 0 < int(text) < 65_536:
        raise ValueError
    return int(text)


_port.__name__ = "port"  # argparse names a value that it refuses by the name of the function
