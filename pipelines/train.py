"""Stage `train`: a network from conf/model, trained on data/prepared/train, into models/."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from drnsr.atomic import check_writable
from drnsr.data.prepared import PreparedDataset
from drnsr.hashing import file_sha256
from drnsr.locks import sole_process
from drnsr.project import run_folder
from drnsr.tracking.runs import TRAINING_COST
from drnsr.training.scalars import SAMPLES_PER_SECOND, SECONDS, SKIPPED_LOSSES
from drnsr.weights.fingerprint import code_fingerprint, fingerprint
from drnsr.weights.loading import load_network
from drnsr.weights.native import Origin, save_model
from drnsr.weights.warm_start import warm_start
from pipelines.app import run_stage
from pipelines.costs import TRAINING_FILE, write_cost
from pipelines.evaluate import check_evaluation, evaluate
from pipelines.fetch import fetch
from pipelines.paths import Outputs
from pipelines.perceptual_weights import check_features_file, features_file
from pipelines.prepare import prepare
from pipelines.prepared import open_training_set
from pipelines.tracked import tracked_training

if TYPE_CHECKING:
    from lightning import LightningModule
    from lightning.pytorch.loggers import Logger

    from drnsr.networks import Network
    from drnsr.training.perceptual import PerceptualLoss

log = logging.getLogger("drnsr")

# What a model is the result of, beside data and code. dvc.yaml gives the stage the same parameters.
TRAINING_PARAMS = (
    "seed",
    "scale",
    "model.network",
    "loss",
    "gan",
    "optimizer",
    "scheduler",
    "clipping",
    "datamodule",
    "prepare.bad_images",  # of pictures smaller than a crop
    "trainer",
)

# The code that a model is the result of, in the package drnsr. dvc.yaml gives the stage the same.
TRAINING_CODE = (
    "cuda_graphs.py",
    "data/crops.py",
    "data/datamodule.py",
    "data/draws.py",
    "data/prepared.py",
    "data/resident.py",
    "hashing.py",
    "images/colour.py",
    "images/files.py",
    "images/resize.py",
    "networks",
    "training",
    "weights",
)


def train(config: DictConfig) -> None:
    """Train, save the model and its curves; by hand, maybe prepare before and evaluate after."""
    from drnsr.training.precision import check_hardware

    check_hardware(config.trainer.accelerator, config.trainer.precision)
    if config.run.prepare_before_training:
        fetch(config)
        prepare(config)
    check_features_file(config)
    dataset = open_training_set(config)
    dataset.verify()
    if config.run.evaluate_after_training:
        check_evaluation(config)
    _choose_precision(config.trainer)
    _choose_compile(config)
    outputs = Outputs.of(config)
    for folder in (outputs.model.parent, outputs.curves):
        check_writable(folder)
    origin = Origin(
        config=fingerprint(_training_params(config)),
        data=dataset.fingerprint,
        code=code_fingerprint(TRAINING_CODE),
    )
    with (
        sole_process(run_folder(origin.fingerprint)),
        tracked_training(config, origin, outputs.model) as loggers,
    ):
        _train(config, dataset, origin, outputs, loggers)
    if config.run.evaluate_after_training:
        evaluate(config)


def _choose_precision(trainer: DictConfig) -> None:
    """Put what `auto` stands for on this machine in its place, where the fingerprint sees it."""
    from drnsr.training.precision import AUTO, choose_precision

    if trainer.precision == AUTO:
        trainer.precision, reason = choose_precision(trainer.accelerator)
        log.info("precision %s: %s", trainer.precision, reason)


def _choose_compile(config: DictConfig) -> None:
    """Likewise, and told where it is done."""
    from drnsr.training.device import AUTO, choose_compile

    if config.trainer.compile == AUTO:
        config.trainer.compile, reason = False, ""
        if config.gan is None:
            config.trainer.compile, reason = choose_compile(config.trainer.accelerator)
        if config.trainer.compile:
            log.info("compile: %s", reason)


def _train(
    config: DictConfig,
    dataset: PreparedDataset,
    origin: Origin,
    outputs: Outputs,
    loggers: "list[Logger]",
) -> None:
    from drnsr.data.datamodule import SRDataModule
    from drnsr.training.callbacks.checkpoint import Checkpoints, mark_finished
    from drnsr.training.callbacks.curves import Curves
    from drnsr.training.callbacks.progress import TrainingProgress
    from drnsr.training.trainer import fit, seed_everything

    trainer = config.trainer
    seed_everything(config.seed, threads=trainer.threads, deterministic=trainer.deterministic)
    network = instantiate(config.model.network)
    if config.init_from is not None:
        log.info(warm_start(network, load_network(Path(config.init_from)), config.init_from))
    module = _training_module(config, network)
    data = SRDataModule(
        dataset,
        scale=config.scale,
        max_steps=trainer.max_steps,
        seed=config.seed,
        bad_images=config.prepare.bad_images,
        **config.datamodule,
    )
    curves = Curves(log_every=trainer.log_every)
    progress = TrainingProgress()
    checkpoints = Checkpoints(
        run_folder(origin.fingerprint), fingerprint=origin.fingerprint, **config.checkpoints
    )
    skipped = fit(
        module,
        data,
        checkpoints=checkpoints,
        progress=progress,
        loggers=loggers,
        callbacks=[curves],
        max_steps=trainer.max_steps,
        validate_every=trainer.validate_every,
        accelerator=trainer.accelerator,
        precision=trainer.precision,
        ema_decay=trainer.ema_decay,
        nonfinite_loss=trainer.nonfinite_loss,
        look_every=trainer.log_every,
        deterministic=trainer.deterministic,
    )
    save_model(outputs.model, network, origin)
    curves.write(outputs.curves)
    samples = trainer.max_steps * config.datamodule.batch_size
    cost = {
        SECONDS.name: progress.seconds,
        SAMPLES_PER_SECOND.name: samples / progress.seconds,
        SKIPPED_LOSSES.name: skipped,
    }
    write_cost(origin, TRAINING_FILE, {"precision": trainer.precision, **cost})
    numbers = {f"{TRAINING_COST}{name}": value for name, value in cost.items()}
    for logger in loggers:
        logger.log_metrics(numbers, step=trainer.max_steps)
    mark_finished(checkpoints.folder)


def _training_module(config: DictConfig, network: "Network") -> "LightningModule":
    """What `loss` and `gan` make of a training: on pixels, or against a discriminator as well."""
    from drnsr.training.gan import GANModule, LossWeights
    from drnsr.training.module import SRModule

    common = {
        "loss": instantiate(config.loss),
        "optimizer": instantiate(config.optimizer),
        "scheduler": instantiate(config.scheduler),
        "clipping": instantiate(config.clipping),
        "channels_last": config.trainer.channels_last,
    }
    if config.gan is None:
        return SRModule(network, compiled=config.trainer.compile, **common)
    return GANModule(
        network,
        instantiate(config.gan.discriminator),
        perceptual=_perceptual_loss(config),
        weights=LossWeights(**config.gan.weights),
        **common,
    )


def _perceptual_loss(config: DictConfig) -> "PerceptualLoss | None":
    from drnsr.training.perceptual import PerceptualLoss, load_features

    if config.gan.weights.perceptual == 0:
        return None
    features = instantiate(config.gan.features.network)
    file = features_file(config)
    if file is not None:
        load_features(features, file)
    return PerceptualLoss(features)


def _training_params(config: DictConfig) -> dict[str, Any]:
    from drnsr.training.device import choose_accelerator

    chosen = {name: OmegaConf.select(config, name) for name in TRAINING_PARAMS}
    params = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(chosen)))
    params["trainer"]["accelerator"] = choose_accelerator(config.trainer.accelerator)
    if file := features_file(config):
        params["gan"]["features"]["weights"] = file_sha256(file)  # whatever the file is called
    if config.init_from is not None:
        params["init_from"] = file_sha256(Path(config.init_from))
    return params


if __name__ == "__main__":
    run_stage(train)
