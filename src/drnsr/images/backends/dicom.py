"""DICOM, the format of medical imaging: frames, gray or in colour, with all their attributes."""

import copy
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from drnsr.images.errors import FormatError, ImageError
from drnsr.images.page import Metadata, Page, Resolution, UpscaledPage

try:
    from pydicom import Dataset, FileDataset, dcmread, dcmwrite
    from pydicom.sr.codedict import codes
    from pydicom.uid import (
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        generate_uid,
    )

    from drnsr.images.backends.dicom_pixels import (
        PALETTE,
        check_pixels,
        decoded_frames,
        dicom_errors,
        frame_count,
    )
    from drnsr.images.metadata.dicom_geometry import rescale
except ModuleNotFoundError as error:
    raise ImageError("DICOM needs pydicom: pip install 'drnsr[medical]'") from error

_PIXEL_DATA = 0x7FE00010
_LARGEST_SIDE, _LARGEST_SIZE = 0xFFFF, 0xFFFF_FFFE  # in pixels; in bytes, of all frames
_LONGEST_TEXT = 1024  # characters of a Short Text (ST)
_WORDS = {"OW": "u2", "OL": "u4", "OF": "u4", "OD": "u8", "OV": "u8"}
_MAKER = "drnsr"
_OF_COMPRESSION = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_OF_PALETTE = tuple(  # descriptors, UID, data, and segmented data (PS3.3, C.7.9)
    0x00280000 + element
    for element in (*range(0x1101, 0x1105), 0x1199, *range(0x1201, 0x1205), *range(0x1221, 0x1225))
)


def read_frames(path: Path) -> list[Page]:
    """Return the frames, each decoded when its rows are read: gray with its stored values, or RGB.

    Args:
        path: the file.

    Raises:
        ImageError: it is damaged, or its pixels cannot be decoded or upscaled.
    """
    with dicom_errors("damaged, or no DICOM that can be read"):
        dataset = _read(path)
        check_pixels(dataset)
        frames = decoded_frames(dataset)
        metadata = _metadata(dataset)
    return [Page(frame, metadata) for frame in frames]


def frame_pixels(path: Path) -> int:
    """Return the number of pixels of all frames.

    Raises:
        ImageError: it is damaged.
    """
    with dicom_errors("damaged, or no DICOM that can be read"):
        names: list[Any] = ["Rows", "Columns", "NumberOfFrames"]
        header = _read(path, names)
        # A file with fewer bytes is damaged.
        frames = min(frame_count(header), path.stat().st_size)
        return int(header.Rows * header.Columns * frames)


def stored_text(path: Path) -> str | None:
    """Return the provenance that :func:`write_frames` wrote; None for a file of another program.

    Raises:
        ImageError: it is damaged.
    """
    with dicom_errors("damaged, or no DICOM that can be read"):
        names: list[Any] = ["ContributingEquipmentSequence"]
        return stored_text_of(_read(path, names))


def stored_text_of(dataset: Dataset) -> str | None:
    """Return the provenance among the attributes of a file; None if another program made it."""
    for item in reversed(dataset.get("ContributingEquipmentSequence") or []):
        if item.get("Manufacturer") == _MAKER:
            return str(item.ContributionDescription)
    return None


def read_header(path: Path) -> FileDataset:
    """Return all attributes of a file but the pixels.

    Raises:
        ImageError: see :func:`drnsr.images.backends.dicom_pixels.dicom_errors`, in which it is
            called.
    """
    return _completed(dcmread(path, force=True, stop_before_pixels=True))


def _read(path: Path, names: list[Any] | None = None) -> FileDataset:
    """Read a file, or some attributes of it."""
    return _completed(
        dcmread(path, force=True, stop_before_pixels=names is not None, specific_tags=names)
    )


