"""The networks, one family a file. They know nothing of the rest of the package."""

from drnsr.networks.base import LARGEST_HYPER_PARAMETER, Descriptor, HyperParameter, Network
from drnsr.networks.dbpn import DBPN, RecurrentDBPN
from drnsr.networks.discriminator import VGGDiscriminator
from drnsr.networks.drnsr import DRNSR
from drnsr.networks.edsr import EDSR
from drnsr.networks.mdsr import MDSR
from drnsr.networks.rcan import RCAN
from drnsr.networks.rrdbnet import RRDBNet
from drnsr.networks.vdsr import VDSR
from drnsr.networks.vgg import VGG19Features

# The names that a saved model may ask for.
ARCHITECTURES: dict[str, type[Network]] = {
    network.__name__: network
    for network in (DBPN, DRNSR, EDSR, MDSR, RCAN, RRDBNet, RecurrentDBPN, VDSR)
}

__all__ = [
    "ARCHITECTURES",
    "DBPN",
    "DRNSR",
    "EDSR",
    "LARGEST_HYPER_PARAMETER",
    "MDSR",
    "RCAN",
    "VDSR",
    "Descriptor",
    "HyperParameter",
    "Network",
    "RRDBNet",
    "RecurrentDBPN",
    "VGG19Features",
    "VGGDiscriminator",
]
