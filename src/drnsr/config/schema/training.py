"""How a network is trained, on what machine, and where its run is kept."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from drnsr.config.schema.section import Section
from drnsr.config.values import Count, Float, Integer, NonNegative, Scales


class DataModule(Section):
    """How training samples are drawn: see :class:`drnsr.data.datamodule.SRDataModule`."""

    scales: Scales
    patch_size: Count | None
    hr_patch_size: Count | None = None
    batch_size: Annotated[Integer, Field(ge=1, le=65_536)]
    validation_crop: Count
    workers: Annotated[Integer, Field(ge=0, le=1024)]


class EarlyStopping(Section):
    """When a training ends early: see :mod:`drnsr.training.callbacks.early_stopping`."""

    patience: Count
    min_delta: NonNegative = 0.0


class Trainer(Section):
    """How long, on what and in which precision to train: see :mod:`drnsr.training.trainer`."""

    max_steps: Annotated[Integer, Field(ge=1, le=10**9)]
    validate_every: Count
    log_every: Count
    accelerator: str
    devices: Annotated[Integer, Field(ge=1, le=1024)]
    num_nodes: Annotated[Integer, Field(ge=1, le=1024)]
    strategy: Literal["auto", "ddp", "fsdp"]
    accumulate_grad_batches: Annotated[Integer, Field(ge=1, le=65_536)]
    precision: Literal["auto", "32-true", "64-true", "16-mixed", "bf16-mixed", "bf16-true"]
    channels_last: bool
    threads: Annotated[Integer, Field(ge=1, le=1024)]
    nonfinite_loss: Literal["fail", "skip"]
    ema_decay: Annotated[Float, Field(ge=0, lt=1)]
    deterministic: bool
    compile: bool | Literal["auto"]
    early_stopping: EarlyStopping | None

    @property
    def world_size(self) -> int:
        """The number of processes on all machines."""
        return self.devices * self.num_nodes

    @field_validator("accelerator")
    @classmethod
    def _is_known_to_lightning(cls, name: str) -> str:
        if name in ("auto", "cpu", "gpu"):
            return name
        # Plugins add others; asking for them imports Lightning, which takes seconds.
        from lightning.pytorch.accelerators import AcceleratorRegistry

        known = sorted({"auto", "gpu", *AcceleratorRegistry.available_accelerators()})
        if name not in known:
            raise ValueError(f"{name} is not one of {', '.join(known)}")
        return name

    @field_validator("devices", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        if value == "auto":
            raise ValueError("auto is not a number; give one, by which the batch can be divided")
        return value

    @field_validator("precision", mode="before")
    @classmethod
    def _trains_in(cls, name: object) -> object:
        if name == "16-true":
            raise ValueError(
                "16-true does not train: small gradients are 0 in fp16, and the loss is NaN after"
                " a step; take 16-mixed or bf16-mixed"
            )
        return name

    @field_validator("compile", mode="before")
    @classmethod
    def _is_auto_or_bool(cls, value: object) -> object:
        if value not in ("auto", True, False):
            raise ValueError(f"{value} is not one of auto, true, false")
        return value


class Checkpoints(Section):
    """How often the state of a run is written, and how many states are kept."""

    seconds: NonNegative
    keep: Count


class Logger(Section):
    """The MLflow experiment that a run is tracked in, if any, and where its curves go besides."""

    experiment: str | None
    tensorboard: bool
    wandb: bool

    @property
    def further(self) -> list[str]:
        """The loggers beside MLflow's."""
        return [name for name in ("tensorboard", "wandb") if getattr(self, name)]


class Run(Section):
    """Where data and outputs are, and what a training does before and after."""

    output: str
    data: str
    prepare_before_training: bool
    evaluate_after_training: bool
