"""What stands in for the module `pickle` when a file with whole modules in it is read.

Some files hold not tensors by name but the pickled network itself, class and all. Unpickling such a
thing as it is meant to be would import and call whatever the file names. Here a file gets tensors,
dictionaries and, for every other name, an inert stand-in that keeps what was stored and cannot be
called. No name of a file is ever looked up, so nothing that it names can run.

``torch.load`` takes this module as its ``pickle_module``; the containers, old and new, are read by
torch. Because torch also looks at the classes that an old file names (it compares their source
code, and can write the difference to a file), a file cannot change them either.
"""

import pickle
from typing import Any, BinaryIO

import torch
from torch import Tensor


class RefusedError(pickle.UnpicklingError):
    """A file wants something that weights do not need; the message says what."""


class _Frozen(type):
    """The type of classes whose attributes cannot be set."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise RefusedError(f"it wants to change {name!a} of {cls.__name__!a}")


class _NeverCalled(_Frozen):
    """The type of classes that stand in for others."""

    def __call__(cls, *_: object, **__: object) -> Any:  # noqa: ANN401 (it never returns)
        # The name is whatever a file says: nothing in it may reach a terminal as it is.
        raise RefusedError(f"it wants to call {cls.__name__!a}")


class StandIn(metaclass=_NeverCalled):
    """An object of a class that was not looked up; ``state`` is what it was stored with."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Items(dict[object, object], metaclass=_Frozen):
    """An OrderedDict; its attributes, such as a state dict's ``_metadata``, are left out."""

    def __setstate__(self, state: object) -> None:
        pass


class _Rebuild:
    """Makes a tensor of a part of a storage."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:  # noqa: ANN401
        tensor: Tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-untyped-call]
        return tensor


class _Unwrap:
    """Makes a tensor of a parameter."""

    __slots__ = ()

    def __call__(self, data: object, *_: object) -> object:
        return data


class _Nothing:
    """Makes nothing of what is no part of the weights."""

    __slots__ = ()

    def __call__(self, *_: object) -> None:
        pass


_KNOWN = {
    "collections.OrderedDict": _Items,
    "torch._utils._rebuild_tensor": _Rebuild(),
    "torch._utils._rebuild_tensor_v2": _Rebuild(),
    "torch._utils._rebuild_parameter": _Unwrap(),
    "torch.nn.parameter.Parameter": _Unwrap(),
    # A module's names of buffers that are not saved.
    "__builtin__.set": _Nothing(),
    "builtins.set": _Nothing(),
    # Modules that torch before 0.4 pickled have it.
    "torch.nn.backends.thnn._get_thnn_function_backend": _Nothing(),
}


class Unpickler(pickle.Unpickler):
    """Knows tensors, and nothing else that could be called."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 (as in its base)
        """What ``module.name`` means here; torch finds storages before this is asked."""
        full_name = f"{module}.{name}"
        return _KNOWN.get(full_name) or _NeverCalled(full_name, (StandIn,), {})


def load(file: BinaryIO, **options: Any) -> object:  # noqa: ANN401 (as in pickle)
    """As ``pickle.load``; torch reads the parts of a container with it."""
    return Unpickler(file, **options).load()
