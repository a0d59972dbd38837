"""The slices of a DICOM series in a folder: one volume, sorted by their places in the patient."""

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drnsr.images.errors import ImageError
from drnsr.images.page import Page, UpscaledPage
from drnsr.images.picture import Pixels

try:
    from pydicom import FileDataset
    from pydicom.uid import generate_uid

    from drnsr.images.backends.dicom import read_frames, read_header, stored_text_of, write_frames
    from drnsr.images.backends.dicom_pixels import dicom_errors, frame_count
    from drnsr.images.metadata.dicom_geometry import decimals
except ModuleNotFoundError as error:
    raise ImageError("DICOM needs pydicom: pip install 'drnsr[medical]'") from error

_GRAYS = ("MONOCHROME1", "MONOCHROME2")
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")

# What the slices of one volume have in common, and what a message calls it.
_COMMON = {
    "Rows": "numbers of rows",
    "Columns": "numbers of columns",
    "PixelSpacing": "pixel spacings",
    "BitsAllocated": "bits a pixel",
    "PixelRepresentation": "signs of pixels",
    "PhotometricInterpretation": "photometric interpretations",
    "RescaleSlope": "rescale slopes",
    "RescaleIntercept": "rescale intercepts",
}
_SPACING_TOLERANCE = 0.05  # of the distance of slices
_ORIENTATION_TOLERANCE = 1e-3  # of the cosines of directions


@dataclass(frozen=True)
class _Slice:
    """A file with its attributes, without pixels."""

    file: Path
    dataset: FileDataset

    @property
    def position(self) -> NDArray[np.float64]:
        """The centre of the first pixel in millimetres, (3,)."""
        return np.array(self.dataset.ImagePositionPatient, np.float64)

    @property
    def orientation(self) -> NDArray[np.float64]:
        """The directions of rows and columns, (6,)."""
        return np.array(self.dataset.ImageOrientationPatient, np.float64)

    @property
    def normal(self) -> NDArray[np.float64]:
        """The direction in which slices follow one another, (3,)."""
        normal: NDArray[np.float64] = np.cross(self.orientation[:3], self.orientation[3:])
        return normal


def slices_of_series(files: Iterable[Path]) -> list[Path]:
    """Return those of the files that are slices of a series with several of them.

    Slices are gray, have a single frame, and say where they are in the patient.

    Args:
        files: DICOM files of one folder.
    """
    series: dict[str, list[Path]] = {}
    for file in files:
        found = _slice(file)
        if found is not None:
            series.setdefault(str(found.dataset.get("SeriesInstanceUID", "")), []).append(file)
    return [file for members in series.values() if len(members) > 1 for file in members]


def _slice(file: Path) -> _Slice | None:
    """Return a file as a slice; None if it is none, or no DICOM."""
    try:
        with dicom_errors("damaged"):
            dataset = read_header(file)
            has_place = all(dataset.get(name) for name in _PLACE)
            is_gray = dataset.get("PhotometricInterpretation") in _GRAYS
            is_slice = has_place and is_gray and frame_count(dataset) == 1
            return _Slice(file, dataset) if is_slice else None
    except (ImageError, OSError):
        return None


def read_slices(folder: Path) -> list[Page]:
    """Return the slices of the volume in a folder, in order along their normal.

    A file is read when the rows of its slice are.

    Args:
        folder: the files in it that are no slices are left out.

    Raises:
        ImageError: the slices are no volume: there are several series or orientations, or slices
            are missing, or there twice.
    """
    slices = _sorted_slices(folder)
    with dicom_errors("damaged, or no DICOM that can be read"):
        _check_same(slices)
        _check_places(slices)

    @lru_cache(maxsize=1)
    def decoded(file: Path) -> Pixels:
        try:
            picture = read_frames(file)[0].picture
            return picture.rows(0, picture.height)
        except ImageError as error:
            raise ImageError(f"{file.name}: {error}") from error

    def rows(file: Path, top: int, bottom: int) -> Pixels:
        return decoded(file)[top:bottom]

    try:
        first = read_frames(slices[0].file)[0]
    except ImageError as error:
        raise ImageError(f"{slices[0].file.name}: {error}") from error
    return [
        Page(
            replace(first.picture, rows=partial(rows, each.file)),
            replace(first.metadata, dicom=each.dataset, slices=len(slices)),
        )
        for each in slices
    ]


