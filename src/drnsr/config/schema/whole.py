"""The whole configuration, and the rules about values of several sections."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from drnsr.config.errors import InvalidValueError
from drnsr.config.schema.data import Benchmark, Data, Fetch, Prepare
from drnsr.config.schema.model import GAN, Model
from drnsr.config.schema.section import Section
from drnsr.config.schema.sweep import LRFind, Sweep
from drnsr.config.schema.training import Checkpoints, DataModule, Logger, Run, Trainer
from drnsr.config.schema.training_keys import TRAINING_KEYS, select
from drnsr.config.values import Integer, Node, ProtocolChoice, StepNode, check_numbers
from drnsr.degradation.parameters import Degradation
from drnsr.evaluation.metrics import MetricError, named_metrics
from drnsr.evaluation.protocol import ProtocolError, get_protocol
from drnsr.tracking.objective import Objective


class ComposedConfig(Section):
    """Every key of the configuration, each with an allowed value.

    Attributes:
        seed: of the initial weights and the samples.
        scale: the scale at which the model is measured, and trained unless `datamodule.scales` has
            others.
        folder: the folder of the user's training pictures, for `data: folder` and `data: pairs`.
        benchmark_folder: the folder of the user's test pictures, for `benchmark: folder`.
        image: the picture of `experiment: single_image`, or the volume of `through_plane`.
        mode: the part of it that is trained on.
        fetch: downloads.
        prepare: which pictures can be used.
        init_from: a model file whose weights the training starts from; null for random ones.
        extend: a finished training to go on with: its folder in runs/, or its model file.
        protocol: how PSNR and SSIM are measured: a name, or the fields of a protocol.
        metrics: further metrics of the stage `evaluate`, names of `drnsr evaluate --metrics`.
        data: the data set to train on.
        degradation: how LR is made for training.
        benchmark: the data sets to measure on, by name.
        model: the network.
        loss: the loss between pixels.
        gan: a discriminator to train against; null for none.
        optimizer: the class of the optimizer, and its arguments.
        scheduler: the schedule of the learning rate.
        clipping: how gradients are limited; null for not at all.
        datamodule: how training samples are drawn.
        trainer: how long, on what and in which precision to train.
        checkpoints: the states from which an interrupted training goes on.
        logger: where a run is recorded.
        run: where data and outputs are.
        sweep: how the jobs of a sweep are compared.
        lr_find: the search of a learning rate.
    """

    seed: Annotated[Integer, Field(ge=0, le=2**32 - 1)]  # the range of numpy and Lightning
    scale: Integer
    folder: str | None = None
    benchmark_folder: str | None = None
    image: str | None = None
    mode: Literal["zero_shot", "half", "through_plane"]
    fetch: Fetch
    prepare: Prepare
    init_from: str | None = None
    extend: str | None = None
    protocol: ProtocolChoice
    metrics: list[str]
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
    def _bands_suit_the_rest(self) -> "Config":
        """Degradations and perceptual losses know 8-bit RGB, and a model has one kind of input."""
        pixels = self.data.pixels
        bands = [] if pixels is None else pixels.bands
        if pixels is not None and not self.degradation.is_bicubic:
            raise InvalidValueError(
                "degradation",
                f"{self.degradation.name} degrades 8-bit RGB, and data.pixels has"
                f" {', '.join(bands)}; take bicubic",
            )
        if pixels is not None and self.gan is not None:
            raise InvalidValueError("gan", "is for 8-bit RGB, and not for data.pixels; take null")
        for name, benchmark in self.benchmark.items():
            theirs = [] if benchmark.pixels is None else benchmark.pixels.bands
            if theirs != bands:
                ours, other = (", ".join(each) or "8-bit RGB" for each in (bands, theirs))
                raise InvalidValueError(
                    f"benchmark.{name}.pixels", f"{other}, but data.pixels has {ours}"
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
    def _metrics_can_be_computed(self) -> "Config":
        """By the protocol; a colleague who only looks at results may lack their packages."""
        protocol = get_protocol(self.protocol)
        try:
            for metric in named_metrics(self.metrics):
                protocol.comparing(metric.measured_on, metric.label)
        except (MetricError, ProtocolError) as error:
            raise InvalidValueError("metrics", str(error).removeprefix("metrics: ")) from error
        return self

    @model_validator(mode="after")
    def _objective_is_measured(self) -> "Config":
        try:
            measured_on = get_protocol(self.protocol).measured_on
            Objective(self.sweep.objective).check(self.benchmark, measured_on, self.metrics)
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
            "model.kernel_expansion=null": self.model.kernel_expansion is None,
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
