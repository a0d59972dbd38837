"""The schema of the configuration: every key, its type, and the values that it may have.

conf/ holds the values themselves and their reasons. The upper limits of workers, connections,
threads and crops are more than any machine can run: without them, a mistyped number would be tried.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from drnsr.config.errors import InvalidValueError
from drnsr.config.values import (
    Count,
    Float,
    Integer,
    Node,
    NonNegative,
    ProtocolChoice,
    Scales,
    StepNode,
    check_numbers,
)
from drnsr.degradation.parameters import Degradation
from drnsr.tracking.objective import Objective


class Section(BaseModel):
    """A part of the configuration; its values are fixed, and model_copy makes changed copies."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )


class Fetch(Section):
    """How files are downloaded and unpacked."""

    connections: Annotated[Integer, Field(ge=1, le=1024)]
    max_unpacked: Count


class Prepare(Section):
    """Which pictures can be used, and what happens to the others."""

    bad_images: Literal["fail", "skip"]
    max_pixels: Count
    min_side: Count
    max_shift: Annotated[Float, Field(gt=0)]


class Single(Section):
    """One picture, a part of which is trained on and another part measured on."""

    image: str | None
    mode: Literal["zero_shot", "half"]
    scale: Integer


class Part(Section):
    """A part of a data set: registries of files, or the user's folder.

    A part of the pictures is withheld for validation. ``shrink`` has the factors by which pictures
    are downscaled first, and ``licences`` what the model card says of them, both by names or
    patterns of names.
    """

    registries: list[str] = []
    folder: str | None = None
    exclude: list[str]
    shrink: dict[str, Annotated[Integer, Field(ge=2, le=16)]] = {}
    validation_fraction: Annotated[Float, Field(gt=0, lt=1)]
    licences: dict[str, str]


class Data(Section):
    """A data set to train on: its parts by name, or a part of one picture.

    ``weight_by`` decides how often a picture is trained on: ``images`` draws all equally often,
    ``pixels`` in proportion to their pixels.
    """

    name: str
    parts: dict[str, Part]
    pairs: bool = False
    single: Single | None = None
    scales: Scales
    weight_by: Literal["images", "pixels"]

    @model_validator(mode="after")
    def _pairs_are_one_folder(self) -> "Data":
        if not self.pairs:
            return self
        (part,) = self.parts.values() if len(self.parts) == 1 else (None,)
        if part is None or part.registries:
            raise InvalidValueError("parts", "pairs come from one folder")
        if part.shrink:
            raise InvalidValueError("parts", "pairs cannot be shrunk; take shrink away")
        return self


class Benchmark(Section):
    """A data set to measure on, and its name in the published tables.

    It is a registry, the user's folder, or neither: the part that the data set `single` withholds.
    A degradation makes its LR instead of the protocol.
    """

    registry: str | None = None
    folder: str | None = None
    published: str | None = None
    degradation: Degradation | None = None
    licences: dict[str, str]


class Model(Section):
    """A network, its name in our tables, and its name in the published ones."""

    name: str
    published: str | None = None
    network: Node


class LossWeights(Section):
    """The weight of each term in the generator's loss."""

    pixel: NonNegative
    perceptual: NonNegative
    adversarial: NonNegative


class Features(Section):
    """The network whose features a perceptual loss compares, and the weight of each layer.

    The weights of the network are a registry's file, the user's file, or null for random ones.
    """

    network: Node
    layer_weights: list[NonNegative]
    weights: str | None


class GAN(Section):
    """A discriminator to train against."""

    discriminator: Node
    adversarial: Literal["relativistic", "vanilla"]
    weights: LossWeights
    features: Features


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


class Parameter(Section):
    """The values that a study may choose: a range with its ends, or a list."""

    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    choices: list[str | int | float | bool | None] | None = None

    @model_validator(mode="after")
    def _is_range_or_list(self) -> "Parameter":
        ends = [self.low, self.high]
        if (self.choices is None) == (None in ends) or (self.choices and ends != [None, None]):
            raise ValueError("give low and high, or choices")
        if self.log and self.step is not None:
            raise ValueError("give log or step, not both")
        return self


