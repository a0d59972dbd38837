"""Reads pickles of weights without running anything from them.

A pickle is a program: it names functions and classes of Python, and has them called. This reads the
program itself, instruction by instruction, and knows containers, plain values and tensors, and of
names what :mod:`drnsr.weights.pickled_names` says. Steps, lengths and sizes are bounded.

``torch.load`` takes an instance as its ``pickle_module``; the containers are read by torch.
"""

import pickle
import pickletools
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from torch import Tensor

from drnsr.weights.pickled_names import (
    Builder,
    Name,
    RefusedError,
    StandIn,
    checked_key,
    named,
)

# A checkpoint of 100 million parameters with its optimizer has 200,000.
_MAX_STEPS = 2_000_000

# Of one value: what is longer is in a storage, and no part of the pickle.
_MAX_VALUE_BYTES = 1 << 26


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
        self._numbers = 0  # in all of them
        self._steps = 0

    def find_class(self, module: str, name: str) -> object:
        """What ``module.name`` means here; torch finds storages before this is asked.

        Raises:
            RefusedError: it is something that acts on the machine.
        """
        return named(module, name)

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
                target[checked_key(key)] = value
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
        if isinstance(function, Builder):
            if arguments and isinstance(arguments[0], list | tuple):
                self._count(len(arguments[0]))  # the pairs of a dictionary
            self._push(function(arguments))
        elif isinstance(function, Name | StandIn):
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
        if isinstance(identifier, tuple) and len(identifier) > 4 and identifier[0] != "module":
            _, _, key, _, numbers, *_ = identifier
            if not isinstance(key, str) or not isinstance(numbers, int) or numbers < 0:
                raise RefusedError("it has a storage without name and size")
            self._numbers += numbers - self._storages.get(key, 0)
            self._storages[key] = numbers
            if self._numbers > self.most_numbers:
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
