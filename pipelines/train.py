"""Stage `train`: train a network of conf/model on data/prepared/train, and write models/."""

import json
import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.core.hydra_config import HydraConfig

from drnsr.atomic import check_writable
from drnsr.config.errors import ConfigError
from drnsr.config.schema import Config
from drnsr.data.patterns import value_for
from drnsr.data.prepared import PreparedDataset
from drnsr.errors import exit_on_error
from drnsr.hashing import file_sha256
from drnsr.locks import folder_lock
from drnsr.project import run_folder
from drnsr.tracking.costs import TRAINING_FILE, write_cost
from drnsr.tracking.jobs import Result
from drnsr.tracking.loggers import check_loggers
from drnsr.tracking.runs import TRAINING_COST
from drnsr.training.scalars import SAMPLES_PER_SECOND, SECONDS, SKIPPED_LOSSES, STOPPED_AFTER
from drnsr.weights.fingerprint import code_fingerprint, fingerprint
from drnsr.weights.hub import is_on_hub
from drnsr.weights.native import Origin, inherited_licences, read_origin, save_model
from pipelines.app import run_stage
from pipelines.building import (
    data_module,
    pin_start,
    seeded_network,
    start_file,
    training_module,
)
from pipelines.evaluate import check_evaluation, evaluate
from pipelines.fetch import fetch
from pipelines.launch import launch
from pipelines.paths import Outputs
from pipelines.perceptual_weights import check_features_file, features_file
from pipelines.prepare import prepare
from pipelines.prepared import open_training_set
from pipelines.results import earlier_result, is_job, keep_result, result_of
from pipelines.tracked import tracked_training

if TYPE_CHECKING:
    from lightning import Callback
    from lightning.pytorch.loggers import Logger

    from drnsr.networks import Network
    from drnsr.training.callbacks.curves import Curves
    from drnsr.training.continuing import Training
    from drnsr.training.trainer import Fitted

log = logging.getLogger("drnsr")

# The code of the package that a trained model depends on. dvc.yaml has the same list.
TRAINING_CODE = (
    "cuda_graphs.py",
    "data/crops.py",
    "data/datamodule.py",
    "data/degraded.py",
    "data/draws.py",
    "data/patterns.py",
    "data/prepared.py",
    "data/resident.py",
    "degradation",
    "device.py",
    "hashing.py",
    "images/colour.py",
    "images/picture.py",
    "images/pixel_format.py",
    "images/resize.py",
    "networks",
    "training",
    "weights",
)


def train(config: Config, callbacks: "Sequence[Callback]" = ()) -> Result:
    """Train, and save the model and its curves.

    A run by hand may also prepare its data before, and evaluate after. In a sweep, a job that was
    done before is not done again.

    Args:
        config: what to do.
        callbacks: of Lightning, beside those of every training; for a training in one process.
    """
    from drnsr.training.precision import check_hardware
    from drnsr.training.processes import launched_process

    trainer, process = config.trainer, launched_process()
    if process is None:
        check_hardware(trainer.accelerator, trainer.precision, devices=trainer.devices)
        if trainer.world_size > 1:
            return _train_in_processes(config)
    else:
        check_hardware(trainer.accelerator, trainer.precision)
        _check_world_size(config, process.world_size)
    if config.run.prepare_before_training:
        fetch(config)
        prepare(config)
    check_features_file(config)
    check_loggers(config.logger.further)
    config = resolve_auto(pin_start(config))
    dataset = open_training_set(config)
    training, state = _begun(config, dataset)
    with folder_lock(training.folder, wait=is_job()):
        if is_job() and (earlier := earlier_result(config, training.origin)):
            return _skipped(earlier)
        _train_and_evaluate(config, dataset, training, state, callbacks)
    return result_of(config)


def _train_in_processes(config: Config) -> Result:
    if is_job() and not config.run.prepare_before_training:
        check_features_file(config)
        resolved = resolve_auto(pin_start(config))
        training, _ = _begun(resolved, open_training_set(resolved))
        with folder_lock(training.folder, wait=True):
            earlier = earlier_result(resolved, training.origin)
        if earlier is not None:
            return _skipped(earlier)
    launch(config)
    return result_of(config)


