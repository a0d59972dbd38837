"""One training run, from a module and its data to trained weights."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, Strategy

from drnsr.data.datamodule import SRDataModule
from drnsr.device import resolve_device
from drnsr.errors import UserError
from drnsr.training.batch_norm import WholeBatchNorm
from drnsr.training.callbacks.checkpoint import TrainingStateCheckpoint
from drnsr.training.callbacks.early_stopping import EarlyStoppingSettings, early_stopping
from drnsr.training.callbacks.ema import EMA
from drnsr.training.callbacks.nonfinite import NonfiniteLoss, NonfiniteLossCheck
from drnsr.training.callbacks.progress import TrainingProgress
from drnsr.training.callbacks.signals import Interruption
from drnsr.training.device import configure_device
from drnsr.training.processes import launched_process
from drnsr.verbosity import is_verbose

log = logging.getLogger("drnsr")

# The modules with the errors of torch.compile, which have no public class in common.
_COMPILERS = ("torch._dynamo", "torch._inductor")


# What torch's backends of communication say when another process is gone.
_LOST_PEER = ("gloo/transport", "Connection closed by peer", "NCCL", "Gloo connectFullMesh")


class PlatformError(UserError):
    """The machine or its libraries ended the run, whatever its configuration."""


class LostProcessError(PlatformError):
    """Another process of the training ended, and has the reason."""


class TrainerSettings(Protocol):
    """The values of the configuration's group ``trainer``.

    Attributes:
        max_steps: number of optimizer steps.
        validate_every: number of steps between validations.
        log_every: number of steps between two checks of the losses, except on a CPU, where each
            loss is checked before its step.
        accelerator: Lightning's name of one, or "auto".
        devices: number of processes on each machine, each with a device of its own.
        num_nodes: number of machines.
        strategy: how the processes share the work; "auto" is "ddp" if there is more than one.
        accumulate_grad_batches: number of batches of the loader that make a step.
        precision: Lightning's name of one, such as "32-true" or "bf16-mixed".
        ema_decay: decay per step of the weights' moving average; 0 keeps the weights themselves.
        nonfinite_loss: what happens at a step whose loss is NaN or infinite.
        deterministic: whether the same run gives the same bits.
        early_stopping: when a training ends before ``max_steps``; None: never.
    """

    max_steps: int
    validate_every: int
    log_every: int
    accelerator: str
    devices: int
    num_nodes: int
    strategy: Literal["auto", "ddp", "fsdp"]
    accumulate_grad_batches: int
    precision: Any  # a Literal: Lightning knows its names by their types
    ema_decay: float
    nonfinite_loss: NonfiniteLoss
    deterministic: bool

    @property
    def early_stopping(self) -> EarlyStoppingSettings | None: ...  # noqa: D102


class Fitted(NamedTuple):
    """How a training went.

    Attributes:
        steps: number of optimizer steps.
        stopped_early: whether the validations ended it before ``max_steps``.
        skipped: number of steps that were skipped for a loss that was NaN or infinite.
    """

    steps: int
    stopped_early: bool
    skipped: int


def seed_everything(seed: int, *, threads: int, deterministic: bool = True) -> None:
    """Seed every generator, and fix the order of every sum, so that a run gives the same bits.

    Args:
        seed: 0 or more.
        threads: number of CPU threads; another number sums in another order, and gives other bits.
        deterministic: whether to refuse operations without a deterministic form; if not, the same
            training gives other bits each time on a GPU.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    # Deterministic algorithms fill new memory with NaN, to reveal a read before the first write.
    # That costs 3 % of a step, and a NaN shows in the loss, which is checked anyway.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    L.seed_everything(seed, verbose=False)


def fit(
    module: L.LightningModule,
    data: SRDataModule,
    settings: TrainerSettings,
    *,
    checkpoints: TrainingStateCheckpoint,
    progress: TrainingProgress,
    loggers: list[Logger],
    callbacks: list[Callback],
) -> Fitted:
    """Train ``module`` in place; at the end it has the weights to keep.

    Args:
        module: see :class:`drnsr.training.module.SRModule`.
        data: ``settings.max_steps`` training batches, and the validation crops.
        settings: how long, on what and in which precision to train.
        checkpoints: writes the run's states; the run continues from the newest one.
        progress: shows the progress.
        loggers: Lightning's; may be empty.
        callbacks: besides those for averaging, checkpoints, signals and progress.

    Raises:
        NonfiniteLossError: if a loss is NaN or infinite, and may not be skipped.
        SignalError: if SIGTERM or Ctrl-C came; the state is written first.
        PlatformError: if a loader worker or another process of the training was killed, or the
            device has no deterministic form of an operation (which shows in the first step).
    """
    silence_known_warnings()
    nonfinite = NonfiniteLossCheck(settings.nonfinite_loss, settings.log_every)
    averaging = [EMA(settings.ema_decay)] if settings.ema_decay > 0 else []
    ours = [*averaging, checkpoints, Interruption(checkpoints), nonfinite, progress]
    stopping = early_stopping(settings.early_stopping) if settings.early_stopping else None
    if stopping is not None:
        ours.append(stopping)
    trainer = _new_trainer(
        settings,
        uses_all_weights=module.automatic_optimization and data.has_one_scale,
        loggers=loggers,
        callbacks=[*ours, *callbacks],
        folder=checkpoints.folder,
    )
    if settings.precision == "64-true":
        # Lightning does so after averages are made and states are loaded, which then are in fp32.
        module.double()
    configure_device(trainer.strategy.root_device, deterministic=settings.deterministic)
    with _platform_errors(checkpoints.folder):
        trainer.fit(module, datamodule=data, ckpt_path=checkpoints.newest(), weights_only=True)
    module.float()  # models are kept in fp32, also those trained in bf16 or fp64
    steps = trainer.global_step
    stopped_early = trainer.should_stop and steps < settings.max_steps
    if stopped_early and stopping is not None:
        log.info(
            "stopped early after step %s: the PSNR did not improve in %s validations",
            *(steps, stopping.wait_count),
        )
    return Fitted(steps, stopped_early, nonfinite.skipped)


