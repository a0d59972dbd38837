"""NIfTI: slices that are read from a volume, and written into one, one at a time."""

import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from drnsr.images.codec import check_size
from drnsr.images.errors import FormatError, ImageError
from drnsr.images.page import Metadata, Page, UpscaledPage
from drnsr.images.picture import GRAY, Picture, Pixels, full_range

try:
    from nibabel.arrayproxy import ArrayProxy
    from nibabel.nifti1 import Nifti1Extension, Nifti1Header
    from nibabel.nifti2 import Nifti2Header
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError
except ModuleNotFoundError as error:
    raise ImageError("NIfTI needs nibabel: pip install 'drnsr[medical]'") from error

_GZIP = b"\x1f\x8b"
_SIZE_OF_NIFTI_2 = 540
_MAGIC_AT = 344  # in NIfTI-1
_LABELS, _FIRST_OF_CIFTI, _LAST_OF_CIFTI = 1002, 3000, 3099  # intent codes
_COMMENT = 6  # the code of an extension that is plain text
_MAKER = b"drnsr "
_COMPRESSION = 6  # gzip's own default


@contextmanager
def open_slices(path: Path) -> Iterator[list[Page]]:
    """Open a file; its slices are read when their rows are, with their stored values.

    A slice has the first axis of the volume from left to right, and the second from top to bottom.
    The slices of the first volume come first.

    Args:
        path: the file.

    Raises:
        ImageError: it is damaged, or no volume of numbers that can be upscaled.
    """
    with _opened(path) as file:
        with _errors():
            header = _read_header(file)
            shape = _checked_shape(header)
            _check_length(path, header)
            dtype, stored = header.get_data_dtype().newbyteorder("="), header.get_data_dtype()
            count = math.prod(shape[2:])
            # Slope and intercept are kept in the header, and stored values keep their meaning.
            spec = ((*shape[:2], count), stored, header.get_data_offset(), 1.0, 0.0)
            values = ArrayProxy(file, spec, mmap=False)

        @lru_cache(maxsize=1)
        def read(number: int) -> Pixels:
            with _errors():
                pixels = np.asarray(values[:, :, number])
            return np.ascontiguousarray(pixels.T, dtype)[:, :, None]

        def rows(number: int, top: int, bottom: int) -> Pixels:
            return read(number)[top:bottom]

        metadata = Metadata(nifti=header, slices=shape[2] if len(shape) > 2 else 1)
        yield [
            Page(
                Picture(
                    height=shape[1],
                    width=shape[0],
                    dtype=dtype,
                    channels=GRAY,
                    value_range=full_range(dtype),
                    rows=partial(rows, number),
                ),
                metadata,
            )
            for number in range(count)
        ]


def voxel_count(path: Path) -> int:
    """Return the number of voxels of all volumes.

    Raises:
        ImageError: the file is damaged.
    """
    with _opened(path) as file, _errors():
        return math.prod(_checked_shape(_read_header(file)))


