"""Deliver to MLflow what it missed while it could not be reached.

Training never waits for MLflow. Entries that cannot be delivered are kept in the project's folder
runs/, and are delivered when the run is resumed, or by this command.
"""

import argparse

from drnsr.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the project is the current folder."""


def run(parsed: argparse.Namespace) -> None:
    """Deliver every outbox; the first error is reported after all of them.

    Raises:
        TrackingError: if something could not be delivered.
    """
    from drnsr.tracking.delivery import deliver
    from drnsr.tracking.outbox import all_outboxes
    from drnsr.tracking.store import TrackingError

    failed: list[TrackingError] = []
    waiting = [outbox for outbox in all_outboxes() if outbox.undelivered]
    for outbox in waiting:
        count = outbox.undelivered
        try:
            deliver(outbox)
        except TrackingError as error:
            failed.append(error)
        else:
            delivered = f"{count} entries delivered to {outbox.destination.name}"
            print(printable(f"{outbox.folder}: {delivered}"))
    if failed:
        raise failed[0]
    if not waiting:
        print("MLflow has everything")