def _new_trainer(
    settings: TrainerSettings,
    *,
    uses_all_weights: bool,
    loggers: list[Logger],
    callbacks: list[Callback],
    folder: Path,
) -> L.Trainer:
    """Make Lightning's trainer.

    Args:
        settings: see :func:`fit`.
        uses_all_weights: whether each backward pass gives all weights a gradient.
        loggers: see :func:`fit`.
        callbacks: all of them.
        folder: where a requeued job on SLURM looks for its state.
    """
    accumulate = settings.accumulate_grad_batches
    world_size = settings.devices * settings.num_nodes
    return L.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=_strategy(settings, world_size, uses_all_weights),
        plugins=_plugins(settings, world_size),
        use_distributed_sampler=False,  # the data module gives each process its samples
        sync_batchnorm=world_size > 1 and _has_sync_batch_norm(settings),
        accumulate_grad_batches=accumulate,
        precision=settings.precision,
        max_steps=settings.max_steps,
        max_epochs=1,  # a run is one pass over its samples
        val_check_interval=min(settings.validate_every, settings.max_steps) * accumulate,
        num_sanity_val_steps=0,
        deterministic=settings.deterministic,
        logger=loggers,
        log_every_n_steps=0,  # the callback Curves logs, at its own interval
        callbacks=callbacks,
        enable_checkpointing=False,  # Lightning's own, beside ours
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _strategy(
    settings: TrainerSettings, world_size: int, uses_all_weights: bool
) -> Strategy | Literal["auto"]:
    if settings.strategy == "fsdp":
        from drnsr.training.sharding import sharding_strategy

        return sharding_strategy(world_size)
    if world_size == 1:
        return "auto"
    # Buffers are constants; to send them around would also need as many validation crops for all.
    return DDPStrategy(find_unused_parameters=not uses_all_weights, broadcast_buffers=False)


def _plugins(settings: TrainerSettings, world_size: int) -> list[Any]:
    # Named here, because inside a job of SLURM Lightning would choose SLURM's environment.
    environment = TorchElasticEnvironment() if launched_process() else LightningEnvironment()
    if world_size == 1 or _has_sync_batch_norm(settings):
        return [environment]
    return [environment, WholeBatchNorm()]


def _has_sync_batch_norm(settings: TrainerSettings) -> bool:
    """Return whether torch itself normalises over the batch of all processes."""
    return resolve_device(settings.accelerator) == "cuda"


def silence_known_warnings() -> None:
    """Hide what Lightning says of things that are as they should be."""
    if is_verbose():
        return
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for message in (
        ".*isinstance.treespec, LeafSpec.*",  # about code of Lightning itself
        ".*does not have many workers.*",  # crops come from mapped memory, and need none
        ".*your dataloader is not resumable.*",  # it is
        ".*`broadcast_buffers` is deprecated.*",  # its successor is not in all versions of torch
        ".*when logging on epoch level in distributed setting.*",  # the mean is of all processes
        ".*FSDP2-wrapped module .* returned a view tensor.*",  # which no loss changes in place
        ".*Total length of `DataLoader` across ranks is zero.*",
        ".*callbacks used to create the checkpoint need to be provided.*",  # early stopping may end
    ):
        warnings.filterwarnings("ignore", message=message)


@contextmanager
def _platform_errors(states: Path) -> Iterator[None]:
    """Report in one line what ended a run; torch raises RuntimeError for all of it.

    Raises:
        PlatformError: instead of the RuntimeError, if its text is a known one.
    """
    try:
        yield
    except RuntimeError as error:
        text = " ".join(str(error).split())
        if any(sign in text for sign in _LOST_PEER):
            raise LostProcessError(
                "another process of this training ended; the same command continues from the last"
                f" state in {states}"
            ) from error
        if "DataLoader worker" in text:
            raise PlatformError(
                f"a loader worker ended: {text.rstrip('.')}; if memory ran out, use fewer"
                f" (datamodule.workers). The same command continues from the last state in {states}"
            ) from error
        if type(error).__module__.startswith(_COMPILERS) or "stream is capturing" in text:
            raise PlatformError(
                f"a step cannot be compiled here: {text[:200]}; set trainer.compile=false"
            ) from error
        if "does not have a deterministic implementation" in text:
            raise PlatformError(
                f"{text.partition(',')[0]} on this device: the same run would give other bits each"
                " time. trainer.deterministic=false allows that; trainer.accelerator=cpu has a"
                " deterministic form of every operation of the networks here"
            ) from error
        raise
