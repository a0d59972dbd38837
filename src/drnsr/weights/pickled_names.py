"""The stand-ins for the functions and classes that a pickle of weights names.

No name of a file is ever imported. A table has the functions and classes that build tensors and
dictionaries. Any other name becomes an inert stand-in, which can be called and have its state set
without effect. Names of the standard library are refused, except those known to be harmless.
"""

import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# Upper bound of a call's arguments, a tensor's dimensions, and a tuple used as a key. A long tuple
# that many instructions use would take its length in time for each of them.
MAX_LENGTH = 64

# Upper bound of an integer key: larger ones can be chosen to have equal hashes.
_MAX_KEY = 1 << 60


class RefusedError(pickle.UnpicklingError):
    """A file has something that weights do not need; the message says what."""


class StandIn:
    """An object of a class that was not imported; ``state`` is its pickled state."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None


class Name:
    """A class or function that a file names, and that was not imported."""

    __slots__ = ("__name__",)

    def __init__(self, name: str) -> None:
        self.__name__ = name  # torch prints it for old files


class Builder:
    """A function that may be called; it builds a tensor or a dictionary."""

    __slots__ = ("__name__", "_build")

    def __init__(self, build: Callable[..., object]) -> None:
        self.__name__ = build.__name__
        self._build = build

    def __call__(self, arguments: Sequence[object]) -> object:
        """Call it with the arguments of a file; RefusedError if there are too many."""
        if len(arguments) > MAX_LENGTH:
            raise RefusedError(f"it calls a function with {len(arguments)} arguments")
        return self._build(*arguments)


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:  # noqa: ANN401
    """Return a view of a storage."""
    if len(size) > MAX_LENGTH or len(stride) > MAX_LENGTH:
        raise RefusedError("a tensor has too many dimensions")
    tensor: Tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-untyped-call]
    if tensor.numel() > storage.size():
        raise RefusedError("a tensor is larger than its storage")
    return tensor


def _parameter(data: object = None, *_: object) -> object:
    """Return the tensor of a parameter."""
    return data


def _tensor_subclass(build: object, _: object, arguments: Sequence[object], *__: object) -> object:
    """Return the plain tensor for one with attributes or of a subclass."""
    return build(arguments) if isinstance(build, Builder) else StandIn()


def _dictionary(*arguments: object) -> dict[object, object]:
    """Return a dictionary for an OrderedDict of pairs; the factory of a defaultdict is ignored."""
    dictionary: dict[object, object] = {}
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
        for pair in arguments[0]:
            key, value = pair
            dictionary[check_key(key)] = value
    return dictionary


_BUILDERS = {
    "collections.OrderedDict": Builder(_dictionary),
    "collections.defaultdict": Builder(_dictionary),
    "torch._utils._rebuild_tensor": Builder(_tensor),
    "torch._utils._rebuild_tensor_v2": Builder(_tensor),
    "torch._utils._rebuild_parameter": Builder(_parameter),
    "torch._utils._rebuild_parameter_with_state": Builder(_parameter),
    "torch.nn.parameter.Parameter": Builder(_parameter),
    "torch._tensor._rebuild_from_type_v2": Builder(_tensor_subclass),
}

# Python 2 had some modules under other names.
_STANDARD_LIBRARY = sys.stdlib_module_names | {"__builtin__", "commands", "copy_reg", "distutils"}

# Training programs store settings, paths, dates and random states beside the weights.
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


def resolve(module: str, name: str) -> object:
    """Return the stand-in for ``module.name`` of a file.

    Raises:
        RefusedError: if the name could act on the machine.
    """
    full_name = f"{module}.{name}"
    if full_name in _BUILDERS:
        return _BUILDERS[full_name]
    top = module.partition(".")[0]
    harmless = full_name in _HARMLESS or (top in _HARMLESS_MODULES and "." not in name)
    if top in _STANDARD_LIBRARY and not harmless:
        # Escaped, because the file could put control sequences of a terminal into the name.
        raise RefusedError(f"it calls {full_name!a}")
    return Name(full_name)


def check_key(key: object) -> object:
    """Return a dictionary's key, if it is quick to hash: nested tuples can take forever."""
    parts = key if isinstance(key, tuple) else (key,)
    for part in parts[: MAX_LENGTH + 1]:
        is_large = isinstance(part, int) and abs(part) >= _MAX_KEY
        if isinstance(part, tuple) or is_large or len(parts) > MAX_LENGTH:
            raise RefusedError("a dictionary has a key that is not a name")
    try:
        hash(key)
    except TypeError as error:
        raise RefusedError("a dictionary has a key that is not a name") from error
    return key
