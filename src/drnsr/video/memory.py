"""The memory that upscaling a video needs, estimated before it begins."""

from drnsr.video.probe import ClipInfo
from drnsr.video.temporal import FRAMES_BEFORE

LIMIT_BYTES = 2**31
"""The memory that no video should need; codecs are chosen for it, and a note says if it does."""

# The program with its libraries and a model, and a tile of large frames in the network.
_PROGRAM_BYTES = 0.65e9

# Frames of RGB of the result: one that the network writes, one that is encoded, and the planes that
# the latter becomes, which have more than 8 bits in full resolution first.
_LARGE_FRAMES, _DEEP_LARGE_FRAMES = 2.5, 3.5

# Frames of the source: three of RGB between decoder and network, and ten as planes in the decoder.
_SMALL_FRAMES, _DECODED_FRAMES = 3, 10


def bytes_beside_encoder(info: ClipInfo, size: tuple[int, int], *, temporal: bool) -> float:
    """Estimate the memory of an upscaling without its encoder.

    Args:
        info: the source.
        size: (width, height) of the result.
        temporal: whether frames are averaged over time.
    """
    value_bytes = 2 if info.is_deep else 1
    large, small = size[0] * size[1] * value_bytes, info.width * info.height * value_bytes
    frames = 3 * large * (_DEEP_LARGE_FRAMES if info.is_deep else _LARGE_FRAMES)
    frames += small * (3 * _SMALL_FRAMES + 1.5 * _DECODED_FRAMES)
    if temporal:
        frames += 3 * FRAMES_BEFORE * (large + small) + 4 * FRAMES_BEFORE * info.width * info.height
    return _PROGRAM_BYTES + frames
