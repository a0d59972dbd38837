"""The networks, one family a file. They know nothing of the rest of the package."""

from drnsr.networks.base import Descriptor, HyperParameter, Network
from drnsr.networks.drnsr import DRNSR
from drnsr.networks.edsr import EDSR
from drnsr.networks.rrdbnet import RRDBNet

# The names that a saved model may ask for.
ARCHITECTURES: dict[str, type[Network]] = {
    network.__name__: network for network in (DRNSR, EDSR, RRDBNet)
}

__all__ = ["ARCHITECTURES", "DRNSR", "EDSR", "Descriptor", "HyperParameter", "Network"]
