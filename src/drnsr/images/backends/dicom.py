"""DICOM, the format of medical imaging: grayscale frames with all their attributes."""

import copy
import hashlib
import logging
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BufferedRandom
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from drnsr.images.codec import MAX_PIXELS
from drnsr.images.errors import FormatError, ImageError
from drnsr.images.page import Metadata, Page, Resolution, UpscaledPage
from drnsr.images.picture import GRAY, Picture, Pixels, full_range

try:
    from pydicom import Dataset, FileDataset, dcmread, dcmwrite
    from pydicom.config import disable_value_validation
    from pydicom.errors import BytesLengthException, InvalidDicomError
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array
    from pydicom.sr.codedict import codes
    from pydicom.uid import (
        UID,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        generate_uid,
    )

    from drnsr.images.metadata.dicom_geometry import rescale
except ModuleNotFoundError as error:
    raise ImageError("DICOM needs pydicom: pip install 'drnsr[medical]'") from error

_PIXEL_DATA = 0x7FE00010
_LARGEST_SIDE, _LARGEST_SIZE = 0xFFFF, 0xFFFF_FFFE  # in pixels; in bytes, of all frames
_LONGEST_TEXT = 1024  # characters of a Short Text (ST)
_WORDS = {"OW": "u2", "OL": "u4", "OF": "u4", "OD": "u8", "OV": "u8"}
_MAKER = "drnsr"
_ITEM_HEADER = 8  # bytes before each fragment of compressed pixels; a frame has one or more


def read_frames(path: Path) -> list[Page]:
    """Return the frames with their stored values; each is decoded when its rows are read.

    Args:
        path: the file.

    Raises:
        ImageError: it is damaged, or its pixels cannot be decoded or upscaled.
    """
    with _errors("damaged, or no DICOM that can be read"):
        dataset = _read(path)
        _check(dataset)
        frames = _frames(dataset)
        metadata = _metadata(dataset)
    return [Page(frame, metadata) for frame in frames]


def frame_pixels(path: Path) -> int:
    """Return the number of pixels of all frames.

    Raises:
        ImageError: it is damaged.
    """
    with _errors("damaged, or no DICOM that can be read"):
        names: list[Any] = ["Rows", "Columns", "NumberOfFrames"]
        header = _read(path, names)
        # A file with fewer bytes is damaged.
        frames = min(_frame_count(header), path.stat().st_size)
        return int(header.Rows * header.Columns * frames)


def stored_text(path: Path) -> str | None:
    """Return the provenance that :func:`write_frames` wrote; None for a file of another program.

    Raises:
        ImageError: it is damaged.
    """
    with _errors("damaged, or no DICOM that can be read"):
        names: list[Any] = ["ContributingEquipmentSequence"]
        header = _read(path, names)
        for item in reversed(header.get(names[0]) or []):
            if item.get("Manufacturer") == _MAKER:
                return str(item.ContributionDescription)
    return None


def _read(path: Path, names: list[Any] | None = None) -> FileDataset:
    """Read a file, or some attributes of it; a file without meta information is completed."""
    dataset = dcmread(path, force=True, stop_before_pixels=names is not None, specific_tags=names)
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    return dataset


@contextmanager
def _errors(what: str) -> Iterator[None]:
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


def _check(dataset: FileDataset) -> None:
    if "PixelData" not in dataset:
        raise ImageError("DICOM without pixels of whole numbers")
    if dataset.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise ImageError(
            f"DICOM of kind {dataset.PhotometricInterpretation}: only MONOCHROME1 and MONOCHROME2"
            " can be upscaled, no colour"
        )
    if dataset.BitsAllocated not in (8, 16):
        raise ImageError(
            f"DICOM with {dataset.BitsAllocated} bits a pixel, of which 8 and 16 can be upscaled"
        )
    if not 0 < dataset.Rows * dataset.Columns <= MAX_PIXELS:
        raise ImageError(
            f"{dataset.Columns} x {dataset.Rows} pixels, where 1 to {MAX_PIXELS:,} can be read"
        )
    _check_frames(dataset)


