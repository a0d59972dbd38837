"""The georeference of a GeoTIFF, which maps pixels to the ground, for a picture of another size.

The tags are those of the OGC GeoTIFF standard 1.1 (19-008r4), sections 7 and B.6.
"""

from drnsr.images.page import Metadata, TiffTag

_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION = 33550, 33922, 34264
_KEYS = 34735
_RPC = 50844
_LINE, _SAMPLE, _LINE_SCALE, _SAMPLE_SCALE = 2, 3, 7, 8  # places in the tag of RPC
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2

GEOREFERENCE = (_PIXEL_SCALE, _TIEPOINTS, _TRANSFORMATION, _RPC)
"""The tags that change with the picture's size."""

FIXED_GEO_TAGS = (_KEYS, 34736, 34737, 42112, 42113)
"""The tags that do not: the coordinate system, and GDAL's metadata and nodata."""


def upscaled_georeference(metadata: Metadata, x: float, y: float) -> list[TiffTag]:
    """Return the georeference of a picture ``x`` times as wide and ``y`` times as high.

    The corners of the picture stay where they are. If the file locates the centres of pixels
    ("pixel is point"), the first centre moves.
    """
    points = _locates_centres(metadata)
    # A raster position becomes `position * growth + shift`.
    shift = [(growth - 1) / 2 if points else 0.0 for growth in (x, y)]
    scaled: list[TiffTag] = []
    for code, kind, count, value, once in metadata.georeference:
        numbers = [float(number) for number in value]  # type: ignore[attr-defined]
        if code == _PIXEL_SCALE:
            numbers[0], numbers[1] = numbers[0] / x, numbers[1] / y
        elif code == _TIEPOINTS:
            for start in range(0, len(numbers), 6):
                numbers[start] = numbers[start] * x + shift[0]
                numbers[start + 1] = numbers[start + 1] * y + shift[1]
        elif code == _RPC:
            numbers = _scaled_rpc(numbers, x, y)
        else:
            numbers = _scaled_transformation(numbers, (x, y), shift)
        scaled.append((code, kind, count, tuple(numbers), once))
    return scaled


def _scaled_rpc(numbers: list[float], x: float, y: float) -> list[float]:
    """Scale rational polynomials; pixel centres are whole numbers (RPCs in GeoTIFF)."""
    scaled = list(numbers)
    for place, scale, growth in ((_LINE, _LINE_SCALE, y), (_SAMPLE, _SAMPLE_SCALE, x)):
        scaled[place] = (numbers[place] + 0.5) * growth - 0.5
        scaled[scale] = numbers[scale] * growth
    return scaled


def _scaled_transformation(
    matrix: list[float], growth: tuple[float, float], shift: list[float]
) -> list[float]:
    """Scale the 4 x 4 matrix, row by row, from raster positions to the ground."""
    scaled = list(matrix)
    for row in range(0, 12, 4):
        for column in (0, 1):
            scaled[row + column] = matrix[row + column] / growth[column]
            scaled[row + 3] -= scaled[row + column] * shift[column]
    return scaled


def _locates_centres(metadata: Metadata) -> bool:
    for code, _, _, value, _ in metadata.tiff_tags:
        if code == _KEYS:
            keys = list(value)  # type: ignore[call-overload]
            # After a header of four, each key is (number, where, count, value).
            for start in range(4, len(keys) - 3, 4):
                if keys[start] == _RASTER_TYPE:
                    return bool(keys[start + 3] == _PIXEL_IS_POINT)
    return False
