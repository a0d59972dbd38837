"""The MLflow run that is the parent of those of a Hydra multirun's jobs."""

import atexit
import logging
import os
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from drnsr.tracking.store import TrackingError, experiment_id, open_store, tracking_errors

log = logging.getLogger("drnsr")

# Names the parent run to a job, which may run in a separate process.
PARENT_RUN_VARIABLE = "DRNSR_PARENT_RUN"


class ParentRun(Callback):
    """Begins the parent run before a multirun's first job, and ends it after the last."""

    def __init__(self) -> None:
        self._run_id: str | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 (Hydra's)
        """Begin the parent run, if the runs are tracked."""
        if config.logger.experiment is None:
            return
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

        sweep = " ".join(config.hydra.overrides.task) or "sweep"
        try:
            with tracking_errors():
                client = open_store()
                experiment = experiment_id(client, config.logger.experiment)
                run = client.create_run(experiment, tags={MLFLOW_RUN_NAME: sweep})
        except TrackingError as error:
            log.warning("%s; the jobs go on without a parent run", error)
            return
        self._run_id = str(run.info.run_id)
        os.environ[PARENT_RUN_VARIABLE] = self._run_id
        # After a job has failed Hydra does not call on_multirun_end.
        atexit.register(self._end, "FAILED")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """End the parent run."""
        self._end("FINISHED")

    def _end(self, status: str) -> None:
        if self._run_id is not None:
            run_id, self._run_id = self._run_id, None
            try:
                with tracking_errors():
                    open_store().set_terminated(run_id, status)
            except TrackingError as error:
                log.warning("%s; the parent run stays open there", error)
            os.environ.pop(PARENT_RUN_VARIABLE, None)