class Study(Section):
    """A study by Optuna: see :mod:`pipelines.sweep`."""

    name: str
    storage: str
    trials: Count
    sampler: Node
    pruner: Node
    search: dict[str, Parameter]


class Sweep(Section):
    """What the jobs of a sweep are compared by, and what happens to those that failed before."""

    objective: str
    retry_failed: bool
    study: Study | None = None


class LRFind(Section):
    """The rates that ``python -m pipelines.lr_find`` tries, as Lightning's Tuner takes them."""

    min_lr: Annotated[Float, Field(gt=0)]
    max_lr: Annotated[Float, Field(gt=0)]
    num_training: Annotated[Integer, Field(ge=20)]  # the suggestion leaves out the first ten

    @model_validator(mode="after")
    def _rates_ascend(self) -> "LRFind":
        if self.max_lr <= self.min_lr:
            raise InvalidValueError("max_lr", f"{self.max_lr} is not more than {self.min_lr}")
        return self


class ComposedConfig(Section):
    """Every key of the configuration, each with an allowed value."""

    seed: Annotated[Integer, Field(ge=0, le=2**32 - 1)]  # the range of numpy and Lightning
    scale: Integer
    folder: str | None = None
    benchmark_folder: str | None = None
    image: str | None = None
    mode: Literal["zero_shot", "half"]
    fetch: Fetch
    prepare: Prepare
    init_from: str | None = None
    extend: str | None = None
    protocol: ProtocolChoice
    data: Data
    degradation: Degradation
    benchmark: dict[str, Benchmark]
    model: Model
    loss: Node
    gan: GAN | None = None
    optimizer: StepNode
    scheduler: StepNode
    clipping: StepNode | None = None
    datamodule: DataModule
    trainer: Trainer
    checkpoints: Checkpoints
    logger: Logger
    run: Run
    sweep: Sweep
    lr_find: LRFind

    @model_validator(mode="before")
    @classmethod
    def _has_usable_numbers(cls, config: object) -> object:
        check_numbers(config)  # all at once: those of a node have no field of their own
        return config


# Schedules that end with the run, and their argument for the number of steps. The others have no
# end: a run that is shorter than they are just stops.
_SCHEDULE_STEPS = {
    "drnsr.training.schedules.warmup_cosine": "total_steps",
    "drnsr.training.schedules.warmup_linear": "total_steps",
    "torch.optim.lr_scheduler.CosineAnnealingLR": "T_max",
    "torch.optim.lr_scheduler.OneCycleLR": "total_steps",
    "torch.optim.lr_scheduler.PolynomialLR": "total_iters",
}