def _check_frames(dataset: FileDataset) -> None:
    """Check that the file has as many pixels as its header states."""
    frames, stored = _frame_count(dataset), len(dataset.PixelData)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        needed = frames * _ITEM_HEADER
    else:
        needed = frames * dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    if not frames > 0 or needed > stored:
        raise ImageError(f"damaged or truncated ({frames:,} frames in {stored:,} bytes of pixels)")


def _frames(dataset: FileDataset) -> list[Picture]:
    dtype = _dtype(dataset)
    padding = _padding(dataset)
    what = _checked_coding(dataset.file_meta.TransferSyntaxUID)

    @lru_cache(maxsize=1)
    def decoded(number: int) -> Pixels:
        with _errors(what):
            pixels: Pixels = pixel_array(dataset, index=number).astype(dtype)
        if padding is not None:
            pixels[(pixels >= min(padding)) & (pixels <= max(padding))] = padding[0]
        return pixels[:, :, None]

    def rows(number: int, top: int, bottom: int) -> Pixels:
        return decoded(number)[top:bottom]

    return [
        Picture(
            height=dataset.Rows,
            width=dataset.Columns,
            dtype=dtype,
            channels=GRAY,
            value_range=full_range(dtype),
            rows=partial(rows, number),
            nodata=None if padding is None else float(padding[0]),
        )
        for number in range(_frame_count(dataset))
    ]


def _checked_coding(syntax: UID) -> str:
    """Return the message for a frame that cannot be decoded.

    Raises:
        ImageError: the packages that decode this transfer syntax are not installed.
    """
    decoder = get_decoder(syntax)
    if not decoder.is_available:
        needed = [each.partition("requires ")[2] for each in decoder.missing_dependencies]
        raise ImageError(f"compressed as {syntax.name}: pydicom needs {', or '.join(needed)}")
    compressed = f"compressed as {syntax.name}, which cannot be decoded here"
    return compressed if syntax.is_encapsulated else "damaged or truncated"