def _sorted_slices(folder: Path) -> list[_Slice]:
    """Return the slices in a folder along their normal.

    Raises:
        ImageError: there are none, or they are those of several series or orientations.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file())
    slices = [found for file in files if (found := _slice(file))]
    if len(slices) < 2:
        raise ImageError("no DICOM series of several slices in this folder")
    by_series = Counter(
        tuple(str(each.dataset.get(f"Series{name}", "")) for name in ("InstanceUID", "Description"))
        for each in slices
    )
    if len(by_series) > 1:
        names = ", ".join(f"{name or uid}: {n} slices" for (uid, name), n in by_series.items())
        raise ImageError(f"{len(by_series)} series in one folder ({names}): give each a folder")
    first = slices[0]
    for each in slices:
        if np.abs(each.orientation - first.orientation).max() > _ORIENTATION_TOLERANCE:
            raise ImageError(
                f"{each.file.name} has another orientation than {first.file.name}: give each"
                " orientation a folder"
            )
    return sorted(slices, key=lambda each: float(each.position @ first.normal))


def _check_same(slices: Sequence[_Slice]) -> None:
    """Check that all slices have the same size and kind of values."""
    for name, called in _COMMON.items():
        values = {str(each.dataset.get(name)): each.file.name for each in slices}
        if len(values) > 1:
            found = ", ".join(f"{value} in {file}" for value, file in list(values.items())[:2])
            raise ImageError(f"different {called} ({found}): FOLDER/*.dcm takes each by itself")


def _check_places(slices: Sequence[_Slice]) -> None:
    """Check that each slice is there once, at equal distances."""
    normal = slices[0].normal
    gaps = np.diff([float(each.position @ normal) for each in slices])
    usual = float(np.median(gaps))
    tolerance = max(_SPACING_TOLERANCE * usual, 1e-3)
    for number, gap in enumerate(gaps):
        before, after = (each.file.name for each in slices[number : number + 2])
        if gap < 1e-3:
            raise ImageError(
                f"{before} and {after} are at the same place: one is a duplicate, or they are of"
                " two volumes"
            )
        if abs(gap - usual) > tolerance:
            what = "slices are missing between" if gap > 1.5 * usual else "uneven spacing of"
            raise ImageError(
                f"{what} {before} and {after}, which are {gap:.4g} mm apart; others are"
                f" {usual:.4g} mm"
            )


def voxel_count(folder: Path) -> int:
    """Return the number of voxels.

    Raises:
        ImageError: there is no series in the folder.
    """
    slices = _sorted_slices(folder)
    return sum(int(each.dataset.Rows) * int(each.dataset.Columns) for each in slices)


def stored_text(folder: Path) -> str | None:
    """Return the provenance that :func:`write_slices` wrote; None for other folders."""
    for file in sorted(folder.iterdir()):
        if (found := _slice(file)) is not None:
            return stored_text_of(found.dataset)
    return None


def write_slices(folder: Path, pages: Sequence[UpscaledPage], text: str) -> None:
    """Write a file for each upscaled slice, as a new series derived from that of the source.

    The outer corners of the volume stay where they were. Files are numbered in the order of the
    slices along their normal. The UID of the new series follows from that of the source, the text,
    and the size.

    Args:
        folder: an empty folder.
        pages: checked by the codec; they are upscaled while they are written.
        text: the provenance.

    Raises:
        ImageError: the source has attributes that pydicom cannot write.
    """
    datasets: list[Any] = list(
        {id(page.source): page.source.metadata.dicom for page in pages}.values()
    )
    growth = len(pages) / len(datasets)
    first = pages[0]
    series = generate_uid(
        entropy_srcs=[
            str(datasets[0].get("SeriesInstanceUID", "")),
            *(text, str(first.width), str(first.height), str(len(pages))),
        ]
    )
    width = max(4, len(str(len(pages))))
    for number, page in enumerate(pages):
        with dicom_errors("its attributes cannot be written again"):
            dataset = copy.deepcopy(page.source.metadata.dicom)
            assert dataset is not None
            dataset.SeriesInstanceUID = series
            if growth != 1:
                _place(dataset, datasets, (number + 0.5) / growth - 0.5, growth)
                dataset.InstanceNumber = number + 1
        metadata = replace(page.source.metadata, dicom=dataset)
        placed = replace(page, source=replace(page.source, metadata=metadata))
        write_frames(folder / f"{number + 1:0{width}}.dcm", [placed], text, within=(number, growth))


def _place(dataset: FileDataset, sources: Sequence[Any], place: float, growth: float) -> None:
    """State the place of a slice between those of the source, and its thickness.

    Args:
        dataset: is changed.
        sources: the attributes of all slices of the source, in order.
        place: the number of the slice among those of the source.
        growth: how many slices are there for each one of the source.
    """
    for name in ("ImagePositionPatient", "SliceLocation"):
        if all(source.get(name) is not None for source in sources):
            ends = [np.atleast_1d(np.array(sources[n].get(name), float)) for n in (0, -1)]
            moved = decimals(ends[0] + (ends[1] - ends[0]) / (len(sources) - 1) * place)
            dataset[name].value = moved if len(moved) > 1 else moved[0]
    for name in ("SliceThickness", "SpacingBetweenSlices"):
        if dataset.get(name) is not None:
            (dataset[name].value,) = decimals([float(dataset[name].value) / growth])
