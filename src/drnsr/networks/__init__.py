"""The networks, one family per file. They import nothing from the rest of the package.

Every module of this package is imported here, so that :func:`drnsr.networks.base.register` sees its
networks; each can then be named ``drnsr.networks.NAME``, as ``_target_`` in ``conf/model`` does.
So are the modules that other installed packages name under the entry point ``drnsr.networks``.
"""

import warnings
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

from drnsr.networks.base import (
    ARCHITECTURES,
    Descriptor,
    HyperParameter,
    Network,
)
from drnsr.networks.discriminator import UNetDiscriminator, VGGDiscriminator
from drnsr.networks.st_lpips import STLPIPSFeatures
from drnsr.networks.vgg import VGG19Features

__all__ = [
    "ARCHITECTURES",
    "Descriptor",
    "HyperParameter",
    "Network",
    "STLPIPSFeatures",
    "UNetDiscriminator",
    "VGG19Features",
    "VGGDiscriminator",
]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
globals().update(ARCHITECTURES)
for _entry in entry_points(group="drnsr.networks"):
    try:
        _entry.load()
    except Exception as _error:  # the package of someone else
        warnings.warn(f"no networks from {_entry.value}: {_error!r}", stacklevel=1)