def _skipped(earlier: Result) -> Result:
    log.info("done before: the model and its results are in %s", earlier.output)
    return replace(earlier, is_earlier=True)


def _train_and_evaluate(
    config: Config,
    dataset: PreparedDataset,
    training: "Training",
    state: Path | None,
    callbacks: "Sequence[Callback]",
) -> None:
    from drnsr.training.continuing import take_over

    dataset.verify()
    outputs = Outputs.of(config)
    if config.run.evaluate_after_training:
        check_evaluation(config)
    for folder in (outputs.model.parent, outputs.curves):
        check_writable(folder)
    training.write()
    if state is not None:
        take_over(state, training.folder)
    with keep_result(config, training.origin):
        with tracked_training(config, training.origin, outputs.model) as loggers:
            _train(config, dataset, training, outputs, loggers, callbacks)
        if config.run.evaluate_after_training:
            evaluate(config)


def _begun(config: Config, dataset: PreparedDataset) -> "tuple[Training, Path | None]":
    """Return the training, and the state of another one that it goes on from, if any."""
    from drnsr.training.continuing import Training, describe_computing, extend, find_progress

    values = fingerprinted_values(config)
    origin = Origin(
        config=fingerprint(values),
        data=dataset.fingerprint,
        code=code_fingerprint(TRAINING_CODE),
        licences=count_licences(config, dataset),
        computed=describe_computing(values["trainer"]),
    )
    training, last = Training(origin, values), None
    if config.extend is not None:
        training, last = extend(training, config.extend)
    training, state = find_progress(training)
    return training, state or last


def _check_world_size(config: Config, started: int) -> None:
    wanted = config.trainer.world_size
    if started != wanted:
        raise ConfigError(
            f"trainer.devices: {config.trainer.devices} on trainer.num_nodes:"
            f" {config.trainer.num_nodes} are {wanted} processes, but torchrun started {started};"
            " give trainer.devices its --nproc-per-node, and trainer.num_nodes its --nnodes"
        )


def follow() -> None:
    """Train as one of several processes, of which the first runs :func:`train` and writes all.

    Raises:
        UserError: as :func:`train`.
    """
    from drnsr.training.processes import receive_from_first

    log.setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # the first process shows them
    received = json.loads(receive_from_first())
    config, origin = Config.model_validate(received["config"]), Origin.from_json(received["origin"])
    dataset = open_training_set(config)
    _fit(config, dataset, origin, loggers=[])


def resolve_auto(config: Config) -> Config:
    """Replace each `auto` by the choice for this machine, which the fingerprint then covers."""
    from drnsr.training.device import choose_compile
    from drnsr.training.precision import choose_precision

    precision: str = config.trainer.precision
    compiled = config.trainer.compile
    if precision == "auto":
        precision, reason = choose_precision(config.trainer.accelerator)
        log.info("precision %s: %s", precision, reason)
    if compiled == "auto":
        compiled, reason = choose_compile(config.trainer.accelerator)
        compiled = compiled and config.can_compile
        if compiled:
            log.info("compile: %s", reason)
    trainer = config.trainer.model_copy(update={"precision": precision, "compile": compiled})
    return config.model_copy(update={"trainer": trainer})


def _train(
    config: Config,
    dataset: PreparedDataset,
    training: "Training",
    outputs: Outputs,
    loggers: "list[Logger]",
    callbacks: "Sequence[Callback]",
) -> None:
    from drnsr.tracking.logger import CurveLogger
    from drnsr.tracking.previews import Previews
    from drnsr.training.callbacks.checkpoint import mark_finished
    from drnsr.training.continuing import finished_with
    from drnsr.training.processes import send_to_others

    origin = training.origin
    if config.trainer.world_size > 1:
        send_to_others(json.dumps({"config": config.model_dump(), "origin": asdict(origin)}))
    previews = [Previews(logger) for logger in loggers if isinstance(logger, CurveLogger)]
    trained = _fit(config, dataset, origin, loggers, [*callbacks, *previews])
    steps = trained.fitted.steps
    stopped_after = steps if trained.fitted.stopped_early else None
    save_model(outputs.model, trained.network, replace(origin, stopped_after=stopped_after))
    trained.curves.write(outputs.curves)
    cost = _cost(config, trained)
    write_cost(origin, TRAINING_FILE, {"precision": config.trainer.precision, **cost})
    numbers = {f"{TRAINING_COST}{name}": value for name, value in cost.items()}
    if stopped_after is not None:
        numbers[f"{TRAINING_COST}{STOPPED_AFTER}"] = stopped_after
    for logger in loggers:
        logger.log_metrics(numbers, step=steps)
    for folder in finished_with(training):
        mark_finished(folder)


