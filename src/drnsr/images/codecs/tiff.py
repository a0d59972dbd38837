"""TIFF, from file to file without the whole picture in memory: any depth, bands and pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage, TiffWriter

from drnsr.images.codecs import pillow
from drnsr.images.codecs.tiff_file import tiff_errors
from drnsr.images.codecs.tiff_rows import TiffRows
from drnsr.images.file import Metadata, Page, Resolution, TiffTag, Unit, UpscaledPage
from drnsr.images.files import ImageError
from drnsr.images.metadata.exif import ORIENTATION
from drnsr.images.metadata.georeference import GEOREFERENCE, KEPT_GEO_TAGS, grown_georeference
from drnsr.images.metadata.ome import grown_ome
from drnsr.images.picture import Channels, Picture, Pixels, full_range

_ICC, _NODATA, _RESOLUTION, _DESCRIPTION = 34675, 42113, 282, 270
_KEPT_TAGS = (700, 33723, *KEPT_GEO_TAGS)  # XMP, IPTC
_UNITS: dict[int, Unit] = {1: "none", 2: "inch", 3: "cm"}
_UNIT_NUMBERS = {name: number for number, name in _UNITS.items()}

# The lossless ones are kept. What was lossy is stored without loss: a second time would show.
_KEPT_COMPRESSIONS = (
    *(COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.ZSTD),
    *(COMPRESSION.LZMA, COMPRESSION.PACKBITS),
)
_IN_MEMORY = 1 << 28  # bytes of a page, from which on it is written in tiles
_TILE = 512
_BIG = 3 << 30  # bytes from which on offsets of 32 bits could run out


def read_pages(tiff: TiffFile, path: Path) -> list[Page]:
    """The pages of an open TIFF file; previews and masks are left out.

    Args:
        tiff: the file, which stays open for as long as pixels are read.
        path: of it, for the kinds of pixels that Pillow knows better.

    Raises:
        ImageError: it is damaged, or holds what cannot be enlarged.
    """
    with tiff_errors():
        wanted = wanted_pages(tiff)

        @lru_cache(maxsize=1)  # the pixels of one page at a time, for there may be many
        def decoded(number: int) -> Page:
            return pillow.read_page(path, number)

        return [
            _page_of_pillow(page, decoded) if _is_for_pillow(page) else _page(page)
            for page in wanted
        ]


def wanted_pages(tiff: TiffFile) -> list[TiffPage]:
    """Those that are neither a smaller copy of another nor a mask."""
    return [page for page in (each.aspage() for each in tiff.pages) if not page.subfiletype & 5]


def _is_for_pillow(page: TiffPage) -> bool:
    """Palettes, CMYK and the like, and less than 8 bits a channel."""
    usual = page.photometric in (
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.RGB,
    )
    jpeg = page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG
    return not (usual or jpeg) or page.dtype is None or page.bitspersample < 8


def _page_of_pillow(page: TiffPage, decoded: Callable[[int], Page]) -> Page:
    """Its pixels are asked for again when they are needed."""
    first = decoded(page.index)
    metadata = replace(
        _metadata(page),
        icc=first.metadata.icc,
        white_is_zero=False,
    )
    notes = first.notes
    if page.photometric == PHOTOMETRIC.PALETTE and _NODATA in page.tags:
        # It was the number of a colour, and there are colours now.
        kept = tuple(tag for tag in metadata.tiff_tags if tag[0] != _NODATA)
        metadata = replace(metadata, tiff_tags=kept)
        notes += ("nodata of a palette, left out: its colours are enlarged, not their numbers",)

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
        raise ImageError(f"pixels of kind {page.dtype}, which cannot be enlarged")
    channels = _channels(page)
    read: Callable[[int, int], Pixels] = TiffRows(page)
    notes: tuple[str, ...] = ()
    bits = page.bitspersample
    if page.dtype.kind == "u" and bits < 8 * page.dtype.itemsize:
        read = _filling_the_type(read, bits, page.dtype)
        notes = (f"{bits} bits become {8 * page.dtype.itemsize}, so that white stays white",)
    if channels.alpha is not None and page.extrasamples[channels.alpha - _colours(page)] == 1:
        read = _divided_by_alpha(read, channels.alpha, full_range(page.dtype)[1])
        notes += ("colour multiplied by alpha, which the enlarged one is not",)
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
    """RGB together where the file says that it is, and alpha; any other channel is a band."""
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


def _filling_the_type(
    read: Callable[[int, int], Pixels], bits: int, dtype: np.dtype[Any]
) -> Callable[[int, int], Pixels]:
    """Values of 12 bits and the like as those of 16, of which other programs know the white."""
    factor = full_range(dtype)[1] / ((1 << bits) - 1)

    def filling(top: int, bottom: int) -> Pixels:
        pixels: Pixels = (read(top, bottom) * factor).round().astype(dtype.newbyteorder("="))
        return pixels

    return filling


def _divided_by_alpha(
    read: Callable[[int, int], Pixels], alpha: int, white: float
) -> Callable[[int, int], Pixels]:
    def divided(top: int, bottom: int) -> Pixels:
        pixels = read(top, bottom)
        opacity = pixels[:, :, [alpha]].astype(np.float64) / white
        colour = pixels[:, :, :alpha] / np.where(opacity > 0, opacity, 1)
        colour = np.minimum(colour, white).round() if pixels.dtype.kind == "u" else colour
        whole: Pixels = np.concatenate([colour.astype(pixels.dtype), pixels[:, :, alpha:]], axis=2)
        return whole

    return divided


def _upright(picture: Picture, orientation: int) -> Picture:
    if orientation not in range(2, 9):
        return picture
    turned = pillow.upright(picture.rows(0, picture.height), orientation)
    height, width = turned.shape[:2]
    return replace(picture, height=height, width=width, rows=lambda top, bottom: turned[top:bottom])


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
        if int(tags.valueof(ORIENTATION, 1)) > 4:  # they change places
            right, down = down, right
        resolution = Resolution.of(right, down, _UNITS.get(page.resolutionunit, "none"))
    return Metadata(
        icc=tags.valueof(_ICC),
        resolution=resolution,
        tiff_tags=tuple(_copied(page, code) for code in _KEPT_TAGS if code in tags),
        georeference=tuple(_copied(page, code) for code in GEOREFERENCE if code in tags),
        description=_description(page),
        white_is_zero=page.photometric == PHOTOMETRIC.MINISWHITE,
        compression=page.compression if page.compression in _KEPT_COMPRESSIONS else None,
    )


def _description(page: TiffPage) -> str | None:
    text = page.tags.valueof(_DESCRIPTION)
    # That of tifffile itself is the size of the array.
    return None if not isinstance(text, str) or text.startswith('{"shape":') else text


def _copied(page: TiffPage, code: int) -> TiffTag:
    tag = page.tags[code]
    # tifffile reads UTF-8, and takes it as bytes alone.
    value = tag.value.encode() if isinstance(tag.value, str) else tag.value
    return tag.code, tag.dtype, tag.count, value, False


def write_pages(path: Path, pages: Sequence[UpscaledPage], text: str) -> None:
    """Write enlarged pages one after another; a large one in tiles, while its rows come.

    Args:
        path: to be written.
        pages: each is made while it is written.
        text: what made them.
    """
    size = sum(made.size for made in pages)
    with TiffWriter(path, bigtiff=size > _BIG) as writer:
        for made in pages:
            _write_page(writer, made, text)


def _write_page(writer: TiffWriter, made: UpscaledPage, text: str) -> None:
    picture, metadata = made.source.picture, made.source.metadata
    channels = picture.channels
    rgb = len(channels.groups[0]) == 3
    gray = PHOTOMETRIC.MINISWHITE if metadata.white_is_zero else PHOTOMETRIC.MINISBLACK
    extra: list[Literal["unassalpha", "unspecified"]] = [
        "unassalpha" if number == channels.alpha else "unspecified"
        for number in range(3 if rgb else 1, channels.count)
    ]
    compression = metadata.compression or COMPRESSION.ADOBE_DEFLATE  # NONE is 1
    resolution = made.resolution
    description = grown_ome(metadata.description, made.width, made.height, made.growth)
    # Strips can be read by every program; tifffile makes them of whole pages alone.
    in_tiles = made.size > _IN_MEMORY
    data = _tiles(made.rows) if in_tiles else iter([made.pixels()])
    writer.write(
        data,
        tile=(_TILE, _TILE) if in_tiles else None,
        shape=(made.height, made.width, channels.count)[: 2 if channels.count == 1 else 3],
        dtype=picture.dtype,
        photometric=PHOTOMETRIC.RGB if rgb else gray,
        planarconfig="contig" if channels.count > 1 else None,
        extrasamples=extra,
        compression=compression,
        predictor=_has_predictor(compression, picture.dtype),
        resolution=(resolution.x, resolution.y) if resolution else None,
        resolutionunit=_UNIT_NUMBERS[resolution.unit] if resolution else None,
        iccprofile=metadata.icc,
        description=None if description is None else description.encode(),
        software=text,
        metadata=None,  # tifffile's own description of the array
        extratags=[*metadata.tiff_tags, *grown_georeference(metadata, *made.growth)],
    )


def _has_predictor(compression: int, dtype: np.dtype[Any]) -> bool:
    """There is none for whole numbers of 64 bits."""
    if compression in (COMPRESSION.NONE, COMPRESSION.PACKBITS):
        return False
    return dtype.kind == "f" or dtype.itemsize < 8


def _tiles(rows: Iterable[Pixels]) -> Iterator[Pixels]:
    """Bands of any height as square tiles, left to right and top to bottom; the edge is filled."""
    kept: list[Pixels] = []
    count = 0
    for band in rows:
        start = 0
        while start < len(band):
            taken = band[start : start + _TILE - count]
            kept.append(taken)
            start, count = start + len(taken), count + len(taken)
            if count == _TILE:
                yield from _cut(np.concatenate(kept))
                kept, count = [], 0
    if kept:
        yield from _cut(np.concatenate(kept))


def _cut(band: Pixels) -> Iterator[Pixels]:
    for left in range(0, band.shape[1], _TILE):
        part = band[:, left : left + _TILE]
        tile = np.zeros((_TILE, _TILE, band.shape[2]), band.dtype)
        tile[: part.shape[0], : part.shape[1]] = part
        yield tile
