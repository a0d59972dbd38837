"""The MLflow run of a training or evaluation; without tracking, MLflow is not imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hydra.core.hydra_config import HydraConfig

from drnsr.config.schema import Config
from drnsr.data.prepared import PreparedDataset
from drnsr.errors import PrunedError, SignalError, reason
from drnsr.hashing import file_sha256
from drnsr.images.encoding import encode_png, encode_tiff
from drnsr.images.pixel_format import RGB8
from drnsr.project import PARAMS, RESOLVED, run_folder
from drnsr.tracking.events import (
    TRAINING,
    CopyEvaluation,
    LogDatasets,
    LogModel,
    RunStatus,
    SetDescription,
    SetStatus,
    SetTags,
    UsedDataset,
    now,
)
from drnsr.tracking.loggers import further_loggers
from drnsr.tracking.outbox import Destination, Outbox, newest_outbox
from drnsr.tracking.store import URI_VARIABLE, experiment_name
from drnsr.tracking.sweep import ERROR_TAG, recorded_error, sweep_tags
from drnsr.weights.native import ModelFileError, Origin, read_info
from pipelines.paths import Outputs
from pipelines.prepared import open_training_set

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

# Read at import: the thread that delivers makes MLflow set the variable for a moment.
_STORE = os.environ.get(URI_VARIABLE) or None


@contextmanager
def tracked_training(config: Config, origin: Origin, model: Path) -> "Iterator[list[Logger]]":
    """Begin or resume a run, yield the loggers for its curves, and record the model at the end."""
    folder = run_folder(origin.fingerprint)
    with further_loggers(config.logger.further, folder, config.model_dump()) as further:
        if config.logger.experiment is None:
            yield further
            return
        with _mlflow_training(config, origin, model) as logger:
            yield [logger, *further]


@contextmanager
def _mlflow_training(config: Config, origin: Origin, model: Path) -> "Iterator[Logger]":
    from drnsr.tracking.delivery import delivering
    from drnsr.tracking.logger import CurveLogger
    from drnsr.tracking.system_metrics import recording_system_metrics

    outbox = _begin_or_resume(config, origin)
    with delivering(outbox):
        try:
            with recording_system_metrics(outbox):
                yield CurveLogger(outbox)
            add_model(outbox, config)
            if not config.run.evaluate_after_training:
                # If the training gives the same bits again, DVC does not evaluate again.
                outbox.add(CopyEvaluation(model_sha256=file_sha256(model)))
                _add_status(outbox, "FINISHED")
        except BaseException as error:
            with suppress(OSError):  # the first error is the one to report
                _add_error(outbox, error)
            raise


@contextmanager
def record_failure(config: Config) -> Iterator[None]:
    """If the block, an evaluation, fails, record that in the run that made the model."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError, ModelFileError):  # the first error is the one to report
            if config.logger.experiment is not None and (outbox := _outbox_of_model(config)):
                from drnsr.tracking.delivery import delivering

                with delivering(outbox):
                    _add_error(outbox, error)
        raise


@contextmanager
def tracked_model(config: Config) -> Iterator[Outbox]:
    """Yield the outbox of the run that made the model; begin one for a model from elsewhere."""
    from drnsr.tracking.delivery import delivering

    outbox = _outbox_of_model(config)
    if outbox is None:
        model = Outputs.of(config).model
        origin = read_info(model).origin
        description = _description(config, origin, "pipelines.evaluate", model)
        outbox = Outbox.begin(run_folder(origin.fingerprint), _destination(config), description)
    with delivering(outbox):
        yield outbox
        if not outbox.finished:
            _add_status(outbox, "FINISHED")


def mlflow_run(config: Config) -> str | None:
    """Return the id of the MLflow run that made the model; None if there is none yet."""
    if config.logger.experiment is None:
        return None
    outbox = _outbox_of_model(config)
    return None if outbox is None else outbox.cursor.run_id


def _outbox_of_model(config: Config) -> Outbox | None:
    origin = read_info(Outputs.of(config).model).origin
    return newest_outbox(run_folder(origin.fingerprint), _destination(config))


