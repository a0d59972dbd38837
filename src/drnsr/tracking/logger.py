"""The curves of a training on their way to MLflow, where a run may be gone on with."""

import time
from argparse import Namespace
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

from drnsr.tracking.outbox import Outbox


class CurveLogger(Logger):
    """Lightning's logger into a outbox, which may hold a part of the curves.

    A run that is killed has written points since its last state; when it goes on from there, they
    come again. What the outbox already has is not written twice.

    Args:
        outbox: of the run.
    """

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox
        self._last_step: dict[str, int] = {}
        for _, entry in outbox.entries():
            if entry["do"] == "metrics":
                self._last_step |= {name: step for name, _, _, step in entry["points"]}

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self._outbox.destination.experiment

    @property
    def version(self) -> str:
        """Of the run, as far as Lightning must know."""
        return self._outbox.folder.name

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write those that are new."""
        assert step is not None
        now = time.time_ns() // 1_000_000
        points = [
            (name, float(value), now, step)
            for name, value in metrics.items()
            if step > self._last_step.get(name, -1)
        ]
        if points:
            self._outbox.add("metrics", points=points)

    def log_hyperparams(
        self,
        params: dict[str, Any] | Namespace,
        *args: Any,  # noqa: ANN401 (Lightning's own signature)
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """The configuration is known already."""
