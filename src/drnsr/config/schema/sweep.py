"""Trainings that are compared: sweeps, studies and the search of a learning rate."""

from typing import Annotated

from pydantic import Field, model_validator

from drnsr.config.errors import InvalidValueError
from drnsr.config.schema.section import Section
from drnsr.config.values import Count, Float, Integer, Node


class Parameter(Section):
    """The values that a study may choose: a range with its ends, or a list.

    Attributes:
        low: the smallest value.
        high: the largest value.
        step: the distance between two values; null for any value between the ends.
        log: whether values are drawn evenly on a logarithmic scale.
        choices: the list, instead of a range.
    """

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
    """A study by Optuna: see :mod:`pipelines.sweep`.

    Attributes:
        name: its name in the storage; the same name goes on with the study.
        storage: the URL of SQLite or PostgreSQL.
        trials: the number of trainings, those of earlier calls included.
        sampler: the class of Optuna that chooses values, and its arguments.
        pruner: the class of Optuna that ends poor trials, and its arguments.
        search: the values of each key, by its dotted name.
    """

    name: str
    storage: str
    trials: Count
    sampler: Node
    pruner: Node
    search: dict[str, Parameter]


class Sweep(Section):
    """What the jobs of a sweep are compared by, and what happens to those that failed before.

    Attributes:
        objective: psnr, ssim or one of `metrics`, the mean over the benchmarks; set5/psnr, that of
            one benchmark; or val_psnr, the last validation.
        retry_failed: whether jobs that failed before are tried again.
        study: a study by Optuna, for :mod:`pipelines.sweep`.
    """

    objective: str
    retry_failed: bool
    study: Study | None = None


class LRFind(Section):
    """The rates that ``python -m pipelines.lr_find`` tries, as Lightning's Tuner takes them.

    Attributes:
        min_lr: the first learning rate.
        max_lr: the last one.
        num_training: the number of rates, and of steps.
    """

    min_lr: Annotated[Float, Field(gt=0)]
    max_lr: Annotated[Float, Field(gt=0)]
    num_training: Annotated[Integer, Field(ge=20)]  # the suggestion leaves out the first ten

    @model_validator(mode="after")
    def _rates_ascend(self) -> "LRFind":
        if self.max_lr <= self.min_lr:
            raise InvalidValueError("max_lr", f"{self.max_lr} is not more than {self.min_lr}")
        return self
