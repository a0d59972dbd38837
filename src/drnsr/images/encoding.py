"""Arrays as images of Pillow, as PNG files of 8 bits a channel, and as TIFF."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drnsr.atomic import atomic_path


def squeeze_gray(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels (H, W, 1) as (H, W), as encoders take gray; others are returned as they are."""
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def to_pillow(pixels: NDArray[Any]) -> Image.Image:
    """Return (H, W, C) as an image: uint8 of one to four channels, uint16 or float32 of one."""
    return Image.fromarray(squeeze_gray(pixels))


def encode_png(image: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """Encode (H, W, 1) or (H, W, 3) uint8 as PNG, with texts by their keywords.

    Pillow encodes it, and not the codec of ``drnsr upscale``: prepared data and their hashes depend
    on the bytes.
    """
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    to_pillow(image).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def encode_tiff(pixels: NDArray[Any]) -> bytes:
    """Encode (H, W, C) of any type as TIFF, each channel a band."""
    from tifffile import imwrite

    buffer = io.BytesIO()
    planar = "contig" if pixels.shape[2] > 1 else None
    imwrite(buffer, squeeze_gray(pixels), photometric="minisblack", planarconfig=planar)
    return buffer.getvalue()


def write_png(path: Path, image: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> None:
    """Write what :func:`encode_png` returns to a file, whole or not at all."""
    content = encode_png(image, text)
    with atomic_path(path) as partial:
        partial.write_bytes(content)
