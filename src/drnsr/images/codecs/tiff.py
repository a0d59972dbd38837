"""TIFF of any depth, bands and pages, read and written without the whole picture in memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage, TiffWriter

from drnsr.images.backends import pillow
from drnsr.images.backends.alpha import divided_by_alpha
from drnsr.images.backends.depth import depth_note, scaled_to_type
from drnsr.images.backends.tiff_exif import append_exif, exif_of_tiff, exif_tags
from drnsr.images.backends.tiff_file import opened_tiff, tiff_errors
from drnsr.images.backends.tiff_mask import MASK, iter_mask, mask_of, with_mask
from drnsr.images.backends.tiff_rows import TiffRows
from drnsr.images.backends.tiff_tiles import iter_tiles, tile_side
from drnsr.images.codec import Codec
from drnsr.images.errors import ImageError
from drnsr.images.metadata.exif import ORIENTATION, SOFTWARE, read_exif
from drnsr.images.metadata.georeference import FIXED_GEO_TAGS, GEOREFERENCE, upscaled_georeference
from drnsr.images.metadata.ome import upscaled_ome
from drnsr.images.metadata.xmp import upright_xmp
from drnsr.images.page import (
    Metadata,
    Page,
    Resolution,
    TiffTag,
    Unit,
    UpscaledPage,
    is_animation,
)
from drnsr.images.picture import Box, BoxReader, Channels, Picture, Pixels, full_range

_ICC, _NODATA, _RESOLUTION, _DESCRIPTION = 34675, 42113, 282, 270
_XMP, _IPTC = 700, 33723
_BYTE = 1  # the type of their tags
_UNITS: dict[int, Unit] = {1: "none", 2: "inch", 3: "cm"}
_UNIT_NUMBERS = {name: number for number, name in _UNITS.items()}

# Lossless compressions are kept. Lossy ones are not: a second loss would be visible.
_KEPT_COMPRESSIONS = (
    *(COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.ZSTD),
    *(COMPRESSION.LZMA, COMPRESSION.PACKBITS),
)
_IN_MEMORY = 1 << 28  # bytes; a larger page is written in tiles
_COMPRESSED_AT_ONCE = 64 << 20  # bytes of tiles
CLASSIC_LIMIT = 5 << 29  # bytes; with overviews it could need offsets of more than 32 bits


@dataclass(frozen=True, kw_only=True)
class TiffCodec(Codec):
    """TIFF and BigTIFF."""

    def recognises(self, head: bytes) -> bool:
        """Return whether it begins as TIFF and is no DICOM, whose preamble may begin so, too."""
        return super().recognises(head) and head[128:132] != b"DICM"

    @contextmanager
    def open(self, path: Path) -> Iterator[list[Page]]:
        """Open a file, whose rows are read when they are needed; previews are left out.

        Raises:
            ImageError: it is damaged, or holds what cannot be upscaled.
        """
        with opened_tiff(path) as tiff:
            with tiff_errors():

                @lru_cache(maxsize=1)  # one page at a time is held in memory
                def decoded(number: int) -> Page:
                    return pillow.read_page(path, self.pillow, number)

                every = [page.aspage() for page in tiff.pages]
                pages = []
                for tiff_page in wanted_pages(tiff):
                    by_pillow = _is_for_pillow(tiff_page)
                    page = _page_of_pillow(tiff_page, decoded) if by_pillow else _page(tiff_page)
                    mask = mask_of(tiff_page, every)
                    page = page if mask is None else with_mask(page, mask)
                    pages.append(_with_exif(page, path, tiff_page))
            yield pages

    def read(self, path: Path) -> list[Page]:
        """Not used: rows are read from an open file, see :meth:`open`."""
        raise NotImplementedError

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        with opened_tiff(path) as tiff, tiff_errors():
            return sum(page.imagewidth * page.imagelength for page in wanted_pages(tiff))

    def provenance(self, path: Path) -> object:
        """See :meth:`Codec.provenance`."""
        with opened_tiff(path) as tiff, tiff_errors():
            return tiff.pages.first.tags.valueof(SOFTWARE)

    def check_page(self, page: UpscaledPage) -> None:
        """Accept every page: it holds all types and numbers of channels."""

    def losses(self, pages: Sequence[UpscaledPage], text: str) -> list[str]:
        """See :meth:`Codec.losses`."""
        pages_of_time = ["its pictures become pages"] if is_animation(pages) else []
        return [*super().losses(pages, text), *pages_of_time]

    def write(self, path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
        """Write the pages one after another; large ones in tiles, while they are upscaled."""
        bigtiff = sum(page.size for page in pages) > CLASSIC_LIMIT
        with TiffWriter(path, bigtiff=bigtiff, byteorder="<") as writer:
            for page in pages:
                _write_page(writer, page, text, bigtiff=bigtiff)
        if any(page.source.metadata.exif for page in pages):
            append_exif(path, pages, bigtiff=bigtiff)


def wanted_pages(tiff: TiffFile) -> list[TiffPage]:
    """Return the pages that are neither a smaller copy of another nor a mask."""
    return [page for page in (each.aspage() for each in tiff.pages) if not page.subfiletype & 5]


def _is_for_pillow(page: TiffPage) -> bool:
    """Return whether it has a palette, CMYK or the like, or gray of 1, 2 or 4 bits."""
    usual = page.photometric in (
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.RGB,
    )
    jpeg = page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG
    small = page.bitspersample in (1, 2, 4) and page.samplesperpixel == 1
    return not (usual or jpeg) or page.dtype is None or small


def _page_of_pillow(page: TiffPage, decoded: Callable[[int], Page]) -> Page:
    """Return a page that Pillow decodes, again when its rows are read."""
    first = decoded(page.index)
    metadata = replace(
        _metadata(page),
        icc=first.metadata.icc,
        white_is_zero=False,
    )
    notes = first.notes
    if page.photometric == PHOTOMETRIC.PALETTE and _NODATA in page.tags:
        # It was the number of a colour, and the pixels are colours now.
        kept = tuple(tag for tag in metadata.tiff_tags if tag[0] != _NODATA)
        metadata = replace(metadata, tiff_tags=kept)
        notes += ("nodata of a palette, left out: its colours are upscaled, not their numbers",)

    number = page.index

    def rows(top: int, bottom: int) -> Pixels:
        return decoded(number).picture.rows(top, bottom)

    return Page(replace(first.picture, rows=rows), metadata, notes)


def _page(page: TiffPage) -> Page:
    if page.dtype is None:
        raise ImageError("pixels of a kind that cannot be read")
    if min(page.imagewidth, page.imagelength, page.samplesperpixel) < 1:
        raise ImageError(f"damaged (a page of {page.imagewidth} x {page.imagelength} pixels)")
    if page.is_volumetric:
        raise ImageError(f"a volume of {page.imagedepth} layers in one page: split it into pages")
    if page.dtype.kind not in "uif":
        raise ImageError(f"pixels of kind {page.dtype}, which cannot be upscaled")
    channels = _channels(page)
    read: BoxReader = TiffRows(page)
    notes: tuple[str, ...] = ()
    bits = page.bitspersample
    if page.dtype.kind == "u" and bits < 8 * page.dtype.itemsize:
        read = _Converted(read, partial(scaled_to_type, bits=bits))
        notes = (depth_note(bits, page.dtype),)
    if channels.alpha is not None and page.extrasamples[channels.alpha - _colours(page)] == 1:
        white = full_range(page.dtype)[1]
        read = _Converted(read, partial(divided_by_alpha, alpha=channels.alpha, white=white))
        notes += ("colour multiplied by alpha, which the upscaled one is not",)
    picture = Picture(
        height=page.imagelength,
        width=page.imagewidth,
        dtype=page.dtype.newbyteorder("="),
        channels=channels,
        value_range=full_range(page.dtype),
        rows=read,
        nodata=_nodata(page),
    )
    picture = _upright(picture, int(page.tags.valueof(ORIENTATION, 1)))
    return Page(picture, _metadata(page), notes)


def _channels(page: TiffPage) -> Channels:
    """Return RGB as one group if the file states it, and alpha; other channels are bands."""
    samples = page.samplesperpixel
    colour = _colours(page)
    if samples < colour:
        raise ImageError(f"{samples} channels, and it says that it is RGB")
    extra = dict(zip(range(colour, samples), page.extrasamples, strict=False))
    alpha = next((number for number, kind in extra.items() if kind in (1, 2)), None)
    bands = ((number,) for number in range(colour, samples) if number != alpha)
    return Channels((tuple(range(colour)), *bands), alpha=alpha)


def _colours(page: TiffPage) -> int:
    return 3 if page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR) else 1


@dataclass(frozen=True)
class _Converted:
    """Reads pixels and converts them: a BoxReader."""

    read: BoxReader
    convert: Callable[[Pixels], Pixels]

    def __call__(self, top: int, bottom: int) -> Pixels:
        return self.convert(self.read(top, bottom))

    def box(self, box: Box) -> Pixels:
        return self.convert(self.read.box(box))


def _upright(picture: Picture, orientation: int) -> Picture:
    if orientation not in range(2, 9):
        return picture
    turned = pillow.upright(picture.rows(0, picture.height), orientation)
    height, width = turned.shape[:2]
    return replace(picture, height=height, width=width, rows=lambda top, bottom: turned[top:bottom])


def _with_exif(page: Page, path: Path, tiff_page: TiffPage) -> Page:
    exif, _, notes = read_exif(lambda: exif_of_tiff(path, tiff_page))
    return replace(page, metadata=replace(page.metadata, exif=exif), notes=(*page.notes, *notes))


def _nodata(page: TiffPage) -> float | None:
    text = page.tags.valueof(_NODATA)
    try:
        return None if text is None else float(str(text).strip(" \0"))
    except ValueError:
        return None


def _metadata(page: TiffPage) -> Metadata:
    tags = page.tags
    resolution = None
    if _RESOLUTION in tags:
        right, down = page.resolution
        if int(tags.valueof(ORIENTATION, 1)) > 4:  # turned by a quarter
            right, down = down, right
        resolution = Resolution.parse(right, down, _UNITS.get(page.resolutionunit, "none"))
    return Metadata(
        icc=tags.valueof(_ICC),
        resolution=resolution,
        xmp=_content(page, _XMP),
        iptc=_content(page, _IPTC),
        tiff_tags=tuple(_copied(page, code) for code in FIXED_GEO_TAGS if code in tags),
        georeference=tuple(_copied(page, code) for code in GEOREFERENCE if code in tags),
        description=_description(page),
        white_is_zero=page.photometric == PHOTOMETRIC.MINISWHITE,
        compression=page.compression if page.compression in _KEPT_COMPRESSIONS else None,
    )


def _description(page: TiffPage) -> str | None:
    text = page.tags.valueof(_DESCRIPTION)
    # tifffile writes the shape of the array as a description.
    return None if not isinstance(text, str) or text.startswith('{"shape":') else text


def _content(page: TiffPage, code: int) -> bytes | None:
    """Return the bytes of a tag as they are in the file, whatever type it states."""
    if code not in page.tags:
        return None
    tag, handle = page.tags[code], page.parent.filehandle
    handle.seek(tag.valueoffset)
    content: bytes = handle.read(tag.valuebytecount)
    return upright_xmp(content) if code == _XMP else content


def _copied(page: TiffPage, code: int) -> TiffTag:
    tag = page.tags[code]
    # tifffile reads UTF-8 as a text, and writes it only from bytes.
    value = tag.value.encode() if isinstance(tag.value, str) else tag.value
    return tag.code, tag.dtype, tag.count, value, False


def _write_page(writer: TiffWriter, page: UpscaledPage, text: str, *, bigtiff: bool) -> None:
    picture, metadata = page.source.picture, page.source.metadata
    channels = picture.channels
    count = channels.count - channels.alpha_is_mask
    rgb = len(channels.groups[0]) == 3
    gray = PHOTOMETRIC.MINISWHITE if metadata.white_is_zero else PHOTOMETRIC.MINISBLACK
    extra: list[Literal["unassalpha", "unspecified"]] = [
        "unassalpha" if number == channels.alpha else "unspecified"
        for number in range(3 if rgb else 1, count)
    ]
    compression = metadata.compression or COMPRESSION.ADOBE_DEFLATE  # NONE is 1
    resolution = page.resolution
    description = upscaled_ome(metadata.description, page.width, page.height, page.growth)
    # Every program can read strips, but tifffile writes them only from a whole page.
    side = tile_side(page) if page.size > _IN_MEMORY else None
    data = iter_tiles(page.rows, side) if side else iter([page.pixels()])
    writer.write(
        (part[..., :count] for part in data),
        tile=(side, side) if side else None,
        shape=(page.height, page.width, count)[: 2 if count == 1 else 3],
        dtype=picture.dtype,
        photometric=PHOTOMETRIC.RGB if rgb else gray,
        planarconfig="contig" if count > 1 else None,
        extrasamples=extra,
        compression=compression,
        predictor=_has_predictor(compression, picture.dtype),
        resolution=(resolution.x, resolution.y) if resolution else None,
        resolutionunit=_UNIT_NUMBERS[resolution.unit] if resolution else None,
        iccprofile=metadata.icc,
        description=None if description is None else description.encode(),
        software=text,
        metadata=None,  # tifffile's own description of the array
        buffersize=_COMPRESSED_AT_ONCE,
        extratags=[
            *metadata.tiff_tags,
            *upscaled_georeference(metadata, *page.growth),
            *((code, _BYTE, len(content), content, False) for code, content in _packets(metadata)),
            *(exif_tags(metadata.exif, bigtiff=bigtiff) if metadata.exif is not None else ()),
        ],
    )
    if channels.alpha_is_mask:
        _write_mask(writer, page)


def _write_mask(writer: TiffWriter, page: UpscaledPage) -> None:
    side = tile_side(page)
    writer.write(
        iter_mask(page, side),
        tile=(side, side),
        shape=(page.height, page.width),
        dtype=bool,
        subfiletype=MASK,
        photometric="minisblack",
        compression=page.source.metadata.compression or COMPRESSION.ADOBE_DEFLATE,
        metadata=None,
        buffersize=_COMPRESSED_AT_ONCE,
    )


def _packets(metadata: Metadata) -> list[tuple[int, bytes]]:
    both = (_XMP, metadata.xmp), (_IPTC, metadata.iptc)
    return [(code, content) for code, content in both if content]


def _has_predictor(compression: int, dtype: np.dtype[Any]) -> bool:
    """Return whether the compression has a predictor for the type; 64-bit integers have none."""
    if compression in (COMPRESSION.NONE, COMPRESSION.PACKBITS):
        return False
    return dtype.kind == "f" or dtype.itemsize < 8


CODEC = TiffCodec(
    name="tiff",
    suffixes=(".tif", ".tiff"),
    signatures=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    bits=(8, 16, 32, 64),
    is_paged=True,
    keeps=frozenset({"icc", "resolution", "exif", "xmp", "iptc", "description", "georeference"}),
    pillow=("TIFF",),
    in_datasets=True,
)