def _frame_count(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _dtype(dataset: Dataset) -> np.dtype[Any]:
    return np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}")


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    """Return the first and last value that mean no data; None if the file states none."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return None
    both = value, dataset.get("PixelPaddingRangeLimit", value)
    # Some files with signed pixels state it as an unsigned number.
    first, last = np.array(both).astype(_dtype(dataset)).tolist()
    return first, last


def _metadata(dataset: FileDataset) -> Metadata:
    resolution = None
    if spacing := dataset.get("PixelSpacing"):
        down, across = map(float, spacing)  # mm
        if down and across:
            resolution = Resolution.parse(10 / across, 10 / down, "cm")
    return Metadata(
        resolution=resolution,
        white_is_zero=dataset.PhotometricInterpretation == "MONOCHROME1",
        dicom=dataset,
    )


def check_target(pages: Sequence[UpscaledPage]) -> None:
    """Check before the work whether DICOM can hold its result.

    Raises:
        FormatError: it cannot.
    """
    first = pages[0]
    if first.source.metadata.dicom is None:
        raise FormatError("only DICOM can be written as DICOM: take another --format")
    if max(first.width, first.height) > _LARGEST_SIDE:
        raise FormatError(
            f"{first.width} x {first.height} pixels, and DICOM holds {_LARGEST_SIDE} a side: take"
            " --format tiff"
        )
    if sum(page.size for page in pages) > _LARGEST_SIZE:
        raise FormatError(
            "more than 4 GiB of pixels, which DICOM does not hold: take --format tiff"
        )


@dataclass(frozen=True)
class _Written:
    """A summary of the pixels that were written."""

    sha256: str
    least: int
    most: int


def write_frames(path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
    """Write upscaled frames with all attributes of their source, as an image derived from it.

    Pixels are written uncompressed, little endian, and clipped to the bits that are stored. Rescale
    and window stay as they are, because stored values keep their meaning. The new SOP instance UID
    is derived from the source's, the text and the pixels, so that equal work gives equal bytes.

    Args:
        path: the file.
        pages: checked by :func:`check_target`; they are upscaled while they are written.
        text: the provenance.

    Raises:
        ImageError: the source has attributes that pydicom cannot write.
    """
    source = pages[0].source.metadata.dicom
    assert source is not None
    # It is beside the file, because the frames may not fit in memory or in the system's folder.
    with (
        TemporaryFile(dir=path.parent) as file,
        # pydicom does not accept the wrapper of a temporary file on Windows.
        os.fdopen(file.fileno(), "w+b", closefd=False) as pixels,
    ):
        written = _write_pixels(pixels, pages, _limits(source))
        with _errors("its attributes cannot be written again"):
            dataset = _little_endian(copy.deepcopy(source))
            _derive(dataset, pages[0], text, written)
            dataset.add_new(_PIXEL_DATA, "OB" if dataset.BitsAllocated == 8 else "OW", pixels)
            dcmwrite(path, dataset, enforce_file_format=True)


def _limits(dataset: Dataset) -> tuple[int, int]:
    values = 1 << dataset.BitsStored
    return (-values // 2, values // 2 - 1) if dataset.PixelRepresentation else (0, values - 1)


def _write_pixels(
    file: BufferedRandom, pages: Sequence[UpscaledPage], limits: tuple[int, int]
) -> _Written:
    digest = hashlib.sha256()
    least, most = limits[::-1]
    for page in pages:
        for rows in page.rows:
            stored = rows.clip(*limits)
            least, most = min(least, int(stored.min())), max(most, int(stored.max()))
            data = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
            digest.update(data)
            file.write(data)
    file.seek(0)
    return _Written(digest.hexdigest(), least, most)


def _little_endian(dataset: FileDataset) -> FileDataset:
    """Swap the bytes of numbers that pydicom keeps as bytes."""
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        del dataset.PixelData

        def swap(_: Dataset, element: Any) -> None:  # noqa: ANN401 (pydicom's own type)
            if element.VR in _WORDS and element.value:
                words = np.frombuffer(element.value, f">{_WORDS[element.VR]}")
                element.value = words.astype(words.dtype.newbyteorder("<")).tobytes()

        dataset.walk(swap)
    return dataset


def _derive(dataset: FileDataset, page: UpscaledPage, text: str, written: _Written) -> None:
    """State the new size, the source, and the program that upscaled it."""
    rescale(dataset, *page.growth)
    dataset.Rows, dataset.Columns = page.height, page.width
    number = "SS" if dataset.PixelRepresentation else "US"
    for name, value in (
        ("SmallestImagePixelValue", written.least),
        ("LargestImagePixelValue", written.most),
    ):
        if name in dataset:
            dataset.add_new(name, number, value)
    dataset.ImageType = _derived(dataset.get("ImageType"))
    for element in dataset.iterall():
        if element.keyword == "FrameType":  # of the frames of an enhanced image
            element.value = _derived(element.value)
    times = " x ".join(dict.fromkeys(f"{growth:.4g}" for growth in page.growth))
    derivation = (
        f"Enlarged {times} times by drnsr, a network for super-resolution: the added detail is an"
        " estimate and no evidence"
    )
    if before := dataset.get("DerivationDescription"):
        derivation = f"{before[: _LONGEST_TEXT - len(derivation) - 2]}; {derivation}"
    dataset.DerivationDescription = derivation
    _append(dataset, "SourceImageSequence", _reference(dataset))
    _append(dataset, "ContributingEquipmentSequence", _equipment(text))
    dataset.SOPInstanceUID = generate_uid(
        entropy_srcs=[dataset.get("SOPInstanceUID", ""), text, written.sha256]
    )
    meta = dataset.file_meta
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name in ("ImplementationClassUID", "ImplementationVersionName"):
        meta.pop(name, None)  # pydicom writes its own


def _derived(image_type: str | Sequence[str] | None) -> list[str]:
    values = [image_type] if isinstance(image_type, str) else image_type or ["", "SECONDARY"]
    return ["DERIVED", *values[1:]]


def _append(dataset: Dataset, name: str, item: Dataset) -> None:
    setattr(dataset, name, [*(dataset.get(name) or []), item])


def _reference(source: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.get("SOPClassUID", "")
    item.ReferencedSOPInstanceUID = source.get("SOPInstanceUID", "")
    return item


def _equipment(text: str) -> Dataset:
    code = codes.DCM.ProcessingEquipment
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = code.value, code.scheme_designator
    purpose.CodeMeaning = code.meaning
    item = Dataset()
    item.Manufacturer = _MAKER
    item.PurposeOfReferenceCodeSequence = [purpose]
    item.ContributionDescription = text
    return item
