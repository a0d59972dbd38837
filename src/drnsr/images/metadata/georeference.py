"""What ties the pixels of a GeoTIFF to the ground, for a picture of another size.

The tags are those of the OGC GeoTIFF standard 1.1 (19-008r4), sections 7 and B.6.
"""

from drnsr.images.file import Metadata, TiffTag

_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION = 33550, 33922, 34264
_KEYS = 34735
_RPC = 50844
_LINE, _SAMPLE, _LINE_SCALE, _SAMPLE_SCALE = 2, 3, 7, 8  # places in the tag of RPC
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2

GEOREFERENCE = (_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION, _RPC)
"""The tags that change with the picture's size."""

KEPT_GEO_TAGS = (_KEYS, 34736, 34737, 42112, 42113)
"""Those that do not: the coordinate system, and GDAL's metadata and nodata."""


def grown_georeference(metadata: Metadata, x: float, y: float) -> list[TiffTag]:
    """The georeference of a picture that was made ``x`` times as wide and ``y`` times as high.

    The corners stay where they are. Where a file ties the centres of pixels ("pixel is point"),
    these move within the pixels that there were before.
    """
    points = _ties_centres(metadata)
    # A raster position of before is `before * growth + shift` now.
    shift = [(growth - 1) / 2 if points else 0.0 for growth in (x, y)]
    grown: list[TiffTag] = []
    for code, kind, count, value, once in metadata.georeference:
        numbers = [float(number) for number in value]  # type: ignore[attr-defined]
        if code == _PIXEL_SCALE:
            numbers[0], numbers[1] = numbers[0] / x, numbers[1] / y
        elif code == _TIEPOINTS:
            for start in range(0, len(numbers), 6):
                numbers[start] = numbers[start] * x + shift[0]
                numbers[start + 1] = numbers[start + 1] * y + shift[1]
        elif code == _RPC:
            numbers = _grown_rpc(numbers, x, y)
        else:
            numbers = _grown_transformation(numbers, (x, y), shift)
        grown.append((code, kind, count, tuple(numbers), once))
    return grown


def _grown_rpc(numbers: list[float], x: float, y: float) -> list[float]:
    """Rational polynomials (RPCs in GeoTIFF, Mobile Mapping): the middle of a pixel is whole."""
    grown = list(numbers)
    for place, scale, growth in ((_LINE, _LINE_SCALE, y), (_SAMPLE, _SAMPLE_SCALE, x)):
        grown[place] = (numbers[place] + 0.5) * growth - 0.5
        grown[scale] = numbers[scale] * growth
    return grown


def _grown_transformation(
    matrix: list[float], growth: tuple[float, float], shift: list[float]
) -> list[float]:
    """The 4 x 4 matrix, row by row, from raster positions to the ground."""
    grown = list(matrix)
    for row in range(0, 12, 4):
        for column in (0, 1):
            grown[row + column] = matrix[row + column] / growth[column]
            grown[row + 3] -= grown[row + column] * shift[column]
    return grown


def _ties_centres(metadata: Metadata) -> bool:
    for code, _, _, value, _ in metadata.tiff_tags:
        if code == _KEYS:
            keys = list(value)  # type: ignore[call-overload]
            # After a header of four, each key is (number, where, count, value).
            for start in range(4, len(keys) - 3, 4):
                if keys[start] == _RASTER_TYPE:
                    return bool(keys[start + 3] == _PIXEL_IS_POINT)
    return False