def _completed(dataset: FileDataset) -> FileDataset:
    """Add the meta information that tells how the file is encoded, if it has none."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    return dataset


def _metadata(dataset: FileDataset) -> Metadata:
    resolution = None
    if spacing := dataset.get("PixelSpacing"):
        down, across = map(float, spacing)  # mm
        if down and across:
            resolution = Resolution.parse(10 / across, 10 / down, "cm")
    return Metadata(
        resolution=resolution,
        icc=dataset.get("ICCProfile"),
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


def write_frames(
    path: Path, pages: Sequence[UpscaledPage], text: str, *, within: tuple[int, float] | None = None
) -> None:
    """Write upscaled frames with all attributes of their source, as an image derived from it.

    Pixels are written uncompressed, little endian, and clipped to the bits that are stored. Rescale
    and window stay as they are, because stored values keep their meaning. The new SOP instance UID
    is derived from the source's, the text and the pixels, so that equal work gives equal bytes.

    Args:
        path: the file.
        pages: checked by :func:`check_target`; they are upscaled while they are written.
        text: the provenance.
        within: the number of a slice in a volume, so that equal slices get UIDs of their own, and
            the growth of the volume along its normal.

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
        dtype = pages[0].source.picture.dtype
        written = _write_pixels(pixels, pages, _limits(source, dtype))
        with dicom_errors("its attributes cannot be written again"):
            dataset = _little_endian(copy.deepcopy(source))
            _describe_pixels(dataset, dtype)
            _derive(dataset, pages[0], text, written, within)
            dataset.add_new(_PIXEL_DATA, "OB" if dataset.BitsAllocated == 8 else "OW", pixels)
            dcmwrite(path, dataset, enforce_file_format=True)


def _limits(dataset: Dataset, dtype: np.dtype[Any]) -> tuple[int, int]:
    if dataset.PhotometricInterpretation == PALETTE:
        return 0, int(np.iinfo(dtype).max)
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
            del rows, stored, data  # they would be in memory while the next band is computed
    file.seek(0)
    return _Written(digest.hexdigest(), least, most)


def _little_endian(dataset: FileDataset) -> FileDataset:
    """Swap the bytes of numbers that pydicom keeps as bytes."""
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        dataset.pop("PixelData", None)

        def swap(_: Dataset, element: Any) -> None:  # noqa: ANN401 (pydicom's own type)
            if element.VR in _WORDS and element.value:
                words = np.frombuffer(element.value, f">{_WORDS[element.VR]}")
                element.value = words.astype(words.dtype.newbyteorder("<")).tobytes()

        dataset.walk(swap)
    return dataset


def _describe_pixels(dataset: FileDataset, dtype: np.dtype[Any]) -> None:
    """State that pixels are not compressed, and that colours are RGB, without a palette."""
    for name in _OF_COMPRESSION:
        dataset.pop(name, None)
    if dataset.PhotometricInterpretation == PALETTE:
        for tag in _OF_PALETTE:
            dataset.pop(tag, None)
        bits = 8 * dtype.itemsize
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 3
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0


def _derive(
    dataset: FileDataset,
    page: UpscaledPage,
    text: str,
    written: _Written,
    within: tuple[int, float] | None,
) -> None:
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
    grown = page.growth if within is None else (*page.growth, within[1])
    texts = [f"{growth:.4g}" for growth in grown]
    times = " x ".join(dict.fromkeys(texts) if within is None else texts)
    derivation = (
        f"Enlarged {times} times by drnsr, a network for super-resolution: the added detail is an"
        " estimate and no evidence"
    )
    if before := dataset.get("DerivationDescription"):
        derivation = f"{before[: _LONGEST_TEXT - len(derivation) - 2]}; {derivation}"
    dataset.DerivationDescription = derivation
    _append(dataset, "SourceImageSequence", _reference(dataset))
    _append(dataset, "ContributingEquipmentSequence", _equipment(text))
    sources = [dataset.get("SOPInstanceUID", ""), text, written.sha256]
    dataset.SOPInstanceUID = generate_uid(
        entropy_srcs=sources if within is None else [*sources, str(within[0])]
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