class Config(ComposedConfig):
    """A configuration whose values also agree with each other; what a stage receives."""

    @model_validator(mode="after")
    def _scales_are_prepared(self) -> "Config":
        single = [] if self.data.single is None else [self.data.single.scale]
        for scale in (self.scale, *self.datamodule.scales, *single):
            if scale not in self.data.scales:
                raise ValueError(
                    f"scale {scale} is not among data.scales {self.data.scales};"
                    " add it there, for instance with -S '++set.data.scales=[2,3,4,8]'"
                )
        return self

    @model_validator(mode="after")
    def _lr_is_made_once(self) -> "Config":
        if self.data.pairs and not self.degradation.is_bicubic:
            raise InvalidValueError(
                "degradation",
                f"{self.degradation.name} makes the LR, and `data: pairs` has the user's; take"
                " bicubic",
            )
        return self

    @model_validator(mode="after")
    def _crops_have_one_size(self) -> "Config":
        """It is given once, and leaves a pixel at every scale."""
        size, smallest = self.datamodule.hr_patch_size, max(self.datamodule.scales)
        if (self.datamodule.patch_size is None) == (size is None):
            raise InvalidValueError(
                "datamodule", "give patch_size or hr_patch_size, and set the other to null"
            )
        if size is not None and size < smallest:
            raise InvalidValueError("datamodule.hr_patch_size", f"{size} is not {smallest} or more")
        return self

    @model_validator(mode="after")
    def _schedule_ends_with_the_run(self) -> "Config":
        """After a shorter schedule the learning rate would stay 0."""
        key = _SCHEDULE_STEPS.get(self.scheduler["_target_"])
        steps = self.scheduler.get(key) if key is not None else None
        if steps is not None and steps != self.trainer.max_steps:
            raise InvalidValueError(
                f"scheduler.{key}",
                f"{steps} is not trainer.max_steps, {self.trainer.max_steps}, but this schedule"
                f" ends with the run; give scheduler.{key} as ${{trainer.max_steps}}, which follows"
                " by itself",
            )
        return self

    @model_validator(mode="after")
    def _is_compiled_in_one_process_alone(self) -> "Config":
        if self.trainer.compile is True and not self.can_compile:
            raise InvalidValueError(
                "trainer.compile",
                "true is for one process that takes a step at once, and not against a gan; take"
                " auto or false",
            )
        return self

    @property
    def can_compile(self) -> bool:
        """Whether a step of this training can be compiled."""
        parts = self.trainer.world_size * self.trainer.accumulate_grad_batches
        return self.gan is None and parts == 1 and self.trainer.strategy != "fsdp"

    @model_validator(mode="after")
    def _objective_is_measured(self) -> "Config":
        try:
            Objective(self.sweep.objective).check(self.benchmark)
        except ValueError as error:
            raise InvalidValueError("sweep.objective", str(error)) from error
        return self

    @model_validator(mode="after")
    def _batch_has_equal_parts(self) -> "Config":
        """The mean over the parts is then the mean over the batch."""
        trainer, size = self.trainer, self.datamodule.batch_size
        if size % (trainer.world_size * trainer.accumulate_grad_batches) != 0:
            raise InvalidValueError(
                "datamodule.batch_size",
                f"{size} samples in all cannot be split into equal parts by"
                f" {trainer.world_size} processes (trainer.devices times trainer.num_nodes) in"
                f" {trainer.accumulate_grad_batches} parts each (trainer.accumulate_grad_batches)",
            )
        return self

    @model_validator(mode="after")
    def _strategy_can_train(self) -> "Config":
        trainer = self.trainer
        if self.gan is not None and trainer.accumulate_grad_batches > 1:
            raise InvalidValueError(
                "trainer.accumulate_grad_batches",
                f"{trainer.accumulate_grad_batches} is not for training against a gan; take 1",
            )
        return self

    @model_validator(mode="after")
    def _fsdp_can_train(self) -> "Config":
        trainer = self.trainer
        needs = {
            "more than one process": trainer.world_size > 1,
            "no gan": self.gan is None,
            "trainer.ema_decay=0": trainer.ema_decay == 0,
            "trainer.precision auto, 32-true or bf16-mixed": trainer.precision
            in ("auto", "32-true", "bf16-mixed"),
            "an optimizer that needs no whole weights, as Muon does": not self.optimizer[
                "_target_"
            ].endswith(".Muon"),
        }
        missing = [need for need, is_met in needs.items() if not is_met]
        if trainer.strategy == "fsdp" and missing:
            raise InvalidValueError(
                "trainer.strategy", f"fsdp is for {', and for '.join(missing)}; take ddp"
            )
        return self

    def training_values(self) -> dict[str, Any]:
        """Return the values of :data:`TRAINING_KEYS`, by key."""
        return {key: select(self.model_dump(), key) for key in TRAINING_KEYS}


TRAINING_KEYS = (
    "seed",
    "scale",
    "model.network",
    "loss",
    "gan",
    "optimizer",
    "scheduler",
    "clipping",
    "degradation",
    "datamodule",
    "data.weight_by",
    "prepare.bad_images",  # decides about pictures smaller than a crop
    "trainer",
)
"""What a trained model depends on, beside data, code, `extend` and the content of `init_from`."""


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a model was trained: the training keys that are not about network or data.

    Args:
        config: composed, maybe by an older version.
    """
    keys = [key for key in TRAINING_KEYS if "." not in key and key != "scale"]
    keys.insert(1, "init_from")
    return {key: config[key] for key in keys if key in config}


def select(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 (any value)
    """Return the value of a dotted key, such as ``model.network``."""
    value: Any = config
    for name in key.split("."):
        value = value[name]
    return value
