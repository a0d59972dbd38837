"""Loggers of Lightning's own, beside MLflow's: TensorBoard, and Weights & Biases offline."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drnsr.errors import UserError
from drnsr.tracking.runs import flatten, title

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

# The packages that can write each kind, and the extra that installs one.
_PACKAGES = {"tensorboard": ("tensorboardX", "tensorboard"), "wandb": ("wandb",)}

_WANDB_STEP = "trainer/global_step"  # WandbLogger's name of the step


class MissingLoggerError(UserError):
    """The package of a logger is not installed."""


def check_loggers(names: Sequence[str]) -> None:
    """Check that the loggers can be made.

    Raises:
        MissingLoggerError: if not.
    """
    for name in names:
        if not any(map(find_spec, _PACKAGES[name])):
            raise MissingLoggerError(
                f"logger.{name}: {_PACKAGES[name][0]} is not installed: pip install '.[{name}]'"
            )


@contextmanager
def further_loggers(
    names: Sequence[str], folder: Path, config: Mapping[str, Any]
) -> "Iterator[list[Logger]]":
    """Make loggers, log the configuration once, and end them after the block.

    A training that is resumed logs the points from before its state again, so the files of the
    interrupted one are removed: no point is there twice.

    Args:
        names: ``tensorboard`` and ``wandb``, in any number.
        folder: of the training; each logger has a folder there.
        config: the composed configuration.
    """
    loggers: list[Logger] = []
    ends: list[Callable[[int], None]] = []
    try:
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
            logger, end = _MAKERS[name](folder, config)
            ends.append(end)
            logger.log_hyperparams(flatten(config))
            loggers.append(logger)
        yield loggers
    except BaseException:
        for end in ends:
            end(1)
        raise
    for end in ends:
        end(0)


def _tensorboard(folder: Path, config: Mapping[str, Any]) -> "tuple[Logger, Callable[[int], None]]":
    from lightning.pytorch.loggers import TensorBoardLogger

    class OpenLogger(TensorBoardLogger):
        """Is not closed at the end of `fit`: a later point would begin the file again."""

        def finalize(self, status: str) -> None:
            self.experiment.flush()

    logger = OpenLogger(folder / "tensorboard", name=title(config), version="")
    return logger, lambda _: logger.experiment.close()


def _wandb(folder: Path, config: Mapping[str, Any]) -> "tuple[Logger, Callable[[int], None]]":
    os.environ["WANDB_ERROR_REPORTING"] = "false"  # read at import; it would reach for a server
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    # Begun here, because WandbLogger gives wandb an argument that it warns of.
    run = wandb.init(
        dir=folder,  # wandb makes a folder of its own name there
        project=os.environ.get("WANDB_PROJECT", "drnsr"),
        id=folder.name,
        name=title(config),
        mode="offline",
        settings=wandb.Settings(silent=True, console="off", save_code=False, disable_git=True),
    )
    run.define_metric(_WANDB_STEP)
    run.define_metric("*", step_metric=_WANDB_STEP, step_sync=True)
    return WandbLogger(experiment=run), lambda code: run.finish(exit_code=code)


_MAKERS = {"tensorboard": _tensorboard, "wandb": _wandb}
