"""The attributes of a DICOM file that depend on the size of its pixels, for another size.

The attributes are those of the DICOM standard, PS3.3: C.7.6.2 (image plane), C.7.6.11 and C.8.7.3
(shutters and collimators), C.7.6.16.2.1 (functional groups), C.8.5.5 (ultrasound regions), C.9.2
(overlays).
"""

from collections.abc import Iterable

import numpy as np
from pydicom import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.valuerep import DSfloat

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")

# Each is a number of a pixel, counted from one.
_COLUMNS = tuple(
    f"{what}{side}VerticalEdge" for what in ("Shutter", "Collimator") for side in ("Left", "Right")
)
_ROWS = tuple(
    f"{what}{side}HorizontalEdge"
    for what in ("Shutter", "Collimator")
    for side in ("Upper", "Lower")
)
_PLACES = tuple(  # row, column, row, column ...
    f"{shape}{what}"
    for what in ("Shutter", "Collimator")
    for shape in ("CenterOfCircular", "VerticesOfThePolygonal")
)
_RADII = ("RadiusOfCircularShutter", "RadiusOfCircularCollimator")

# Attributes of an ultrasound region, where pixels are counted from zero.
_REGION_COLUMNS = ("RegionLocationMinX0", "RegionLocationMaxX1", "ReferencePixelX0")
_REGION_ROWS = ("RegionLocationMinY0", "RegionLocationMaxY1", "ReferencePixelY0")

_OVERLAYS = range(0x6000, 0x6020, 2)
_OVERLAY_ROWS, _OVERLAY_COLUMNS, _OVERLAY_ORIGIN, _OVERLAY_DATA = 0x10, 0x11, 0x50, 0x3000


def rescale(dataset: Dataset, x: float, y: float) -> None:
    """Change a dataset to describe a picture ``x`` times as wide and ``y`` times as high.

    The corners of the picture stay where they are, and so the centre of the first pixel moves.
    """
    common = [dataset, *(dataset.get("SharedFunctionalGroupsSequence") or [])]
    groups = [*common, *(dataset.get("PerFrameFunctionalGroupsSequence") or [])]
    # Positions are moved first, because that needs the old spacings.
    for group in groups:
        _move_position(group, common, x, y)
    for group in groups:
        for item in (group, *(group.get("PixelMeasuresSequence") or [])):
            _divide_spacings(item, x, y)
    for region in dataset.get("SequenceOfUltrasoundRegions") or []:
        _scale_region(region, x, y)
    _scale_shutters(dataset, x, y)
    for overlay in _OVERLAYS:
        if (overlay, _OVERLAY_DATA) in dataset:
            _scale_overlay(dataset, overlay, x, y)


def _divide_spacings(item: Dataset, x: float, y: float) -> None:
    for name in _SPACINGS:
        if item.get(name):
            down, across = item[name].value
            item[name].value = decimals((float(down) / y, float(across) / x))


def _move_position(group: Dataset, common: list[Dataset], x: float, y: float) -> None:
    """Move the position to the centre of the new first pixel.

    Attributes that a frame does not have are looked up in ``common``.
    """
    position = _with_value("ImagePositionPatient", "PlanePositionSequence", [group])
    orientation = _with_value(
        "ImageOrientationPatient", "PlaneOrientationSequence", [group, *common]
    )
    spacing = _with_value("PixelSpacing", "PixelMeasuresSequence", [group, *common])
    if position is None or orientation is None or spacing is None:
        return
    along_row, along_column = np.split(np.array(orientation.ImageOrientationPatient, float), 2)
    down, across = map(float, spacing.PixelSpacing)
    moved = (
        np.array(position.ImagePositionPatient, float)
        + along_row * across * (1 / x - 1) / 2
        + along_column * down * (1 / y - 1) / 2
    )
    position.ImagePositionPatient = decimals(moved)


def _with_value(name: str, sequence: str, groups: list[Dataset]) -> Dataset | None:
    """Return the first dataset with a value, among groups and the items of their sequences."""
    for group in groups:
        items: list[Dataset] = [group, *(group.get(sequence) or [])]
        for item in items:
            if item.get(name):
                return item
    return None


def _scale_region(region: Dataset, x: float, y: float) -> None:
    for names, growth in ((_REGION_COLUMNS, x), (_REGION_ROWS, y)):
        for name in names:
            if name in region:
                region[name].value = round((region[name].value + 0.5) * growth - 0.5)
    for name, growth in (("PhysicalDeltaX", x), ("PhysicalDeltaY", y)):
        if name in region:
            region[name].value /= growth


def _scale_shutters(dataset: Dataset, x: float, y: float) -> None:
    for names, growths in ((_COLUMNS, (x,)), (_ROWS, (y,)), (_PLACES, (y, x))):
        for name in names:
            if name in dataset and dataset[name].value is not None:
                before = np.atleast_1d(np.array(dataset[name].value, float))
                growth = np.resize(growths, before.shape)
                now = [int(place) for place in ((before - 0.5) * growth + 0.5).round()]
                dataset[name].value = now if len(now) > 1 else now[0]
    for name in _RADII:
        if name in dataset and dataset[name].value is not None:
            dataset[name].value = round(dataset[name].value * (x + y) / 2)


def _scale_overlay(dataset: Dataset, group: int, x: float, y: float) -> None:
    """Enlarge an overlay by repeating its pixels, which have one bit."""
    bits = dataset.overlay_array(group)  # (rows, columns) or (frames, rows, columns)
    for axis, growth, size in ((-2, y, _OVERLAY_ROWS), (-1, x, _OVERLAY_COLUMNS)):
        grown = round(bits.shape[axis] * growth)
        nearest = ((np.arange(grown) + 0.5) / growth).astype(int).clip(0, bits.shape[axis] - 1)
        bits = bits.take(nearest, axis=axis)
        dataset[group, size].value = grown
    dataset[group, _OVERLAY_DATA].value = pack_bits(bits)
    if (group, _OVERLAY_ORIGIN) in dataset:
        row, column = dataset[group, _OVERLAY_ORIGIN].value
        origin = [round((row - 1) * y) + 1, round((column - 1) * x) + 1]
        dataset[group, _OVERLAY_ORIGIN].value = origin


def decimals(values: Iterable[float]) -> list[DSfloat]:
    """Return decimal strings of DICOM, which have up to 16 characters."""
    return [DSfloat(float(value), auto_format=True) for value in values]