def stored_text(path: Path) -> str | None:
    """Return the provenance that :func:`write_slices` wrote; None for a file of another program.

    Raises:
        ImageError: it is damaged.
    """
    with _opened(path) as file, _errors():
        for extension in reversed(_read_header(file).extensions):
            content = extension.get_content()
            content = content.encode() if isinstance(content, str) else content
            if extension.get_code() == _COMMENT and content.startswith(_MAKER):
                return str(content.removeprefix(_MAKER).rstrip(b"\0").decode())
    return None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, decompressed whatever its name is."""
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("rb"))
        is_compressed = file.read(2) == _GZIP
        file.seek(0)
        if is_compressed:
            file = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
        yield file


@contextmanager
def _errors() -> Iterator[None]:
    """Convert the errors of nibabel and of damaged files to one line.

    Raises:
        ImageError: in place of any of them.
    """
    try:
        yield
    except (HeaderDataError, WrapStructError) as error:
        raise ImageError(f"NIfTI with an odd header ({' '.join(str(error).split())})") from error
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"damaged or truncated ({text})") from error


def _read_header(file: BinaryIO) -> Nifti1Header:
    head = file.read(_MAGIC_AT + 4)
    file.seek(0)
    size = head[:4]
    if _SIZE_OF_NIFTI_2 in (int.from_bytes(size, "little"), int.from_bytes(size, "big")):
        return Nifti2Header.from_fileobj(file)
    magic = head[_MAGIC_AT:]
    if magic != b"n+1\0":
        kind = "the header of a pair (.hdr and .img)" if magic == b"ni1\0" else "Analyze 7.5"
        raise ImageError(f"{kind}, of which a single file .nii can be upscaled: convert it to one")
    return Nifti1Header.from_fileobj(file)


def _checked_shape(header: Nifti1Header) -> tuple[int, ...]:
    """Return the shape of the volumes: width, height, and if it has them slices and volumes.

    Raises:
        ImageError: the values are not those of a volume, or their places in the world are not
            stated as they should be.
    """
    shape = tuple(int(length) for length in header["dim"][1 : 1 + header["dim"][0]])
    sizes = " x ".join(map(str, shape))
    if len(shape) < 2 or min(shape) < 1 or math.prod(shape[4:]) > 1:
        raise ImageError(
            f"NIfTI of {sizes} values; slices, volumes, and series of them can be read"
        )
    intent = int(header["intent_code"])
    if intent == _LABELS:
        raise ImageError("its values are labels (intent code 1002), which have none between them")
    if _FIRST_OF_CIFTI <= intent <= _LAST_OF_CIFTI:
        raise ImageError("CIFTI, which is no volume")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        kind = header._field_recoders["datatype"].label[int(header["datatype"])]
        raise ImageError(f"NIfTI with values of type {kind}; integers and floats can be upscaled")
    check_size(shape[0], shape[1])
    header.get_best_affine()  # it raises if the rotation is none
    return shape


def _check_length(path: Path, header: Nifti1Header) -> None:
    """Check that an uncompressed file is long enough; a compressed one shows it when it is read."""
    needed = header.get_data_offset() + math.prod(header.get_data_shape()) * int(
        header.get_data_dtype().itemsize
    )
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    if not is_compressed and path.stat().st_size < needed:
        raise ImageError(f"truncated ({path.stat().st_size:,} of {needed:,} bytes)")


def check_target(pages: Sequence[UpscaledPage]) -> None:
    """Check before the work whether NIfTI can hold its result.

    Raises:
        FormatError: it cannot.
    """
    header = pages[0].source.metadata.nifti
    if header is None:
        raise FormatError("only NIfTI can be written as NIfTI: take another --format")
    longest = int(np.iinfo(header["dim"].dtype).max)
    shape = _grown_shape(header, pages)
    if max(shape) > longest:
        sizes = " x ".join(map(str, shape))
        raise FormatError(f"{sizes} voxels, and this version of NIfTI holds {longest:,} a side")


def write_slices(path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
    """Write upscaled slices with the header of their source, whose corners stay in their places.

    The type and byte order of the values, their slope and intercept, and all extensions stay as
    they are; the provenance is a further extension. Memory holds one slice at a time.

    Args:
        path: the file; it is compressed if its suffix is ``.gz``.
        pages: checked by :func:`check_target`; they are upscaled while they are written.
        text: the provenance.
    """
    source = pages[0].source.metadata.nifti
    assert source is not None
    header = _grown_header(source, pages)
    header.extensions.append(Nifti1Extension(_COMMENT, _MAKER + text.encode()))
    header["vox_offset"] = 0  # nibabel sets it to the end of the extensions
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("wb"))
        if path.suffix.lower() == ".gz":  # without time and name: equal work gives equal bytes
            packed = gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0)
            file = cast(BinaryIO, stack.enter_context(packed))
        header.write_to(file)
        file.write(b"\0" * (header.get_data_offset() - file.tell()))
        for page in pages:
            for rows in page.rows:
                file.write(rows.astype(header.get_data_dtype()).tobytes())
                del rows  # a band of tiles would be in memory while the next one is computed


def _grown_shape(header: Nifti1Header, pages: Sequence[UpscaledPage]) -> tuple[int, ...]:
    """Return width, height and number of slices of the result."""
    volumes = math.prod(header.get_data_shape()[3:])
    return pages[0].width, pages[0].height, len(pages) // volumes


def _grown_header(source: Nifti1Header, pages: Sequence[UpscaledPage]) -> Nifti1Header:
    """Return the header for larger volumes, whose outer corners stay where they were."""
    header = source.copy()
    shape = _grown_shape(source, pages)
    growth = np.array(shape) / np.maximum(source["dim"][1:4], 1)
    header["dim"][1:4] = shape
    header["pixdim"][1:4] = source["pixdim"][1:4] / growth
    old_places = _places_before(growth)
    if source["sform_code"] > 0:
        header.set_sform(source.get_sform() @ old_places, int(source["sform_code"]))
    if source["qform_code"] > 0:  # the rotation stays as it is
        origin = (source.get_qform() @ old_places)[:3, 3]
        for name, value in zip(("qoffset_x", "qoffset_y", "qoffset_z"), origin, strict=True):
            header[name] = value
    slice_axis = source.get_dim_info()[2]
    if growth[2 if slice_axis is None else slice_axis] != 1:
        # New slices have no order and time of acquisition.
        for name in ("slice_start", "slice_end", "slice_code", "slice_duration"):
            header[name] = 0
    return header


def _places_before(growth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from new voxel indices to old ones; outer faces are the same."""
    places = np.diag([*(1 / growth), 1.0])
    places[:3, 3] = (1 / growth - 1) / 2
    return places
