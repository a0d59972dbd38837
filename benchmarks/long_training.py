"""The memory of a training over 10,000 steps, with all callbacks, states and curves.

    python benchmarks/long_training.py

The network is small, so that it takes minutes; a leak would be in what is around it. A state is
written every ten seconds.
"""

import tempfile
from pathlib import Path

from measuring import arguments, show
from trainings import begun, noise, train

from drnsr.networks import DRNSR
from drnsr.tracking.delivery import delivering
from drnsr.tracking.logger import CurveLogger


def main() -> None:
    """Train, and print the memory of the process at some steps."""
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = f"sqlite:///{folder / 'mlflow.db'}"
        outbox = begun(folder, store)
        with delivering(outbox):
            clock = train(
                DRNSR(scale=2, num_features=8, num_blocks=1),
                noise(folder),
                folder,
                steps=parsed.steps,
                patch_size=12,
                loggers=[CurveLogger(outbox)],
                log_every=20,
                seconds_between_states=10,
                validate_every=parsed.steps // 10,
            )
    tenth = parsed.steps // 10
    show(
        [
            {"step": step, "memory MiB": round(clock.memory[step - 1] / 2**20, 1)}
            for step in (tenth // 2, *range(tenth, parsed.steps + 1, tenth))
        ],
        parsed.json,
    )


if __name__ == "__main__":
    main()
