"""Whether details are shown: where an error comes from, and what libraries log and warn of."""

import logging

VERBOSE = "DRNSR_VERBOSE"
"""The environment variable that makes a stage of the graph say more, as ``-v`` does a command."""


def is_verbose() -> bool:
    """Return whether details are shown."""
    return logging.getLogger("drnsr").isEnabledFor(logging.DEBUG)


def be_verbose() -> None:
    """Show details from now on."""
    logging.getLogger("drnsr").setLevel(logging.DEBUG)
