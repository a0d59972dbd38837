"""What the names in a pickle of weights mean: a few build tensors, the others nothing.

No name of a file is ever looked up. The functions and classes that build tensors and dictionaries
stand in a table here, and every other name becomes an inert stand-in, that can be "called" and
"set" and does nothing. A name of the standard library that is not known to be harmless is refused,
because weights need none.
"""

import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# Of one call, one tensor's size, or one tuple that is a key: a long one, used again and again,
# would take its length for each instruction.
MAX_LENGTH = 64

# Above it, the numbers that Python keeps no hash table quick for.
_MAX_KEY = 1 << 60


class RefusedError(pickle.UnpicklingError):
    """A file wants something that weights do not need; the message says what."""


class StandIn:
    """An object of a class that was not looked up; ``state`` is what it was stored with."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None


class Name:
    """A class or function that a file names, and that is not looked up."""

    __slots__ = ("__name__",)

    def __init__(self, name: str) -> None:
        self.__name__ = name  # torch prints it for old files


class Builder:
    """One of the functions that are called: it makes a tensor or a dictionary of what is there."""

    __slots__ = ("__name__", "_build")

    def __init__(self, build: Callable[..., object]) -> None:
        self.__name__ = build.__name__
        self._build = build

    def __call__(self, arguments: Sequence[object]) -> object:
        """What it makes of arguments that a file gives; RefusedError for too many."""
        if len(arguments) > MAX_LENGTH:
            raise RefusedError(f"it calls with {len(arguments)} arguments")
        return self._build(*arguments)


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:  # noqa: ANN401
    """A part of a storage."""
    if len(size) > MAX_LENGTH or len(stride) > MAX_LENGTH:
        raise RefusedError("a tensor has too many dimensions")
    tensor: Tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-untyped-call]
    if tensor.numel() > storage.size():
        raise RefusedError("a tensor that is larger than what is stored of it")
    return tensor


def _parameter(data: object = None, *_: object) -> object:
    """A parameter is the tensor in it."""
    return data


def _of_subclass(build: object, _: object, arguments: Sequence[object], *__: object) -> object:
    """A tensor with attributes, or of a subclass, is the tensor."""
    return build(arguments) if isinstance(build, Builder) else StandIn()


def _dictionary(*arguments: object) -> dict[object, object]:
    """An OrderedDict of pairs; a defaultdict's factory is left out."""
    made: dict[object, object] = {}
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
        for pair in arguments[0]:
            key, value = pair
            made[checked_key(key)] = value
    return made


_BUILDERS = {
    "collections.OrderedDict": Builder(_dictionary),
    "collections.defaultdict": Builder(_dictionary),
    "torch._utils._rebuild_tensor": Builder(_tensor),
    "torch._utils._rebuild_tensor_v2": Builder(_tensor),
    "torch._utils._rebuild_parameter": Builder(_parameter),
    "torch._utils._rebuild_parameter_with_state": Builder(_parameter),
    "torch.nn.parameter.Parameter": Builder(_parameter),
    "torch._tensor._rebuild_from_type_v2": Builder(_of_subclass),
}

# Python 2 had some modules under other names.
_STANDARD_LIBRARY = sys.stdlib_module_names | {"__builtin__", "commands", "copy_reg", "distutils"}

# What a training program keeps beside its weights: settings, paths, dates, random states.
_HARMLESS_MODULES = {
    "_codecs",
    "argparse",
    "datetime",
    "decimal",
    "fractions",
    "itertools",
    "pathlib",
    "uuid",
}
_HARMLESS = {
    *(f"collections.{name}" for name in ("ChainMap", "Counter", "UserDict", "deque")),
    *(f"{module}._reconstructor" for module in ("copyreg", "copy_reg")),
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in (
            *(
                "bool",
                "bytearray",
                "bytes",
                "complex",
                "dict",
                "float",
                "frozenset",
                "getattr",
                "int",
            ),
            *("list", "long", "object", "range", "set", "slice", "str", "tuple", "unicode"),
        )
    ),
    *("enum.Enum", "functools.partial", "random.Random", "types.SimpleNamespace", "typing.Any"),
}


def named(module: str, name: str) -> object:
    """What ``module.name`` of a file means here.

    Raises:
        RefusedError: it is something that acts on the machine.
    """
    full_name = f"{module}.{name}"
    if full_name in _BUILDERS:
        return _BUILDERS[full_name]
    top = module.partition(".")[0]
    harmless = full_name in _HARMLESS or (top in _HARMLESS_MODULES and "." not in name)
    if top in _STANDARD_LIBRARY and not harmless:
        # The name is whatever a file says: nothing in it may reach a terminal as it is.
        raise RefusedError(f"it wants to call {full_name!a}")
    return Name(full_name)


def checked_key(key: object) -> object:
    """A dictionary's key whose hash takes no time: a tuple within tuples can take for ever."""
    parts = key if isinstance(key, tuple) else (key,)
    for part in parts[: MAX_LENGTH + 1]:
        is_large = isinstance(part, int) and abs(part) >= _MAX_KEY
        if isinstance(part, tuple) or is_large or len(parts) > MAX_LENGTH:
            raise RefusedError("a dictionary has a key that is no name")
    try:
        hash(key)
    except TypeError as error:
        raise RefusedError("a dictionary has a key that is no name") from error
    return key