class _Trained(NamedTuple):
    """What a training gave.

    Attributes:
        network: the trained network.
        curves: its curves.
        seconds: how long it took.
        fitted: how it went.
    """

    network: "Network"
    curves: "Curves"
    seconds: float
    fitted: "Fitted"


def _fit(
    config: Config,
    dataset: PreparedDataset,
    origin: Origin,
    loggers: "list[Logger]",
    callbacks: "Sequence[Callback]" = (),
) -> _Trained:
    """Train; all processes of a training call this."""
    from drnsr.networks.expansion import fold_kernels
    from drnsr.networks.size import describe_size
    from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint
    from drnsr.training.callbacks.curves import Curves
    from drnsr.training.callbacks.progress import TrainingProgress
    from drnsr.training.trainer import fit

    trainer = config.trainer
    network = seeded_network(config, dataset.pixels)
    module = training_module(config, network)
    data = data_module(config, dataset, max_steps=trainer.max_steps)
    curves = Curves(log_every=trainer.log_every, terms=module.loss_terms)
    log.info("%s: %s", config.model.name, describe_size(fold_kernels(network), config.scale))
    progress = TrainingProgress(_training_name())
    checkpoints = TrainingStateCheckpoint(
        run_folder(origin.fingerprint),
        fingerprint=origin.fingerprint,
        before=origin.earlier[-1] if origin.earlier else None,
        **config.checkpoints.model_dump(),
    )
    fitted = fit(
        module,
        data,
        trainer,
        checkpoints=checkpoints,
        progress=progress,
        loggers=loggers,
        callbacks=[curves, *callbacks],
    )
    return _Trained(fold_kernels(network), curves, progress.seconds, fitted)


def _training_name() -> str:
    """Name the training in its lines: jobs of a sweep print theirs beside each other."""
    return f"job {HydraConfig.get().job.num}, training" if is_job() else "training"


def _cost(config: Config, trained: _Trained) -> dict[str, float]:
    samples, seconds = trained.fitted.steps * config.datamodule.batch_size, trained.seconds
    return {
        SECONDS.name: seconds,
        SAMPLES_PER_SECOND.name: samples / seconds,
        SKIPPED_LOSSES.name: trained.fitted.skipped,
    }


def count_licences(config: Config, dataset: PreparedDataset) -> dict[str, int]:
    """Return the number of pictures by licence, with those of the model that it starts from."""
    licences = {name: part.licences for name, part in config.data.parts.items()}
    own = Counter(
        value_for(image.name, licences.get(image.part, {}), "not stated")
        for image in dataset.images
    )
    start = start_file(config)
    if config.init_from is None or start is None:
        return dict(own)
    name = config.init_from if is_on_hub(config.init_from) else start.name
    return inherited_licences(own, {name: read_origin(start)})


def fingerprinted_values(config: Config) -> dict[str, Any]:
    """Return the values that a training depends on, with the hashes of files for their names."""
    from drnsr.device import resolve_device

    values = config.training_values()
    values["trainer"]["accelerator"] = resolve_device(config.trainer.accelerator)
    if file := features_file(config):
        values["gan"]["features"]["weights"] = file_sha256(file)
    if (start := start_file(config)) is not None:
        values["init_from"] = file_sha256(start)
    return values


def main() -> None:
    """Run the stage; a process that torchrun started beside the first one follows that."""
    from drnsr.training.processes import launched_process

    process = launched_process()
    if process is None or process.rank == 0:
        run_stage(train)
        return
    with exit_on_error():
        follow()


if __name__ == "__main__":
    main()
