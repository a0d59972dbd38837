"""The pixels of DICOM: checked before they are decoded, and decoded frame by frame."""

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset
from pydicom.config import disable_value_validation
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000TransferSyntaxes

from drnsr.images.backends.dicom_jpeg import PLUGIN, decoder_of
from drnsr.images.codec import MAX_PIXELS
from drnsr.images.errors import ImageError
from drnsr.images.picture import GRAY, RGB, Picture, Pixels, full_range

PALETTE = "PALETTE COLOR"
_GRAYS = ("MONOCHROME1", "MONOCHROME2")
# The kinds that are converted to RGB (PS3.3, C.7.6.3.1.2).
_YBR = ("YBR_FULL", "YBR_FULL_422")
_COLOURS_OF_JPEG_2000 = ("YBR_RCT", "YBR_ICT")
_ITEM_HEADER = 8  # bytes before each fragment of compressed pixels; a frame has one or more


@contextmanager
def dicom_errors(what: str) -> Iterator[None]:
    """Convert the errors of pydicom to one line, and silence its warnings.

    Raises:
        ImageError: in place of any of its errors.
    """
    log = logging.getLogger("pydicom")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except (
        *(ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, EOFError),
        *(InvalidDicomError, BytesLengthException, struct.error, zlib.error),
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{what} ({text})") from error
    finally:
        log.setLevel(level)


def check_pixels(dataset: FileDataset) -> None:
    """Check by the attributes whether the pixels can be read and upscaled.

    Raises:
        ImageError: they cannot, or the file is damaged.
    """
    if "PixelData" not in dataset:
        raise ImageError("DICOM without pixels of whole numbers")
    if dataset.BitsAllocated not in (8, 16):
        raise ImageError(
            f"DICOM with {dataset.BitsAllocated} bits a pixel, of which 8 and 16 can be upscaled"
        )
    _check_kind(dataset)
    if not 0 < dataset.Rows * dataset.Columns <= MAX_PIXELS:
        raise ImageError(
            f"{dataset.Columns} x {dataset.Rows} pixels, where 1 to {MAX_PIXELS:,} can be read"
        )
    _check_frames(dataset)


def _check_kind(dataset: FileDataset) -> None:
    """Check that the pixels are gray, or can be converted to RGB."""
    kind, syntax = dataset.PhotometricInterpretation, dataset.file_meta.TransferSyntaxUID
    colours = _COLOURS_OF_JPEG_2000 if syntax in JPEG2000TransferSyntaxes else ()
    if kind in _GRAYS or (kind == PALETTE and syntax.is_little_endian):
        samples = 1
    elif kind == "RGB" or kind in colours or (kind in _YBR and dataset.BitsAllocated == 8):
        samples = 3
    else:
        raise ImageError(
            f"DICOM of kind {kind} with {dataset.BitsAllocated} bits, compressed as {syntax.name},"
            " which cannot be converted to RGB"
        )
    if dataset.SamplesPerPixel != samples:
        raise ImageError(f"damaged ({dataset.SamplesPerPixel} values a pixel of kind {kind})")
    if samples == 3 and dataset.PixelRepresentation:
        raise ImageError("DICOM with colours below zero, which cannot be upscaled")
    if frame_count(dataset) > 1 and "TotalPixelMatrixColumns" in dataset:
        raise ImageError("the tiles of a slide, whose borders would show: convert it to one image")


def _check_frames(dataset: FileDataset) -> None:
    """Check that the file has as many pixels as its header states."""
    frames, stored = frame_count(dataset), len(dataset.PixelData)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        needed = frames * _ITEM_HEADER
    else:
        # Two pixels of YBR_FULL_422 share their chroma.
        shared = dataset.PhotometricInterpretation == "YBR_FULL_422"
        values = dataset.Rows * dataset.Columns * (2 if shared else dataset.SamplesPerPixel)
        needed = frames * values * dataset.BitsAllocated // 8
    if not frames > 0 or needed > stored:
        raise ImageError(f"damaged or truncated ({frames:,} frames in {stored:,} bytes of pixels)")


def decoded_frames(dataset: FileDataset) -> list[Picture]:
    """Return the frames, checked by :func:`check_pixels`, gray or RGB.

    Raises:
        ImageError: they are compressed in a way that cannot be decoded here.
    """
    stored = np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}")
    padding = _padding(dataset, stored)
    what, plugin = _checked_coding(dataset.file_meta.TransferSyntaxUID)
    has_palette = dataset.PhotometricInterpretation == PALETTE
    dtype = _through_palette(np.zeros((1, 1), stored), dataset).dtype if has_palette else stored

    @lru_cache(maxsize=1)
    def decoded(number: int) -> Pixels:
        with dicom_errors(what):
            # It converts YBR to RGB.
            pixels: Pixels = pixel_array(dataset, index=number, decoding_plugin=plugin)
            pixels = pixels.astype(stored)
            if has_palette:
                return _through_palette(pixels, dataset)
        if padding is not None:
            pixels[(pixels >= min(padding)) & (pixels <= max(padding))] = padding[0]
        return pixels if pixels.ndim == 3 else pixels[:, :, None]

    def rows(number: int, top: int, bottom: int) -> Pixels:
        return decoded(number)[top:bottom]

    return [
        Picture(
            height=dataset.Rows,
            width=dataset.Columns,
            dtype=dtype,
            channels=RGB if has_palette or dataset.SamplesPerPixel == 3 else GRAY,
            value_range=full_range(dtype),
            rows=partial(rows, number),
            nodata=None if padding is None else float(padding[0]),
        )
        for number in range(frame_count(dataset))
    ]


