"""Deliver to MLflow what it missed while it was away.

Training never waits for MLflow. What cannot be delivered is kept in the project's folder runs/, and
is delivered when the run goes on, or by this command.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none: the project is the folder that the command is called in."""


def run(parsed: argparse.Namespace) -> None:
    """Deliver every journal; the first that fails is told, after the others.

    Raises:
        TrackingError: something could not be delivered.
    """
    from drnsr.tracking.delivery import deliver
    from drnsr.tracking.journal import all_journals
    from drnsr.tracking.store import TrackingError

    failed: list[TrackingError] = []
    waiting = [journal for journal in all_journals() if journal.waiting]
    for journal in waiting:
        count = journal.waiting
        try:
            deliver(journal)
        except TrackingError as error:
            failed.append(error)
        else:
            print(f"{journal.folder}: {count} entries delivered to {journal.destination.address}")
    if failed:
        raise failed[0]
    if not waiting:
        print("MLflow has everything")
