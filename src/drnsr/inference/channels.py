"""Conversion between the pixels of a picture, with any channels, and the input of a network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drnsr.errors import UserError
from drnsr.images.colour import rgb_to_ycbcr, ycbcr_to_rgb
from drnsr.images.picture import Channels, Limit, Picture, Pixels, full_range
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.resize import upscale
from drnsr.inference.engine import Engine, FloatPixels, TorchEngine
from drnsr.inference.holes import fill_holes, restore_holes
from drnsr.networks import Descriptor

_Limits = NDArray[np.float64]
"""Black or white: () for all channels, or (C,)."""


def upscale_part(engine: Engine, picture: Picture, part: Pixels, ensemble: bool) -> Pixels:
    """Upscale pixels of a picture.

    Args:
        engine: runs the network.
        picture: the picture that the pixels belong to.
        part: (h, w, C) of the picture's data type.
        ensemble: whether to average over the eight symmetries of the square (geometric
            self-ensemble, Lim et al. 2017, section 3.4).

    Returns:
        (scale*h, scale*w, C) of the same data type. Integers are rounded and clipped;
        floating-point values are neither.
    """
    if isinstance(engine, TorchEngine):
        engine = engine.for_pixels(picture.dtype)
    channels, groups = picture.channels, _groups(engine, picture)
    values = _normalize(_compressed(part, picture.light), *_seen_range(picture))
    if channels.alpha is not None:
        values[:, :, channels.alpha] = _normalize(
            part[:, :, channels.alpha], *_alpha_range(picture)
        )
    is_valid = valid_and_visible(picture, part)
    if is_valid is not None and not is_valid.all():
        values = fill_holes(values, is_valid)
    upscaled = np.empty(
        (part.shape[0] * engine.scale, part.shape[1] * engine.scale, channels.count), np.float32
    )
    for group in groups:
        upscaled[:, :, group] = _upscale_group(engine, values[:, :, group], ensemble)
    if channels.alpha is not None:
        opacity = values[:, :, [channels.alpha]]
        upscaled[:, :, [channels.alpha]] = (
            opacity.repeat(engine.scale, axis=0).repeat(engine.scale, axis=1)
            if channels.alpha_is_mask
            else _upscale_group(engine, opacity, ensemble)
        )
    pixels = _denormalize(upscaled, picture)
    if picture.keeps_holes:
        rows, columns = (np.arange(length).repeat(engine.scale) for length in part.shape[:2])
        restore_holes(pixels, picture, part, rows, columns)
    return pixels


def check_bands(descriptor: Descriptor, picture: Picture) -> None:
    """Check that a network takes the bands of a picture.

    Raises:
        BandsError: the network is for several bands, and the picture has another number.
    """
    colours = picture.channels.colour
    if descriptor.colour == "bands" and descriptor.channels not in (1, colours):
        raise BandsError(
            f"{colours} band{'s' * (colours > 1)}, but the model takes {descriptor.pixels.text}"
        )


class BandsError(UserError):
    """A picture has not as many bands as a network takes."""


def _groups(engine: Engine, picture: Picture) -> Sequence[Sequence[int]]:
    """Return the channels that go through the network together.

    Raises:
        BandsError: see :func:`check_bands`.
    """
    descriptor, channels = engine.descriptor, picture.channels
    if descriptor.colour != "bands":
        return channels.groups
    check_bands(descriptor, picture)
    colours = [number for group in channels.groups for number in group]
    return [[number] for number in colours] if descriptor.channels == 1 else [colours]


def as_trained(picture: Picture, pixels: PixelFormat) -> Picture:
    """Return a picture as a network sees it that was trained on the pixels of an instrument.

    Black and white are those of the training, unless the picture has 8 bits and they had 16. An
    opacity is a band if the network has as many.

    Args:
        picture: of a file, or in memory.
        pixels: of the network.
    """
    if pixels == RGB8:
        return picture
    is_coarser = picture.dtype.itemsize * 8 < pixels.depth
    seen = full_range(picture.dtype) if is_coarser else pixels.value_range
    channels = picture.channels
    is_band = channels.count == pixels.channels and not channels.alpha_is_mask
    layout = pixels.layout if is_band and channels.alpha is not None else channels
    black, white = (_for_channels(limit, layout) for limit in seen)
    return replace(picture, value_range=(black, white), channels=layout)


def _for_channels(limit: Limit, channels: Channels) -> Limit:
    """Return the limits of bands in the order of the channels of a picture."""
    bands = [number for group in channels.groups for number in group]
    if not isinstance(limit, tuple) or len(limit) != len(bands):
        return limit  # the picture is refused if it has other bands
    placed = dict(zip(bands, limit, strict=True))
    return tuple(placed.get(number, 0.0) for number in range(channels.count))


def submit_function(
    engine: Engine, picture: Picture, ensemble: bool
) -> Callable[[NDArray[np.uint8]], Callable[[], NDArray[np.uint8]]] | None:
    """Return the engine's ``submit`` if an asynchronous device can do all of :func:`upscale_part`.

    It can for 8-bit RGB. For other pictures the CPU normalizes the values, and the result is None.
    """
    if not isinstance(engine, TorchEngine) or not engine.is_asynchronous or ensemble:
        return None
    is_rgb = engine.descriptor.colour == "RGB" and picture.channels.groups == ((0, 1, 2),)
    is_8_bit = picture.dtype == np.uint8 and tuple(picture.value_range) == (0.0, 255.0)
    return engine.submit if is_rgb and is_8_bit and not picture.may_have_holes else None


def _normalize(part: Pixels, low: _Limits, high: _Limits) -> FloatPixels:
    """Map the values of a picture to the network's: ``low`` to 0 and ``high`` to 1."""
    span = _span(low, high)
    if part.dtype.itemsize > 2:
        # In float32, values with a small difference and a large offset would become equal.
        return ((part.astype(np.float64) - low) / span).astype(np.float32)
    values: FloatPixels = (part.astype(np.float32) - np.float32(low)) / np.float32(span)
    return values


