"""The options `--device` and `--devices` of the commands that apply models."""

import argparse


def add_device_argument(parser: argparse._ActionsContainer) -> None:
    """Add `--device` alone; :func:`drnsr.device.resolve_device` reads it."""
    parser.add_argument(
        "--device",
        default="cpu",
        help="cpu, cuda, mps, or auto for the fastest one here (default: %(default)s)",
    )


def add_device_arguments(parser: argparse._ActionsContainer) -> None:
    """Add the two options; :func:`drnsr.device.share_devices` reads them."""
    add_device_argument(parser)
    parser.add_argument(
        "--devices",
        type=_devices,
        metavar="N",
        help="share the images out over N processes, each with a --device of its own or a part of"
        " the CPU's threads; or over named devices, such as cuda:0,cuda:1",
    )


def _devices(text: str) -> str:
    if text.isdecimal():
        if int(text) < 1:
            raise ValueError
    elif not all(text.split(",")):
        raise ValueError
    return text


_devices.__name__ = "number or names of devices"  # argparse names a refused value by it
