"""One training run, from a module and its data to trained weights."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from drnsr.errors import UserError
from drnsr.training.callbacks.checkpoint import Checkpoints
from drnsr.training.callbacks.ema import EMA
from drnsr.training.callbacks.nonfinite import NonfiniteLoss, NonfiniteLossCheck
from drnsr.training.callbacks.progress import TrainingProgress
from drnsr.training.callbacks.signals import Interruption
from drnsr.training.device import set_up

# Where the errors of torch.compile are defined; it has many, and no public one above them.
_COMPILERS = ("torch._dynamo", "torch._inductor")


class PlatformError(UserError):
    """Not the run is at fault, but what it runs on."""


def seed_everything(seed: int, *, threads: int, deterministic: bool = True) -> None:
    """Make what follows a function of the seed: weights, and the order of every sum.

    Args:
        seed: 0 or more.
        threads: CPU threads; another number adds up in another order and gives other bits.
        deterministic: whether an operation without a deterministic form is an error; if not, and
            on a GPU, the same training gives other bits each time.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    # Deterministic algorithms fill all new memory with NaN, to find reads of it before it is
    # written. That costs 3 % of a step and finds nothing in networks whose loss is watched.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    L.seed_everything(seed, verbose=False)


def fit(
    module: L.LightningModule,
    data: L.LightningDataModule,
    *,
    checkpoints: Checkpoints,
    progress: TrainingProgress,
    loggers: list[Logger],
    callbacks: list[Callback],
    max_steps: int,
    validate_every: int,
    accelerator: str,
    precision: str,
    ema_decay: float,
    nonfinite_loss: NonfiniteLoss,
    look_every: int,
    deterministic: bool = True,
) -> int:
    """Train ``module`` in place for ``max_steps`` steps; it ends up with the weights to be kept.

    Args:
        module: see :class:`drnsr.training.module.SRModule`.
        data: ``max_steps`` training batches, and the validation crops.
        checkpoints: writes the run's states; the run goes on from the newest there is.
        progress: shows how far it is.
        loggers: Lightning's; may be empty.
        callbacks: besides those for averaging, checkpoints, signals and progress.
        max_steps: optimizer steps.
        validate_every: steps between validations.
        accelerator: Lightning's name of one, or "auto".
        precision: Lightning's name of one, such as "32-true" or "bf16-mixed".
        ema_decay: of the weights' moving average; 0 keeps the weights themselves.
        nonfinite_loss: what becomes of a step whose loss is infinite or no number.
        look_every: steps between two looks at the losses, on other devices than the CPU.
        deterministic: whether the same run gives the same bits.

    Returns:
        How many bad losses were skipped.

    Raises:
        NonfiniteLossError: a loss is infinite or no number, and not skipped.
        SignalError: SIGTERM or Ctrl-C came; the state was written.
        PlatformError: a loader worker was killed, or the device has no deterministic form of an
            operation (which shows in the first step).
    """
    # Lightning's advice to use more loader workers does not hold for crops from mapped memory.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")  # their own code
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # it is
    finite = NonfiniteLossCheck(nonfinite_loss, look_every)
    averaging = [EMA(ema_decay)] if ema_decay > 0 else []
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        max_steps=max_steps,
        max_epochs=1,  # a run is one pass over its samples
        val_check_interval=min(validate_every, max_steps),
        num_sanity_val_steps=0,
        deterministic=deterministic,
        logger=loggers,
        log_every_n_steps=0,  # the loggers hear from Curves, at its own interval
        callbacks=[
            *averaging,
            checkpoints,
            Interruption(checkpoints),
            finite,
            progress,
            *callbacks,
        ],
        enable_checkpointing=False,  # Lightning's own, beside ours
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=checkpoints.folder,  # where a requeued job on SLURM looks
    )
    if precision == "64-true":
        # Lightning does so later, when averages are made and states are loaded: in fp32.
        module.double()
    set_up(trainer.strategy.root_device, deterministic=deterministic)
    with _told(checkpoints.folder):
        trainer.fit(module, datamodule=data, ckpt_path=checkpoints.newest(), weights_only=True)
    module.float()  # of bf16 and fp64 too, models are kept in fp32
    return finite.skipped


@contextmanager
def _told(states: Path) -> Iterator[None]:
    """Tell in one line what a run's surroundings did to it; torch has no errors of their own."""
    try:
        yield
    except RuntimeError as error:
        text = " ".join(str(error).split())
        if "DataLoader worker" in text:
            raise PlatformError(
                f"a loader worker is gone: {text.rstrip('.')}; if memory ran out, take fewer"
                f" (datamodule.workers). The same command goes on from the last state in {states}"
            ) from error
        if type(error).__module__.startswith(_COMPILERS) or "stream is capturing" in text:
            raise PlatformError(
                f"a step cannot be compiled here: {text[:200]}; trainer.compile=false does without"
            ) from error
        if "does not have a deterministic implementation" in text:
            raise PlatformError(
                f"{text.partition(',')[0]} on this device: the same run would give other bits each"
                " time, as trainer.deterministic=false lets it; trainer.accelerator: cpu has one"
                " for all that the networks here do"
            ) from error
        raise
