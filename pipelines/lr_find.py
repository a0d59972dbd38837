"""Find a learning rate by Lightning's Tuner: `python -m pipelines.lr_find experiment=...`.

The rate rises from step to step (Smith 2017, "Cyclical learning rates for training neural
networks", section 3.3). The suggestion is a third of the largest rate before the loss grows (Bengio
2012, "Practical recommendations for gradient-based training of deep architectures", section 3.1.1).
Lightning's own suggestion is where the loss falls most steeply. But a network that adds its output
to an interpolation starts near its final loss, and the slope is noise there.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drnsr.atomic import atomic_path
from drnsr.config.errors import ConfigError
from drnsr.config.schema import Config
from drnsr.data.prepared import PreparedDataset
from pipelines.app import run_stage
from pipelines.building import data_module, module_arguments, seeded_network
from pipelines.fetch import fetch
from pipelines.prepare import prepare
from pipelines.prepared import open_training_set
from pipelines.train import resolve_auto

if TYPE_CHECKING:
    from lightning import LightningModule
    from lightning.pytorch.tuner.lr_finder import _LRFinder
    from torch.optim import Optimizer

    from drnsr.images.pixel_format import PixelFormat

log = logging.getLogger("drnsr")

_PLOT = "lr_find.png"
_DPI = 120

_SKIPPED = 10  # first losses, as Lightning does: they are not smooth yet
_GROWTH = 1.1  # how much more than the lowest is no noise, for losses smoothed over 50 steps
_MARGIN = 3.0


def lr_find(config: Config) -> None:
    """Suggest a learning rate, and draw the loss over the rates into the run's folder.

    Nothing else is written. An optimizer with several rates, such as Muon, keeps their ratio.

    Raises:
        ConfigError: if the training has two optimizers or several processes, or if no suggestion
            is possible.
    """
    if config.gan is not None:
        raise ConfigError(
            "gan: a training against a discriminator has two optimizers, and Lightning's finder"
            " takes one; find the rate with gan=null"
        )
    if config.trainer.world_size > 1:
        raise ConfigError("trainer.devices: a learning rate is found in one process; take 1")
    if not config.optimizer.get("lr"):
        raise ConfigError("optimizer.lr: give a rate above 0; the optimizer's others follow it")
    if config.run.prepare_before_training:
        fetch(config)
        prepare(config)
    config = resolve_auto(config)
    found = _find(config, open_training_set(config))
    rate = found.results["lr"][largest_stable(found.results["loss"])] / _MARGIN
    file = Path(config.run.output) / _PLOT
    _draw(found, rate, file)
    log.info("suggested: %s (the curve is in %s)", _overrides(config, rate), file)


def largest_stable(losses: Sequence[float]) -> int:
    """Return the place of the last loss before they grow.

    Args:
        losses: smoothed, of ascending rates.

    Raises:
        ConfigError: if they grow at once or never.
    """
    compared = np.array([*losses[_SKIPPED:]] or [np.nan])
    stable = np.flatnonzero(compared <= _GROWTH * np.nanmin(compared, initial=np.inf))
    if len(stable) < 2:
        raise ConfigError("lr_find.min_lr: the loss grows at the first rates; take a smaller one")
    if stable[-1] == len(compared) - 1:
        raise ConfigError("lr_find.max_lr: the loss grows at no rate; take a larger one")
    return _SKIPPED + int(stable[-1])


def _find(config: Config, dataset: PreparedDataset) -> "_LRFinder":
    import lightning as L
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment
    from lightning.pytorch.tuner.tuning import Tuner

    from drnsr.training.trainer import silence_known_warnings

    silence_known_warnings()
    settings = config.lr_find
    module = _module(config, dataset.pixels)
    # One step more than the finder takes: the last one of an epoch would be validated.
    data = data_module(config, dataset, max_steps=settings.num_training + 1)
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(
            accelerator=config.trainer.accelerator,
            devices=1,
            plugins=[LightningEnvironment()],
            precision=config.trainer.precision,  # type: ignore[arg-type]  # `auto` is resolved
            accumulate_grad_batches=config.trainer.accumulate_grad_batches,
            deterministic=config.trainer.deterministic,
            max_epochs=1,
            val_check_interval=1.0,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        found = Tuner(trainer).lr_find(
            module,
            datamodule=data,
            min_lr=settings.min_lr,
            max_lr=settings.max_lr,
            num_training=settings.num_training,
            update_attr=False,
        )
    assert found is not None
    return found


def _module(config: Config, pixels: "PixelFormat") -> "LightningModule":
    from drnsr.training.module import SRModule

    class FindingModule(SRModule):
        """Its optimizer's rates have a fixed ratio, whatever the finder sets."""

        def configure_optimizers(self) -> Any:  # noqa: ANN401 (Lightning's)
            made: Any = super().configure_optimizers()
            _keep_ratios(made["optimizer"])
            return made

    return FindingModule(seeded_network(config, pixels), **module_arguments(config))


def _keep_ratios(optimizer: "Optimizer") -> None:
    """Before each step, make the other rates follow the first one; the finder sets all equal."""
    groups = optimizer.param_groups
    ratios = [group["initial_lr"] / groups[0]["initial_lr"] for group in groups]

    def follow(*_: object) -> None:
        for group, ratio in zip(groups, ratios, strict=True):
            group["lr"] = groups[0]["lr"] * ratio

    optimizer.register_step_pre_hook(follow)


def _overrides(config: Config, rate: float) -> str:
    """Return the suggestion for each rate of the optimizer, as arguments of a command line."""
    rates = {key: value for key, value in config.optimizer.items() if key.endswith("lr")}
    scaled = {key: rate * value / config.optimizer["lr"] for key, value in rates.items()}
    return " ".join(f"optimizer.{key}={value:.3g}" for key, value in scaled.items())


def _draw(found: "_LRFinder", rate: float, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    found.plot(ax=axes)
    axes.axvline(rate, color="red", label=f"suggested: {rate:.3g}")
    axes.legend()
    with atomic_path(file) as partial:
        plt.savefig(partial, dpi=_DPI, format="png")
    plt.close(figure)


if __name__ == "__main__":
    run_stage(lr_find)
