"""The time of a training step with tracking stores that do not work, over an untracked one.

    python benchmarks/tracking.py

The default network trains on noise, and logs its loss at every step: untracked; into a SQLite file;
with that file locked; with a server that cannot be reached; and with one that accepts requests and
never answers. They run in turn, and the median counts, because the cost of a failing store is no
outlier.
"""

import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from measuring import arguments, show
from trainings import begun, noise, train

from drnsr.data.prepared import PreparedDataset
from drnsr.networks import DRNSR
from drnsr.tracking.delivery import deliver, delivering
from drnsr.tracking.logger import CurveLogger

STEPS = 60


def seconds_a_step(dataset: PreparedDataset, folder: Path, uri: str | None) -> float:
    """Train the default network, and return its seconds per step; None stands for no store."""
    with ExitStack() as stack:
        loggers = []
        if uri is not None:
            outbox = begun(folder, uri)
            stack.enter_context(delivering(outbox))
            loggers = [CurveLogger(outbox)]
        return train(
            DRNSR(scale=2), dataset, folder, steps=STEPS, loggers=loggers, log_every=1
        ).a_step()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Lock a SQLite file against every other process."""
    connection = sqlite3.connect(database)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.rollback()


def main() -> None:
    """Measure and print."""
    parsed = arguments(__doc__, rounds=3).parse_args()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as silent:
        folder = Path(name)
        dataset = noise(folder)
        store = f"sqlite:///{folder / 'mlflow.db'}"
        deliver(begun(folder, store))
        cases: dict[str, Callable[[Path], float]] = {
            "untracked": lambda place: seconds_a_step(dataset, place, None),
            "SQLite file": lambda place: seconds_a_step(dataset, place, store),
            "server away": lambda place: seconds_a_step(dataset, place, "http://127.0.0.1:9"),
            "server silent": lambda place: seconds_a_step(
                dataset, place, f"http://127.0.0.1:{silent.getsockname()[1]}"
            ),
        }
        for number in range(parsed.rounds):
            for case, measure in cases.items():
                taken = measure(folder / f"{case}{number}")
                seconds.setdefault(case, []).append(taken)
            with locked(folder / "mlflow.db"):
                taken = seconds_a_step(dataset, folder / f"locked{number}", store)
            seconds.setdefault("SQLite file, locked", []).append(taken)
    medians = {case: median(taken) for case, taken in seconds.items()}
    rows = [
        {
            "tracking store": case,
            "ms a step": round(1000 * taken, 1),
            "over untracked": round(taken / medians["untracked"], 3),
        }
        for case, taken in medians.items()
    ]
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
