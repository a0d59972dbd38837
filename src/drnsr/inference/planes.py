"""From the pixels of a part of a picture to those of the enlarged part, whatever the channels."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from drnsr.formats.picture import Channels, Picture, Pixels
from drnsr.imaging.colour import rgb_to_ycbcr, ycbcr_to_rgb
from drnsr.imaging.resize import upscale
from drnsr.inference.engine import Engine, Planes

FILL = 8
"""How far, in LR pixels, colour flows into holes; a network sees hardly any further."""


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
    low, high = picture.value_range
    channels = picture.channels
    values = _between(part, low, high)
    known = _known(picture, part)
    if known is not None and not known.all():
        values = _filled(values, known, channels)
    enlarged = np.empty(
        (part.shape[0] * engine.scale, part.shape[1] * engine.scale, channels.count), np.float32
    )
    for group in channels.groups:
        enlarged[:, :, group] = _enlarge_group(engine, values[:, :, group], ensemble)
    if channels.alpha is not None:
        alpha = [channels.alpha]
        enlarged[:, :, alpha] = _enlarge_group(engine, values[:, :, alpha], ensemble)
    pixels = _as_stored(enlarged, picture)
    if known is not None and channels.alpha is None:
        _mark_holes(pixels, picture, part, known, engine.scale)
    return pixels


def _between(part: Pixels, low: float, high: float) -> Planes:
    """Values of a picture as the network's, 0 at ``low`` and 1 at ``high``."""
    span = (high - low) or 1.0
    if part.dtype.itemsize > 2:
        # What lies far from zero and close together would be one value in float32.
        return ((part.astype(np.float64) - low) / span).astype(np.float32)
    values: Planes = (part.astype(np.float32) - np.float32(low)) / np.float32(span)
    return values


def _known(picture: Picture, part: Pixels) -> NDArray[np.bool_] | None:
    """(h, w) or (h, w, C): where there is something to go by; None where there is everywhere."""
    if picture.channels.alpha is not None:
        alpha = part[:, :, picture.channels.alpha]
        seen: NDArray[np.bool_] = alpha > picture.value_range[0]
        return seen[:, :, None]
    if not picture.may_have_holes:
        return None
    known = np.isfinite(part)
    if picture.nodata is not None:
        known &= part != picture.nodata
    return known


def _filled(values: Planes, known: NDArray[np.bool_], channels: Channels) -> Planes:
    """Let the colour around a hole flow into it, so that its edge shows nothing of what was there.

    Each step gives the unknown pixels the mean of their known neighbours; what is still unknown
    after all of them becomes zero, too far from anything that is seen to matter.
    """
    colours = [number for group in channels.groups for number in group]
    colour = torch.from_numpy(values[:, :, colours]).permute(2, 0, 1)[:, None]  # (C, 1, h, w)
    mask = torch.from_numpy(known).permute(2, 0, 1)[:, None].float()  # (C or 1, 1, h, w)
    colour = torch.where(mask > 0, colour, torch.zeros(()))
    for _ in range(FILL):
        weight = F.avg_pool2d(mask, 3, stride=1, padding=1)
        mean = F.avg_pool2d(colour, 3, stride=1, padding=1) / weight.clamp_min(1e-6)
        reached = (weight > 0) & (mask == 0)
        colour = torch.where(reached, mean, colour)
        mask = torch.where(reached, torch.ones(()), mask)
    filled = values.copy()
    filled[:, :, colours] = colour[:, 0].permute(1, 2, 0).numpy()
    return filled


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
    low, high = picture.value_range
    stored = enlarged.astype(np.float64) if picture.dtype.itemsize > 2 else enlarged
    stored = stored * ((high - low) or 1.0) + low
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


def _mark_holes(
    pixels: Pixels, picture: Picture, part: Pixels, known: NDArray[np.bool_], scale: int
) -> None:
    """Let holes be what they were, and nothing else: rounding could give the value by chance."""
    if picture.nodata is not None and np.issubdtype(picture.dtype, np.integer):
        upwards = picture.nodata < np.iinfo(picture.dtype).max
        pixels[pixels == picture.nodata] += 1 if upwards else -1
    if not known.all():
        hole = ~known.repeat(scale, axis=0).repeat(scale, axis=1)
        pixels[hole] = part.repeat(scale, axis=0).repeat(scale, axis=1)[hole]
