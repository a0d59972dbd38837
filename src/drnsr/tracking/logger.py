"""The curves of a training in MLflow, where a run may be gone on with."""

from collections.abc import Mapping

from lightning.pytorch.loggers import MLFlowLogger
from mlflow import MlflowClient


class CurveLogger(MLFlowLogger):
    """Lightning's logger for a run that exists already, and may hold a part of the curves.

    A run that is killed has written points since its last state; when it goes on from there, they
    come again. What the run already has is not written twice.

    Args:
        experiment: its name.
        uri: of the tracking store.
        run_id: of the run.
    """

    def __init__(self, experiment: str, uri: str, run_id: str) -> None:
        super().__init__(experiment, tracking_uri=uri, run_id=run_id)
        self._last_step = _last_steps(MlflowClient(uri), run_id)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write those that are new."""
        assert step is not None
        new = {
            name: value for name, value in metrics.items() if step > self._last_step.get(name, -1)
        }
        if new:
            super().log_metrics(new, step)

    def finalize(self, status: str = "success") -> None:
        """Leave the run open: it ends when the model is logged, too."""


def _last_steps(client: MlflowClient, run_id: str) -> dict[str, int]:
    names = client.get_run(run_id).data.metrics
    histories = {name: client.get_metric_history(run_id, name) for name in names}
    return {name: max(point.step for point in points) for name, points in histories.items()}
