"""Reads pickles of weights without running anything from them.

A pickle is a program: it names functions and classes of Python, and has them called. This reads the
program itself, instruction by instruction, and knows containers, plain values and tensors. No name
of a file is ever looked up: the few that build tensors and dictionaries stand in a table here, and
every other becomes an inert stand-in, that can be "called" and "set" and does nothing. A name of
the standard library that is not known to be harmless is refused, because weights need none.

``torch.load`` takes an instance as its ``pickle_module``; the containers are read by torch.
"""

import pickle
import pickletools
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import torch
from torch import Tensor

# A checkpoint of 100 million parameters with its optimizer has 200,000.
_MAX_STEPS = 2_000_000

# Of one value: what is longer is in a storage, and no part of the pickle.
_MAX_VALUE_BYTES = 1 << 26

# Of one call, one tensor's size, or one tuple that is a key: a long one, used again and again,
# would take its length for each instruction.
_MAX_LENGTH = 64

# Above it, the numbers that Python keeps no hash table quick for.
_MAX_KEY = 1 << 60


class RefusedError(pickle.UnpicklingError):
    """A file wants something that weights do not need; the message says what."""


class StandIn:
    """An object of a class that was not looked up; ``state`` is what it was stored with."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None


class _Name:
    """A class or function that a file names, and that is not looked up."""

    __slots__ = ("__name__",)

    def __init__(self, name: str) -> None:
        self.__name__ = name  # torch prints it for old files


class _Builder:
    """One of the functions that are called: it makes a tensor or a dictionary of what is there."""

    __slots__ = ("__name__", "_build")

    def __init__(self, build: Callable[..., object]) -> None:
        self.__name__ = build.__name__
        self._build = build

    def __call__(self, arguments: Sequence[object]) -> object:
        if len(arguments) > _MAX_LENGTH:
            raise RefusedError(f"it calls with {len(arguments)} arguments")
        return self._build(*arguments)


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:  # noqa: ANN401
    """A part of a storage."""
    if len(size) > _MAX_LENGTH or len(stride) > _MAX_LENGTH:
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
    return build(arguments) if isinstance(build, _Builder) else StandIn()


def _dictionary(*arguments: object) -> dict[object, object]:
    """An OrderedDict of pairs; a defaultdict's factory is left out."""
    made: dict[object, object] = {}
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
        for pair in arguments[0]:
            key, value = pair
            made[_checked_key(key)] = value
    return made


