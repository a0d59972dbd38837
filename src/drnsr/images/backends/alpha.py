"""Colour that is multiplied by alpha (premultiplied, associated)."""

import numpy as np

from drnsr.images.picture import Pixels


def divided_by_alpha(pixels: Pixels, alpha: int, white: float = 1.0) -> Pixels:
    """Divide colour by alpha, as upscaling takes it; that of transparent pixels stays as it is.

    Args:
        pixels: (H, W, C) with alpha after all colours.
        alpha: the number of its channel.
        white: the alpha of opaque pixels.
    """
    opacity = pixels[:, :, [alpha]].astype(np.float64) / white
    colour = pixels[:, :, :alpha] / np.where(opacity > 0, opacity, 1)
    colour = np.minimum(colour, white).round() if pixels.dtype.kind == "u" else colour
    whole: Pixels = np.concatenate([colour.astype(pixels.dtype), pixels[:, :, alpha:]], axis=2)
    return whole
