"""Trainings that are compared: sweeps, studies and the search of a learning rate."""

from typing import Annotated

from pydantic import Field, model_validator

from drnsr.config.errors import InvalidValueError
from drnsr.config.schema.section import Section
from drnsr.config.values import Count, Float, Integer, Node


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
