"""The kinds of values in the schema: numbers, lists of scales, and nodes to instantiate."""

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from drnsr.config.errors import InvalidValueError
from drnsr.evaluation.protocol import get_protocol

_LARGEST = 2**63 - 1  # what torch, numpy and safetensors can count to


def _leaves(node: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value below a node with its dotted key."""
    if isinstance(node, dict | list):
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def _no_bool(value: object) -> object:
    """Refuse true and false, which Python counts among the numbers."""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")
    return value


def _has_target(node: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(node.get("_target_"), str):
        raise ValueError("expected _target_, the class or function to call")
    return node


def _has_no_negative_number(node: dict[str, Any]) -> dict[str, Any]:
    """Refuse negative rates, factors and numbers of steps.

    torch accepts some of them, and then climbs the loss.
    """
    for key, value in _leaves(node):
        name = key.rpartition(".")[2]
        if name != "last_epoch" and isinstance(value, int | float) and value < 0:
            raise InvalidValueError(key, f"{value} is not 0 or more")
    return node


def _are_scales(scales: list[int]) -> list[int]:
    if not scales or len(set(scales)) < len(scales) or min(scales) < 2:
        raise ValueError(f"{scales} is not different whole numbers from 2")
    return scales


def _is_a_protocol(choice: object) -> object:
    get_protocol(choice)  # raises ProtocolError, whose message names the field
    return choice


def check_numbers(config: object) -> None:
    """Refuse numbers that no key can have.

    Raises:
        InvalidValueError: if a number is NaN or infinite, or does not fit in 64 bits.
    """
    for key, value in _leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidValueError(key, f"{value} is not a finite number")
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise InvalidValueError(key, "the number does not fit in 64 bits")


Integer = Annotated[int, BeforeValidator(_no_bool)]
Count = Annotated[Integer, Field(ge=1, le=_LARGEST)]
Float = Annotated[float, BeforeValidator(_no_bool)]
NonNegative = Annotated[Float, Field(ge=0)]
Scales = Annotated[list[Integer], AfterValidator(_are_scales)]

Node = Annotated[dict[str, Any], AfterValidator(_has_target)]
"""What Hydra instantiates: ``_target_``, a class or function, and the arguments of its call."""
StepNode = Annotated[Node, AfterValidator(_has_no_negative_number)]
"""A node that decides how far a training step goes."""

ProtocolChoice = Annotated[str | dict[str, Any], PlainValidator(_is_a_protocol)]
"""The name of a protocol, or the fields of one of the user's own."""
