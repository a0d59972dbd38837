"""Checkpoints of other programs, one file per architecture, with the layouts of all programs.

A layout is the names that a program gives the tensors of a network. To add one for an architecture,
add it to ``LAYOUTS`` in its file; a new architecture is a new file, and its name here.
"""

from drnsr.weights.foreign import dbpn, edsr, mdsr, rcan, rrdbnet, vdsr
from drnsr.weights.foreign.layout import Layout

LAYOUTS: tuple[Layout, ...] = (
    *dbpn.LAYOUTS,
    *edsr.LAYOUTS,
    *mdsr.LAYOUTS,
    *rcan.LAYOUTS,
    *rrdbnet.LAYOUTS,
    *vdsr.LAYOUTS,
)