def _through_palette(pixels: Pixels, dataset: Dataset) -> Pixels:
    """Return the RGB (H, W, 3), of 8 or 16 bits, of stored values (H, W).

    Raises:
        ImageError: the palette has opacity, or more entries than pydicom can look up.
        ValueError: it is damaged.
    """
    entries, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    entries = entries or 1 << 16
    colours: Pixels = apply_color_lut(pixels[:1, :1], dataset)
    if colours.shape[2] != 3 or entries - 1 > np.iinfo(colours.dtype).max:
        raise ImageError("DICOM with a palette of more than 256 colours of 8 bits, or of opacity")
    # Values outside of the palette have the colour at its end.
    inside = pixels.astype(np.int32).clip(first, first + entries - 1)
    return apply_color_lut(inside, dataset)


def _checked_coding(syntax: UID) -> tuple[str, str]:
    """Return the message for a frame that cannot be decoded, and the name of a decoder or "".

    Raises:
        ImageError: the packages that decode this transfer syntax are not installed.
    """
    decoder = decoder_of(syntax)
    if not decoder.is_available:
        needed = [each.partition("requires ")[2] for each in decoder.missing_dependencies]
        raise ImageError(f"compressed as {syntax.name}: pydicom needs {', or '.join(needed)}")
    if not syntax.is_encapsulated:
        return "damaged or truncated", ""
    plugin = PLUGIN if PLUGIN in decoder.available_plugins else ""
    return f"compressed as {syntax.name}, which cannot be decoded here", plugin


def frame_count(dataset: Dataset) -> int:
    """Return the number of frames that the header states."""
    return int(dataset.get("NumberOfFrames") or 1)


def _padding(dataset: Dataset, dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return the first and last value that mean no data; None if the file states none."""
    value = dataset.get("PixelPaddingValue")
    if value is None or dataset.PhotometricInterpretation not in _GRAYS:
        return None
    both = value, dataset.get("PixelPaddingRangeLimit", value)
    # Some files with signed pixels state it as an unsigned number.
    first, last = np.array(both).astype(dtype).tolist()
    return first, last
