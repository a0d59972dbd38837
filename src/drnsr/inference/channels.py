"""From the pixels of a part of a picture to those of the enlarged part, whatever the channels."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drnsr.images.colour import rgb_to_ycbcr, ycbcr_to_rgb
from drnsr.images.picture import Picture, Pixels, full_range
from drnsr.images.resize import upscale
from drnsr.inference.engine import Engine, Planes, TorchEngine
from drnsr.inference.holes import filled, mark_holes


def enlarge_part(engine: Engine, picture: Picture, part: Pixels, ensemble: bool) -> Pixels:
    """Enlarge pixels of a picture.

    Args:
        engine: the network.
        picture: where the pixels are from.
        part: (h, w, C) of the picture's type.
        ensemble: the mean over the eight symmetries of the square (Lim et al. 2017, section 3.4).

    Returns:
        (scale*h, scale*w, C) of the same type. Whole numbers are rounded and clipped; floating
        point is neither.
    """
    channels = picture.channels
    values = _between(part, *picture.value_range)
    if channels.alpha is not None:
        values[:, :, channels.alpha] = _between(part[:, :, channels.alpha], *_alpha_range(picture))
    known = _seen(picture, part)
    if known is not None and not known.all():
        values = filled(values, known)
    enlarged = np.empty(
        (part.shape[0] * engine.scale, part.shape[1] * engine.scale, channels.count), np.float32
    )
    for group in channels.groups:
        enlarged[:, :, group] = _enlarge_group(engine, values[:, :, group], ensemble)
    if channels.alpha is not None:
        alpha = [channels.alpha]
        enlarged[:, :, alpha] = _enlarge_group(engine, values[:, :, alpha], ensemble)
    pixels = _as_stored(enlarged, picture)
    if picture.keeps_holes:
        rows, columns = (np.arange(length).repeat(engine.scale) for length in part.shape[:2])
        mark_holes(pixels, picture, part, rows, columns)
    return pixels


def start_part(
    engine: Engine, picture: Picture, part: Pixels, ensemble: bool
) -> Callable[[], Pixels] | None:
    """Begin what :func:`enlarge_part` does, where a device of its own can do all of it.

    That is RGB of 8 bits; other pictures are brought to the network's values on the CPU.

    Returns:
        What waits for the pixels; None where it cannot.

    Raises:
        MemoryShortageError: there is not enough memory for a part of this size.
    """
    if not isinstance(engine, TorchEngine) or not engine.queues or ensemble:
        return None
    of_network = engine.descriptor.colour == "RGB" and part.shape[2] == 3
    of_picture = len(picture.channels.groups) == 1 and not picture.may_have_holes
    in_bytes = part.dtype == np.uint8 and tuple(picture.value_range) == (0.0, 255.0)
    return engine.start(part) if of_network and of_picture and in_bytes else None


def _between(part: Pixels, low: float, high: float) -> Planes:
    """Values of a picture as the network's, 0 at ``low`` and 1 at ``high``."""
    span = (high - low) or 1.0
    if part.dtype.itemsize > 2:
        # What lies far from zero and close together would be one value in float32.
        return ((part.astype(np.float64) - low) / span).astype(np.float32)
    values: Planes = (part.astype(np.float32) - np.float32(low)) / np.float32(span)
    return values


def _alpha_range(picture: Picture) -> tuple[float, float]:
    return full_range(picture.dtype)


def _seen(picture: Picture, part: Pixels) -> NDArray[np.bool_] | None:
    """(h, w, C): where there is something to go by; None where there is everywhere."""
    known = picture.known(part)
    alpha = picture.channels.alpha
    if alpha is None:
        return known
    seen = np.ones(part.shape, bool) if known is None else known
    transparent = part[:, :, alpha] <= _alpha_range(picture)[0]
    seen[transparent, :alpha] = False
    return seen


def _enlarge_group(engine: Engine, values: Planes, ensemble: bool) -> Planes:
    """(h, w, 3) RGB or (h, w, 1) gray, 0..1, through a network on RGB or on luma.

    Gray goes through a network on RGB as three equal channels and comes back as their mean; to a
    network on luma it is the luma. Of RGB such a network gets the luma, not rounded, while the two
    chroma planes are enlarged bicubically, as such networks' papers do.
    """
    gray = values.shape[2] == 1
    if engine.descriptor.colour == "RGB":
        enlarged = _run(engine, np.repeat(values, 3, axis=2) if gray else values, ensemble)
        return enlarged.mean(axis=2, keepdims=True) if gray else enlarged
    if gray:
        return _run(engine, values, ensemble)
    ycbcr = rgb_to_ycbcr(values.astype(np.float64) * 255)
    luma = _run(engine, (ycbcr[:, :, :1] / 255).astype(np.float32), ensemble)
    chroma = upscale(ycbcr[:, :, 1:], engine.scale)
    rgb = ycbcr_to_rgb(np.concatenate([luma.astype(np.float64) * 255, chroma], axis=2))
    return (rgb / 255).astype(np.float32)


def _run(engine: Engine, values: Planes, ensemble: bool) -> Planes:
    """(h, w, C) through the network."""
    planes = values.transpose(2, 0, 1)[None]
    if not ensemble:
        enlarged = engine(planes)
    else:
        ways = _in_eight_ways(engine, planes)
        enlarged = next(ways)
        for other in ways:
            enlarged = enlarged + other
        enlarged = enlarged / np.float32(8)
    turned: Planes = enlarged[0].transpose(1, 2, 0)
    return turned


def _in_eight_ways(engine: Engine, planes: Planes) -> Iterator[Planes]:
    for turns in range(4):
        for mirrored in (False, True):
            seen = np.rot90(planes, turns, axes=(2, 3))
            seen = seen[:, :, :, ::-1] if mirrored else seen
            enlarged = engine(np.ascontiguousarray(seen))
            enlarged = enlarged[:, :, :, ::-1] if mirrored else enlarged
            yield np.rot90(enlarged, -turns, axes=(2, 3))


def _as_stored(enlarged: Planes, picture: Picture) -> Pixels:
    """Values of 0..1 as the picture's own."""
    alpha = picture.channels.alpha
    stored = enlarged.astype(np.float64) if picture.dtype.itemsize > 2 else enlarged
    low, high = picture.value_range
    stored = stored * ((high - low) or 1.0) + low
    if alpha is not None:
        clear, opaque = _alpha_range(picture)
        stored[:, :, alpha] = enlarged[:, :, alpha] * (opaque - clear) + clear
    if np.issubdtype(picture.dtype, np.integer):
        stored = stored.round().clip(*_limits(picture.dtype, stored.dtype))
    pixels: Pixels = stored.astype(picture.dtype)
    return pixels


def _limits(stored: np.dtype[Any], computed: np.dtype[Any]) -> tuple[float, float]:
    """Least and largest whole number of a type, of those that a floating-point type has."""
    limits = np.iinfo(stored)
    largest = computed.type(limits.max)
    if int(largest) > limits.max:  # rounded up, beyond what can be stored
        largest = np.nextafter(largest, computed.type(0))
    return float(limits.min), float(largest)
