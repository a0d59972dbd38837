"""XMP, the XML in which programs describe a picture."""

import re

_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")


def upright_xmp(packet: bytes) -> bytes:
    """Return a packet that states the orientation of upright pixels."""
    return _ORIENTATION.sub(rb"\g<1>1", packet)