_BUILDERS = {
    "collections.OrderedDict": _Builder(_dictionary),
    "collections.defaultdict": _Builder(_dictionary),
    "torch._utils._rebuild_tensor": _Builder(_tensor),
    "torch._utils._rebuild_tensor_v2": _Builder(_tensor),
    "torch._utils._rebuild_parameter": _Builder(_parameter),
    "torch._utils._rebuild_parameter_with_state": _Builder(_parameter),
    "torch.nn.parameter.Parameter": _Builder(_parameter),
    "torch._tensor._rebuild_from_type_v2": _Builder(_of_subclass),
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


def _named(module: str, name: str) -> object:
    full_name = f"{module}.{name}"
    if full_name in _BUILDERS:
        return _BUILDERS[full_name]
    top = module.partition(".")[0]
    harmless = full_name in _HARMLESS or (top in _HARMLESS_MODULES and "." not in name)
    if top in _STANDARD_LIBRARY and not harmless:
        # The name is whatever a file says: nothing in it may reach a terminal as it is.
        raise RefusedError(f"it wants to call {full_name!a}")
    return _Name(full_name)


def _checked_key(key: object) -> object:
    """A dictionary's key whose hash takes no time: a tuple within tuples can take for ever."""
    parts = key if isinstance(key, tuple) else (key,)
    for part in parts[: _MAX_LENGTH + 1]:
        is_large = isinstance(part, int) and abs(part) >= _MAX_KEY
        if isinstance(part, tuple) or is_large or len(parts) > _MAX_LENGTH:
            raise RefusedError("a dictionary has a key that is no name")
    try:
        hash(key)
    except TypeError as error:
        raise RefusedError("a dictionary has a key that is no name") from error
    return key


class _Bounded:
    """A file of which no single value may be read that is larger than all of them should be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if size > _MAX_VALUE_BYTES:
            raise RefusedError(f"it has a single value of {size} bytes")
        return self._file.read(size)

    def readline(self) -> bytes:
        return self._file.readline(_MAX_VALUE_BYTES)


class Unpickler:
    """Reads one pickle; torch sets ``persistent_load``, which gives the storages."""

    persistent_load: Callable[[object], object]
    most_numbers: int = sys.maxsize

    def __init__(self, file: BinaryIO, **_: object) -> None:
        self._file = file
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, object] = {}
        self._storages: dict[str, int] = {}
        self._steps = 0

    def find_class(self, module: str, name: str) -> object:
        """What ``module.name`` means here; torch finds storages before this is asked.

        Raises:
            RefusedError: it is something that acts on the machine.
        """
        return _named(module, name)

    def load(self) -> object:
        """What the pickle holds.

        Raises:
            RefusedError: it wants something that weights do not need, or too much of it.
        """
        file: Any = _Bounded(self._file)
        for opcode, argument, _ in pickletools.genops(file):
            self._count(1)
            if opcode.name == "STOP":
                return self._stack.pop()
            if opcode.name in _VALUES:
                self._stack.append(argument)
            elif opcode.name in _INSTRUCTIONS:
                _INSTRUCTIONS[opcode.name](self, argument)
            else:
                raise RefusedError(f"it has an instruction {opcode.name}")
        raise pickle.UnpicklingError("the pickle has no end")

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MAX_STEPS:
            raise RefusedError(f"it takes more than {_MAX_STEPS} steps to read")

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:  # noqa: ANN401 (whatever is in the file)
        return self._stack.pop()

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._marked.pop()
        return values

    def _pop_or_unmark(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _tuple(self, length: int) -> None:
        values = tuple(self._stack[-length:])
        del self._stack[-length:]
        self._stack.append(values)

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, StandIn):
            raise RefusedError("it adds to something that is no list")

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for key, value in zip(values[::2], values[1::2], strict=True):
                target[_checked_key(key)] = value
        elif not isinstance(target, StandIn):
            raise RefusedError("it sets items of something that is no dictionary")

    def _set_pair(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _dictionary_of(self, values: list[Any]) -> None:
        self._push({})
        self._set_items(values)

    def _set_of(self, _: list[Any]) -> None:
        self._push(StandIn())

    def _call(self, function: object, arguments: Sequence[object]) -> None:
        if isinstance(function, _Builder):
            if arguments and isinstance(arguments[0], list | tuple):
                self._count(len(arguments[0]))  # the pairs of a dictionary
            self._push(function(arguments))
        elif isinstance(function, _Name | StandIn):
            self._push(StandIn())
        else:
            raise RefusedError("it wants to call something that is no function")

    def _reduce(self) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _new(self) -> None:
        del self._stack[-1]  # the arguments with names
        self._reduce()

    def _object(self, values: list[Any]) -> None:
        self._call(values[0], values[1:])

    def _instance(self, name: str) -> None:
        arguments = self._pop_mark()
        self._call(self.find_class(*name.split(" ", 1)), arguments)

    def _global(self) -> None:
        name, module = self._pop(), self._pop()
        self._push(self.find_class(str(module), str(name)))

    def _build(self) -> None:
        """Only stand-ins have a state: that of a tensor or a dictionary is no part of weights."""
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, StandIn):
            target.state = state
        elif not isinstance(target, Tensor | dict):
            raise RefusedError("it wants to change something that has no state")

    def _persistent(self, identifier: object) -> None:
        if isinstance(identifier, tuple) and len(identifier) > 4 and identifier[0] == "storage":
            _, _, key, _, numbers, *_ = identifier
            if not isinstance(key, str) or not isinstance(numbers, int) or numbers < 0:
                raise RefusedError("it has a storage without name and size")
            self._storages[key] = numbers
            if sum(self._storages.values()) > self.most_numbers:
                raise RefusedError("it has storages that are larger than the file")
        self._push(self.persistent_load(identifier))


_VALUES = {
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2"),
    *("LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}

_Step = Callable[[Unpickler, Any], object]

_INSTRUCTIONS: dict[str, _Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda _, __: None),
    "MARK": lambda it, _: it._mark(),
    "POP": lambda it, _: it._pop_or_unmark(),
    "POP_MARK": lambda it, _: it._pop_mark(),
    "DUP": lambda it, _: it._push(it._stack[-1]),
    "EMPTY_LIST": lambda it, _: it._push([]),
    "EMPTY_TUPLE": lambda it, _: it._push(()),
    "EMPTY_DICT": lambda it, _: it._push({}),
    "LIST": lambda it, _: it._push(it._pop_mark()),
    "TUPLE": lambda it, _: it._push(tuple(it._pop_mark())),
    "TUPLE1": lambda it, _: it._tuple(1),
    "TUPLE2": lambda it, _: it._tuple(2),
    "TUPLE3": lambda it, _: it._tuple(3),
    "DICT": lambda it, _: it._dictionary_of(it._pop_mark()),
    # Sets are no part of weights: a module's names of buffers that are not saved.
    "EMPTY_SET": lambda it, _: it._push(StandIn()),
    "FROZENSET": lambda it, _: it._set_of(it._pop_mark()),
    "ADDITEMS": lambda it, _: it._extend(it._pop_mark()),
    "APPEND": lambda it, _: it._extend([it._pop()]),
    "APPENDS": lambda it, _: it._extend(it._pop_mark()),
    "SETITEM": lambda it, _: it._set_pair(),
    "SETITEMS": lambda it, _: it._set_items(it._pop_mark()),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda it, number: it._push(it._memo[int(number)])
    ),
    **dict.fromkeys(
        ("PUT", "BINPUT", "LONG_BINPUT"),
        lambda it, number: it._memo.__setitem__(int(number), it._stack[-1]),
    ),
    "MEMOIZE": lambda it, _: it._memo.__setitem__(len(it._memo), it._stack[-1]),
    "GLOBAL": lambda it, name: it._push(it.find_class(*name.split(" ", 1))),
    "STACK_GLOBAL": lambda it, _: it._global(),
    "INST": lambda it, name: it._instance(name),
    "OBJ": lambda it, _: it._object(it._pop_mark()),
    "REDUCE": lambda it, _: it._reduce(),
    "NEWOBJ": lambda it, _: it._reduce(),
    "NEWOBJ_EX": lambda it, _: it._new(),
    "BUILD": lambda it, _: it._build(),
    "PERSID": lambda it, identifier: it._persistent(identifier),
    "BINPERSID": lambda it, _: it._persistent(it._pop()),
}


class RestrictedPickle:
    """Stands in for the module `pickle`, for one file.

    Args:
        most_numbers: how many all storages of the file can hold together.
    """

    __name__ = "restricted"

    def __init__(self, most_numbers: int) -> None:
        self.Unpickler = type("Unpickler", (Unpickler,), {"most_numbers": most_numbers})

    def load(self, file: BinaryIO, **options: object) -> object:
        """As ``pickle.load``; torch reads the parts of a container with it."""
        return self.Unpickler(file, **options).load()