def _span(low: _Limits, high: _Limits) -> _Limits:
    """Return the differences of white and black; 1 where there is none."""
    span: _Limits = np.where(high == low, 1.0, high - low)
    return span


def _compressed(part: Pixels, light: float | None) -> Pixels:
    """Return the logarithm of light, which is linear about zero and defined below it."""
    if light is None:
        return part
    compressed: Pixels = np.arcsinh(part.astype(np.float64) / light)
    return compressed


def _seen_range(picture: Picture) -> tuple[_Limits, _Limits]:
    low, high = (
        np.asarray(_compressed(np.array(each, np.float64), picture.light))
        for each in picture.value_range
    )
    return low, high


def _alpha_range(picture: Picture) -> tuple[_Limits, _Limits]:
    low, high = map(np.array, full_range(picture.dtype))
    return low, high


def valid_and_visible(picture: Picture, part: Pixels) -> NDArray[np.bool_] | None:
    """Return (h, w, C): which values are valid and not transparent; None if all are."""
    is_valid = picture.known(part)
    alpha = picture.channels.alpha
    if alpha is None:
        return is_valid
    result = np.ones(part.shape, bool) if is_valid is None else is_valid
    is_transparent = part[:, :, alpha] <= _alpha_range(picture)[0]
    result[is_transparent, :alpha] = False
    return result


def _upscale_group(engine: Engine, values: FloatPixels, ensemble: bool) -> FloatPixels:
    """Upscale (h, w, 3) RGB or (h, w, 1) gray, 0..1, with a network for RGB or for luma.

    A network for bands gets as many bands as it has, (h, w, C).
    Gray is repeated into the three channels of an RGB network, and the mean of its output is
    returned. A luma network gets gray as luma. It gets the unrounded luma of RGB, and the chroma is
    upscaled with bicubic interpolation, as in the papers of such networks.
    """
    is_gray = values.shape[2] == 1
    if engine.descriptor.colour == "bands" and values.shape[2] == engine.descriptor.channels:
        return _run(engine, values, ensemble)
    if engine.descriptor.colour == "bands":  # alpha
        values = np.repeat(values, engine.descriptor.channels, axis=2)
        mean: FloatPixels = _run(engine, values, ensemble).mean(axis=2, keepdims=True)
        return mean
    if engine.descriptor.colour == "RGB":
        upscaled = _run(engine, np.repeat(values, 3, axis=2) if is_gray else values, ensemble)
        return upscaled.mean(axis=2, keepdims=True) if is_gray else upscaled
    if is_gray:
        return _run(engine, values, ensemble)
    ycbcr = rgb_to_ycbcr(values.astype(np.float64) * 255)
    luma = _run(engine, (ycbcr[:, :, :1] / 255).astype(np.float32), ensemble)
    chroma = upscale(ycbcr[:, :, 1:], engine.scale)
    rgb = ycbcr_to_rgb(np.concatenate([luma.astype(np.float64) * 255, chroma], axis=2))
    return (rgb / 255).astype(np.float32)


def _run(engine: Engine, values: FloatPixels, ensemble: bool) -> FloatPixels:
    """Run the network on (h, w, C)."""
    batch = values.transpose(2, 0, 1)[None]
    if not ensemble:
        upscaled = engine(batch)
    else:
        results = _iter_symmetries(engine, batch)
        upscaled = next(results)
        for other in results:
            upscaled = upscaled + other
        upscaled = upscaled / np.float32(8)
    result: FloatPixels = upscaled[0].transpose(1, 2, 0)
    return result


def _iter_symmetries(engine: Engine, batch: FloatPixels) -> Iterator[FloatPixels]:
    """Transform a batch in eight ways, upscale each, and yield it transformed back."""
    for turns in range(4):
        for is_flipped in (False, True):
            transformed = np.rot90(batch, turns, axes=(2, 3))
            transformed = transformed[:, :, :, ::-1] if is_flipped else transformed
            upscaled = engine(np.ascontiguousarray(transformed))
            upscaled = upscaled[:, :, :, ::-1] if is_flipped else upscaled
            yield np.rot90(upscaled, -turns, axes=(2, 3))


def _denormalize(upscaled: FloatPixels, picture: Picture) -> Pixels:
    """Map values of 0..1 to the value range and data type of a picture."""
    alpha = picture.channels.alpha
    values = upscaled.astype(np.float64) if picture.dtype.itemsize > 2 else upscaled
    low, high = _seen_range(picture)
    values = values * _span(low, high).astype(values.dtype) + low.astype(values.dtype)
    if picture.light is not None:
        largest = float(np.finfo(picture.dtype).max)
        values = (np.sinh(values.astype(np.float64)) * picture.light).clip(-largest, largest)
    if alpha is not None:
        transparent, opaque = full_range(picture.dtype)
        values[:, :, alpha] = upscaled[:, :, alpha] * (opaque - transparent) + transparent
    if np.issubdtype(picture.dtype, np.integer):
        values = values.round().clip(*_limits(picture.dtype, values.dtype))
    pixels: Pixels = values.astype(picture.dtype)
    return pixels


def _limits(stored: np.dtype[Any], computed: np.dtype[Any]) -> tuple[float, float]:
    """Return the least and largest value of a floating-point type that fits an integer type."""
    limits = np.iinfo(stored)
    largest = computed.type(limits.max)
    if int(largest) > limits.max:  # the conversion rounded it up
        largest = np.nextafter(largest, computed.type(0))
    return float(limits.min), float(largest)