def join_sweep(config: Config, origin: Origin) -> None:
    """Let the run of a training that is not done again belong to the present sweep also."""
    from drnsr.tracking.delivery import delivering

    tags = sweep_tags()
    if tags and (outbox := newest_outbox(run_folder(origin.fingerprint), _destination(config))):
        with delivering(outbox):
            outbox.add(SetTags(tags=tags))


def is_completely_tracked(config: Config, origin: Origin) -> bool:
    """Return whether the run of a training came to its end, or is not to be tracked."""
    if config.logger.experiment is None:
        return True
    outbox = newest_outbox(run_folder(origin.fingerprint), _destination(config))
    return outbox is not None and outbox.finished


def _add_error(outbox: Outbox, error: BaseException) -> None:
    """Record why a run ended early."""
    if isinstance(error, SignalError | PrunedError | KeyboardInterrupt | SystemExit):
        _add_status(outbox, "KILLED")
    else:
        outbox.add(SetTags(tags={ERROR_TAG: recorded_error(reason(error))}))
        _add_status(outbox, "FAILED")


def _begin_or_resume(config: Config, origin: Origin) -> Outbox:
    folder, destination = run_folder(origin.fingerprint), _destination(config)
    outbox = newest_outbox(folder, destination)
    if outbox is None or outbox.finished:
        return _begin(config, origin)
    outbox.add(SetTags(tags={ERROR_TAG: "", **sweep_tags()}))
    _add_status(outbox, "RUNNING")
    return outbox


def _begin(config: Config, origin: Origin) -> Outbox:
    from drnsr.tracking.description import describe_training
    from drnsr.tracking.runs import title

    description = _description(config, origin, "pipelines.train")
    outbox = Outbox.begin(run_folder(origin.fingerprint), _destination(config), description)
    dataset = used_dataset(config.data.name, open_training_set(config), TRAINING)
    outbox.add(LogDatasets(datasets=(dataset,)))
    outbox.add(SetDescription(markdown=describe_training(title(config.model_dump()))))
    return outbox


def used_dataset(name: str, dataset: PreparedDataset, context: str) -> UsedDataset:
    """Describe a data set as MLflow's pages show it.

    Args:
        name: under which they show it.
        dataset: the prepared pictures.
        context: what it is for: see :class:`drnsr.tracking.events.UsedDataset`.
    """
    folder, pictures = dataset.folder.as_posix(), len(dataset.images)
    return UsedDataset(name, dataset.fingerprint, context, pictures, folder)


def _destination(config: Config) -> Destination:
    if config.logger.experiment is None:
        raise ValueError("logger.experiment is null: this run is not tracked")
    return Destination(_STORE, experiment_name(config.logger.experiment))


def _description(
    config: Config, origin: Origin, program: str, model: Path | None = None
) -> dict[str, Any]:
    from drnsr.tracking.runs import describe_run
    from drnsr.tracking.source import source_tags

    return describe_run(
        config.model_dump(),
        {"train": origin.data},
        origin.fingerprint,
        model,
        choices=_choices(),
        earlier=origin.earlier,
        source=source_tags(program, user=config.logger.user),
    )


def _choices() -> dict[str, Any] | None:
    """Return what this run's configuration was composed from."""
    if not HydraConfig.initialized():
        return None  # a program called the stage as a function
    hydra = HydraConfig.get()
    graph = hydra.job.config_name == RESOLVED.stem
    params = yaml.safe_load(PARAMS.read_text(encoding="utf-8")) if graph else {}
    return {"params": params, "overrides": list(hydra.overrides.task)}


def add_model(outbox: Outbox, config: Config) -> None:
    """Add the model to an outbox, with a prepared picture as the example of its input."""
    dataset = open_training_set(config)
    encode = encode_png if dataset.pixels == RGB8 else encode_tiff
    example = encode(dataset.lr(0, dataset.scales[-1])[:32, :48])
    outbox.add(LogModel(kept=outbox.keep_copy(Outputs.of(config).model), example=example))


def _add_status(outbox: Outbox, status: RunStatus) -> None:
    outbox.add(SetStatus(status=status, time=now()))
