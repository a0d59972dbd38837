"""How a network is trained, on what machine, and where its run is kept."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from drnsr.config.schema.section import Section
from drnsr.config.values import Count, Float, Integer, NonNegative, Scales


class DataModule(Section):
    """How training samples are drawn: see :class:`drnsr.data.datamodule.SRDataModule`.

    Attributes:
        scales: the scales to train, one per batch.
        patch_size: the side of a crop in LR pixels; null if `hr_patch_size` gives the size.
        hr_patch_size: the side of a crop in HR pixels, the same at every scale.
        batch_size: crops in a step, those of all processes together.
        validation_crop: the largest side of a validation crop, in LR pixels.
        workers: processes that load samples; 0 loads them in the process of the training.
    """

    scales: Scales
    patch_size: Count | None
    hr_patch_size: Count | None = None
    batch_size: Annotated[Integer, Field(ge=1, le=65_536)]
    validation_crop: Count
    workers: Annotated[Integer, Field(ge=0, le=1024)]


class EarlyStopping(Section):
    """When a training ends early: see :mod:`drnsr.training.callbacks.early_stopping`.

    Attributes:
        patience: validations in a row without an improvement, after which the training ends.
        min_delta: how much better, in dB of the validation PSNR, counts as an improvement.
    """

    patience: Count
    min_delta: NonNegative = 0.0


class Trainer(Section):
    """How long, on what and in which precision to train: see :mod:`drnsr.training.trainer`.

    Attributes:
        max_steps: steps of the training.
        validate_every: steps between two validations.
        log_every: steps between two points of the loss curve.
        accelerator: auto, cpu, gpu, or another one of Lightning.
        devices: processes on each machine, each with a device of its own.
        num_nodes: machines.
        strategy: how several processes train: ddp, fsdp, or auto for ddp.
        accumulate_grad_batches: parts of a batch that are computed one after the other, for less
            memory.
        precision: the number format of the computation, by Lightning's name; auto is bf16-mixed
            where bf16 is fast, else 32-true.
        channels_last: whether the channels of a pixel lie side by side in memory.
        threads: CPU threads of each process.
        nonfinite_loss: what a loss that is NaN or infinite does: fail ends the run, skip leaves the
            step out and counts it.
        ema_decay: decay of the moving average of the weights, per step; 0 for no average.
        deterministic: whether the same run gives the same bits.
        compile: whether a step is compiled; auto compiles on a GPU.
        early_stopping: when to end early; null for never.
    """

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
    """How often the state of a run is written, and how many states are kept.

    Attributes:
        seconds: seconds between two states.
        keep: the number of newest states that are kept.
    """

    seconds: NonNegative
    keep: Count


class Logger(Section):
    """The MLflow experiment that a run is tracked in, if any, and where its curves go besides.

    Attributes:
        experiment: the name of the experiment; null for no tracking.
        user: whether the login name is recorded, as MLflow does.
        tensorboard: whether TensorBoard gets the curves.
        wandb: whether Weights & Biases gets the curves, offline.
    """

    experiment: str | None
    user: bool
    tensorboard: bool
    wandb: bool

    @property
    def further(self) -> list[str]:
        """The loggers beside MLflow's."""
        return [name for name in ("tensorboard", "wandb") if getattr(self, name)]


class Run(Section):
    """Where data and outputs are, and what a training does before and after.

    Attributes:
        output: the folder of the outputs.
        data: the folder of the prepared data.
        prepare_before_training: whether the training fetches and prepares the data first.
        evaluate_after_training: whether it measures the benchmarks at its end.
    """

    output: str
    data: str
    prepare_before_training: bool
    evaluate_after_training: bool
