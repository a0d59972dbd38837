"""DICOM, the format of medical imaging: MONOCHROME pictures, with what they measure kept."""

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
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    from drnsr.images.metadata.dicom_geometry import grow
except ModuleNotFoundError as error:
    raise ImageError("DICOM needs pydicom: pip install 'drnsr[medical]'") from error

_PIXEL_DATA = 0x7FE00010
_LARGEST_SIDE, _LARGEST_SIZE = 0xFFFF, 0xFFFF_FFFE  # pixels of a side, and bytes of all frames
_LONGEST_TEXT = 1024  # of a short text
_WORDS = {"OW": "u2", "OL": "u4", "OF": "u4", "OD": "u8", "OV": "u8"}
_MAKER = "drnsr"
_ITEM_HEADER = 8  # bytes, of each part of compressed pixels; a frame has one or more


def read_frames(path: Path) -> list[Page]:
    """The frames of a file, as stored: neither rescaled nor windowed, and decoded one at a time.

    Args:
        path: of the file.

    Raises:
        ImageError: it is damaged, or holds what cannot be enlarged or decoded.
    """
    with _errors("damaged, or no DICOM that can be read"):
        dataset = dcmread(path)
        _check(dataset)
        frames = _frames(dataset)
        metadata = _metadata(dataset)
    return [Page(frame, metadata) for frame in frames]


def frame_pixels(path: Path) -> int:
    """How many pixels all frames have together.

    Raises:
        ImageError: it is damaged.
    """
    with _errors("damaged, or no DICOM that can be read"):
        names: list[Any] = ["Rows", "Columns", "NumberOfFrames"]
        header = dcmread(path, stop_before_pixels=True, specific_tags=names)
        frames = min(_frame_count(header), path.stat().st_size)  # one that has less is refused
        return int(header.Rows * header.Columns * frames)


def stored_text(path: Path) -> str | None:
    """What :func:`write_frames` wrote into a file; None for a file of others.

    Raises:
        ImageError: it is damaged.
    """
    with _errors("damaged, or no DICOM that can be read"):
        names: list[Any] = ["ContributingEquipmentSequence"]
        header = dcmread(path, stop_before_pixels=True, specific_tags=names)
        for item in reversed(header.get(names[0]) or []):
            if item.get("Manufacturer") == _MAKER:
                return str(item.ContributionDescription)
    return None


@contextmanager
def _errors(what: str) -> Iterator[None]:
    """Tell what pydicom finds wrong with a file in one line, and nothing of what it puts up with.

    Raises:
        ImageError: instead of its many errors.
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
            f"DICOM of kind {dataset.PhotometricInterpretation}: MONOCHROME1 and MONOCHROME2 alone"
            " are enlarged, no colour"
        )
    if dataset.BitsAllocated not in (8, 16):
        raise ImageError(
            f"DICOM with {dataset.BitsAllocated} bits a pixel, where 8 and 16 can be enlarged"
        )
    if not 0 < dataset.Rows * dataset.Columns <= MAX_PIXELS:
        raise ImageError(
            f"{dataset.Columns} x {dataset.Rows} pixels, where 1 to {MAX_PIXELS:,} can be enlarged"
        )
    _check_frames(dataset)


def _check_frames(dataset: FileDataset) -> None:
    """Hold the number of frames against the pixels that are there."""
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
    """What is to be said where a frame cannot be decoded.

    Raises:
        ImageError: none can, here.
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
    """The value that stands for no data, and the other end of the range of such values."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return None
    both = value, dataset.get("PixelPaddingRangeLimit", value)
    # There are files with signed pixels where it is written as an unsigned number.
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
    """Find out before the work whether DICOM can hold what is to be made.

    Raises:
        FormatError: it cannot.
    """
    first = pages[0]
    if first.source.metadata.dicom is None:
        raise FormatError("DICOM is made of DICOM alone: take another --format")
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
    """What is known of the pixels when they are written."""

    sha256: str
    least: int
    most: int


def write_frames(path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
    """Write enlarged frames with all that their source says, as a picture derived from it.

    Pixels are uncompressed, little endian, and clipped to the bits that are stored. The rescale and
    the window are the source's: stored values mean what they did. The new SOP instance UID follows
    from the source's, the text and the pixels, so that equal work gives equal bytes.

    Args:
        path: to be written.
        pages: checked by :func:`check_target`; each is made while it is written.
        text: what made them.

    Raises:
        ImageError: the source says what cannot be written again.
    """
    source = pages[0].source.metadata.dicom
    assert source is not None
    # Beside the file: all frames may be more than fits in memory, or in the system's own folder.
    with (
        TemporaryFile(dir=path.parent) as file,
        # On Windows it is wrapped in what pydicom does not take for a file.
        os.fdopen(file.fileno(), "w+b", closefd=False) as pixels,
    ):
        written = _write_pixels(pixels, pages, _limits(source))
        with _errors("what it says besides its pixels cannot be written again"):
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
    """Numbers that pydicom takes for mere bytes would otherwise keep the order of their bytes."""
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        del dataset.PixelData

        def swap(_: Dataset, element: Any) -> None:  # noqa: ANN401 (of any type, says pydicom)
            if element.VR in _WORDS and element.value:
                words = np.frombuffer(element.value, f">{_WORDS[element.VR]}")
                element.value = words.astype(words.dtype.newbyteorder("<")).tobytes()

        dataset.walk(swap)
    return dataset


def _derive(dataset: FileDataset, made: UpscaledPage, text: str, written: _Written) -> None:
    """Say that this is an enlarged picture: its size, and of what and by what it was made."""
    grow(dataset, *made.growth)
    dataset.Rows, dataset.Columns = made.height, made.width
    number = "SS" if dataset.PixelRepresentation else "US"
    for name, value in (
        ("SmallestImagePixelValue", written.least),
        ("LargestImagePixelValue", written.most),
    ):
        if name in dataset:
            dataset.add_new(name, number, value)
    dataset.ImageType = _derived(dataset.get("ImageType"))
    for element in dataset.iterall():
        if element.keyword == "FrameType":  # of the frames of an enhanced one
            element.value = _derived(element.value)
    times = " x ".join(dict.fromkeys(f"{growth:.4g}" for growth in made.growth))
    told = (
        f"Enlarged {times} times by drnsr, a network for super-resolution: the added detail is an"
        " estimate and no evidence"
    )
    if before := dataset.get("DerivationDescription"):
        told = f"{before[: _LONGEST_TEXT - len(told) - 2]}; {told}"
    dataset.DerivationDescription = told
    _append(dataset, "SourceImageSequence", _reference(dataset))
    _append(dataset, "ContributingEquipmentSequence", _equipment(text))
    dataset.SOPInstanceUID = generate_uid(
        entropy_srcs=[dataset.get("SOPInstanceUID", ""), text, written.sha256]
    )
    meta = dataset.file_meta
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name in ("ImplementationClassUID", "ImplementationVersionName"):
        meta.pop(name, None)  # pydicom says its own


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
