"""The warping error of a video, as PSNR: how equal a point stays from frame to frame.

Lai et al. 2018 (Learning Blind Video Temporal Consistency, section 4.1) warp a frame onto the next
by the optical flow, and compare the points that are seen in both. Without motion it is the PSNR of
neighbouring frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.generic]
"""(H, W, 3), 0..255."""


@dataclass(frozen=True)
class Motion:
    """Where the points of a frame were in the frame before.

    Attributes:
        flow: (H, W, 2), from a pixel to that place: columns, and rows.
        is_seen: (H, W), whether the point is seen in both frames.
    """

    flow: NDArray[np.float32]
    is_seen: NDArray[np.bool_]


def uniform_motion(size: tuple[int, int], step: tuple[float, float], border: int) -> Motion:
    """Return the motion of a picture that moves as a whole.

    Args:
        size: (height, width).
        step: the columns and rows from a point to its place in the frame before.
        border: the width of an edge of both frames that is left out.
    """
    flow = np.broadcast_to(np.float32(step), (*size, 2)).copy()
    return Motion(flow, _is_inside(flow, border))


def estimated_motion(before: Frame, after: Frame) -> Motion:
    """Return the motion between two frames of uint8 by DIS optical flow (Kroeger et al. 2016).

    Points are left out whose flow there and back does not end where it began (Ruder et al. 2016,
    Artistic Style Transfer for Videos, equation 5).
    """
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = method.calc(gray[1], gray[0], None), method.calc(gray[0], gray[1], None)
    returned = _warped(back, there)
    lengths = np.square(there).sum(axis=2) + np.square(returned).sum(axis=2)
    is_seen = np.square(there + returned).sum(axis=2) <= 0.01 * lengths + 0.5
    return Motion(there, is_seen & _is_inside(there, 0))


def warped_psnr(frames: Sequence[Frame], motions: Sequence[Motion]) -> float:
    """Return the PSNR in dB of each frame and the one before, warped onto it, over all of them.

    Args:
        frames: of equal size, two or more.
        motions: from each frame but the first to the one before.

    Returns:
        More is steadier; infinite if all points keep their colours.
    """
    errors, count = 0.0, 0
    for (before, after), motion in zip(pairwise(frames), motions, strict=True):
        moved = _warped(before.astype(np.float32), motion.flow)
        differences = (moved - after.astype(np.float32))[motion.is_seen].astype(np.float64)
        errors, count = errors + float(np.square(differences).sum()), count + differences.size
    return float(10 * np.log10(255**2 * count / errors)) if errors else float("inf")


def _warped(values: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values (H, W, C) at the places that the flow of each pixel ends at."""
    columns, rows = _places(flow)
    moved: NDArray[np.float32] = cv2.remap(
        values, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def _places(flow: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    return columns + flow[:, :, 0], rows + flow[:, :, 1]


def _is_inside(flow: NDArray[np.float32], border: int) -> NDArray[np.bool_]:
    """Return whether a pixel and its place in the frame before are at least so far from an edge."""
    height, width = flow.shape[:2]
    is_inside = np.ones((height, width), bool)
    for columns, rows in (_places(np.zeros_like(flow)), _places(flow)):
        is_inside &= (columns >= border) & (columns <= width - 1 - border)
        is_inside &= (rows >= border) & (rows <= height - 1 - border)
    return is_inside
