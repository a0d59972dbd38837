"""The MLflow run around a training; without tracking, nothing of MLflow is imported."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf

from drnsr.checkpoints.native import Origin
from drnsr.errors import SignalError
from drnsr.imaging.files import encode_png
from pipelines.packs import open_training_set
from pipelines.paths import Outputs

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
    from mlflow import MlflowClient


@contextmanager
def tracked_training(config: DictConfig, origin: Origin, model: Path) -> "Iterator[list[Logger]]":
    """Begin a run, yield the loggers that write its curves, and log the model that was made."""
    if config.logger.experiment is None:
        yield []
        return
    from drnsr.tracking.logger import CurveLogger
    from drnsr.tracking.runs import copy_evaluation, find_runs
    from drnsr.tracking.store import open_store, tracking_errors, tracking_uri

    client = open_store()
    with tracking_errors():
        run_id = begin_run(client, config, origin)
    name, uri = config.logger.experiment, tracking_uri()
    try:
        with tracking_errors():
            yield [CurveLogger(name, uri, run_id)]
            log_trained_model(client, run_id, config)
            if not config.run.evaluate_after_training:
                copy_evaluation(client, find_runs(client, model), run_id)
            client.set_terminated(run_id)
    except BaseException as error:
        with suppress(Exception):  # the error that is told is the first one
            client.set_terminated(run_id, "KILLED" if isinstance(error, SignalError) else "FAILED")
        raise


def begin_run(client: "MlflowClient", config: DictConfig, origin: Origin) -> str:
    """Begin the MLflow run of a model with all that is known before training, or go on with it."""
    from drnsr.tracking.runs import go_on_with_run, start_run
    from drnsr.tracking.store import experiment_id

    plain = cast(dict[str, Any], OmegaConf.to_container(config))
    experiment = experiment_id(client, config.logger.experiment)
    training = origin.fingerprint
    begun = go_on_with_run(client, experiment, training)
    return begun or start_run(client, experiment, plain, {"train": origin.data}, training)


def log_trained_model(client: "MlflowClient", run_id: str, config: DictConfig) -> None:
    """Log the model, with a prepared picture as the example of what it takes."""
    from drnsr.tracking.runs import log_model

    pack = open_training_set(config)
    example = encode_png(pack.lr(0, pack.scales[-1])[:32, :48])
    log_model(client, run_id, Outputs.of(config).model, example)
