"""Lightning's logger for a run that may be interrupted and resumed."""

from argparse import Namespace
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

from drnsr.tracking.events import LogImage, LogMetrics, Point, now
from drnsr.tracking.outbox import Outbox


class CurveLogger(Logger):
    """Writes the curves of a training into an outbox, which may hold a part of them already.

    A run that was killed had logged points after its last state; when it resumes from there, it
    logs them again. What the outbox has is not written twice.

    Args:
        outbox: of the run.
    """

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox
        self._last_step: dict[str, int] = {}
        for _, event in outbox.events():
            if isinstance(event, LogMetrics):
                self._last_step |= {point.name: point.step for point in event.points}
            elif isinstance(event, LogImage):
                self._last_step[event.key] = event.step

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self._outbox.destination.experiment

    @property
    def version(self) -> str:
        """The number of the outbox: how many times the training was run."""
        return self._outbox.folder.name

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write the points that the outbox does not have."""
        assert step is not None
        time = now()
        points = tuple(
            Point(name, float(value), time, step)
            for name, value in metrics.items()
            if step > self._last_step.get(name, -1)
        )
        if points:
            self._outbox.add(LogMetrics(points=points))

    @rank_zero_only
    def log_image(self, key: str, png: bytes, step: int) -> None:
        """Write a picture of a step, unless the outbox has it.

        Args:
            key: what it shows: letters, digits, spaces, and a few signs, as MLflow asks.
            png: the content of a PNG file.
            step: of the training.
        """
        if step > self._last_step.get(key, -1):
            self._last_step[key] = step
            kept = self._outbox.keep(f"{key}.png", png)
            self._outbox.add(LogImage(kept=kept, key=key, step=step, time=now()))

    def log_hyperparams(
        self,
        params: dict[str, Any] | Namespace,
        *args: Any,  # noqa: ANN401 (Lightning's own signature)
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Do nothing: the run's description has the configuration."""
