"""Deliver to MLflow what it missed while it could not be reached.

Training never waits for MLflow. What cannot be delivered is kept in the project's folder runs/, and
is delivered when the run goes on, or by this command.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none: the project is the folder that the command is called in."""


def run(parsed: argparse.Namespace) -> None:
    """Deliver every outbox; the first that fails is told, after the others.

    Raises:
        TrackingError: something could not be delivered.
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
            print(f"{outbox.folder}: {count} entries delivered to {outbox.destination.address}")
    if failed:
        raise failed[0]
    if not waiting:
        print("MLflow has everything")
