"""An interpreter for pickles of weights that runs no code from them.

A pickle is a program that can name any function of Python and call it. This module interprets the
program instruction by instruction. It builds containers, plain values and tensors, and resolves
names by the table in :mod:`drnsr.weights.pickled_names`. Steps, lengths and sizes are bounded.

``torch.load`` takes a :class:`RestrictedPickle` as its ``pickle_module``, and reads the archive
around the pickle itself.
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
    check_key,
    resolve,
)

# A checkpoint of 100 million parameters with its optimizer has 200,000.
_MAX_STEPS = 2_000_000

# Upper bound of a single value. Longer data is in storages, which are not part of the pickle.
_MAX_VALUE_BYTES = 1 << 26


class _Bounded:
    """A file that refuses to read a single value above the limit."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if size > _MAX_VALUE_BYTES:
            raise RefusedError(f"it has a single value of {size} bytes")
        return self._file.read(size)

    def readline(self) -> bytes:
        return self._file.readline(_MAX_VALUE_BYTES)


class Unpickler:
    """Interpreter of one pickle; torch sets ``persistent_load``, which returns the storages."""

    persistent_load: Callable[[object], object]
    max_elements: int = sys.maxsize

    def __init__(self, file: BinaryIO, **_: object) -> None:
        self._file = file
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, object] = {}
        self._storages: dict[str, int] = {}  # number of elements by key
        self._elements = 0  # in all storages
        self._steps = 0

    def find_class(self, module: str, name: str) -> object:
        """Return the stand-in for ``module.name``; torch resolves storage classes before this.

        Raises:
            RefusedError: if the name could act on the machine.
        """
        return resolve(module, name)

    def load(self) -> object:
        """Return the content of the pickle.

        Raises:
            RefusedError: if it has anything that weights do not need, or exceeds a limit.
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
            raise RefusedError("it appends to something that is not a list")

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for key, value in zip(values[::2], values[1::2], strict=True):
                target[check_key(key)] = value
        elif not isinstance(target, StandIn):
            raise RefusedError("it sets items of something that is not a dictionary")

    def _set_pair(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _push_dict(self, values: list[Any]) -> None:
        self._push({})
        self._set_items(values)

    def _push_set(self, _: list[Any]) -> None:
        self._push(StandIn())

    def _call(self, function: object, arguments: Sequence[object]) -> None:
        if isinstance(function, Builder):
            if arguments and isinstance(arguments[0], list | tuple):
                self._count(len(arguments[0]))  # the pairs of a dictionary
            self._push(function(arguments))
        elif isinstance(function, Name | StandIn):
            self._push(StandIn())
        else:
            raise RefusedError("it calls something that is not a function")

    def _reduce(self) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _new(self) -> None:
        del self._stack[-1]  # the keyword arguments
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
        """Set a stand-in's state; weights do not need the state of a tensor or dictionary."""
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, StandIn):
            target.state = state
        elif not isinstance(target, Tensor | dict):
            raise RefusedError("it sets the state of something that has none")

    def _persistent(self, identifier: object) -> None:
        if isinstance(identifier, tuple) and len(identifier) > 4 and identifier[0] != "module":
            _, _, key, _, elements, *_ = identifier
            if not isinstance(key, str) or not isinstance(elements, int) or elements < 0:
                raise RefusedError("it has a storage without name and size")
            self._elements += elements - self._storages.get(key, 0)
            self._storages[key] = elements
            if self._elements > self.max_elements:
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
    "DICT": lambda it, _: it._push_dict(it._pop_mark()),
    # Weights contain no sets; a whole module has one, the names of its non-persistent buffers.
    "EMPTY_SET": lambda it, _: it._push(StandIn()),
    "FROZENSET": lambda it, _: it._push_set(it._pop_mark()),
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
    """A replacement for the module `pickle`, for one file.

    Args:
        max_elements: upper bound of the elements of all storages together.
    """

    __name__ = "restricted"

    def __init__(self, max_elements: int) -> None:
        self.Unpickler = type("Unpickler", (Unpickler,), {"max_elements": max_elements})

    def load(self, file: BinaryIO, **options: object) -> object:
        """Like ``pickle.load``; torch reads the parts of old files with it."""
        return self.Unpickler(file, **options).load()
