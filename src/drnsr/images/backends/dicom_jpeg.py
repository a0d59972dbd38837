"""The JPEG processes of DICOM that Pillow does not decode, as a plugin of pydicom.

They are JPEG Extended with 12 bits, JPEG Lossless and JPEG-LS (PS3.5, 8.2.1 and 8.2.3).
"""

import struct

import imagecodecs
from pydicom import uid
from pydicom.pixels.decoders.base import Decoder, DecodeRunner, get_decoder

PLUGIN = "imagecodecs"
"""The name under which pydicom knows the decoder."""

_JPEG = (uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)

DECODER_DEPENDENCIES = dict.fromkeys((*_JPEG, *uid.JPEGLSTransferSyntaxes), ("imagecodecs",))
"""The transfer syntaxes that are decoded, under the name that pydicom looks for."""

# SOF1 and SOF3 of JPEG (SOF0, if a file states Extended for Baseline), and SOF55 of JPEG-LS.
_FRAME_HEADERS = (0xC0, 0xC1, 0xC3, 0xF7)
_FILL = 0xFF


def is_available(syntax: str) -> bool:
    """Return whether a transfer syntax can be decoded; pydicom asks."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Decode a frame, for pydicom.

    Colours are not converted: the attributes of the file say what they are, not the JPEG stream.

    Args:
        source: the frame's JPEG stream.
        runner: pydicom's options; the layout of the decoded pixels is set in it.

    Returns:
        The values, colour by pixel.

    Raises:
        ValueError: the stream is of another size than the file states.
        RuntimeError: it is damaged.
    """
    size = _stated_size(source)
    if size != (runner.rows, runner.columns):
        raise ValueError(f"a frame of the size {size}, not {runner.rows, runner.columns}")
    if runner.transfer_syntax in uid.JPEGLSTransferSyntaxes:
        pixels = imagecodecs.jpegls_decode(source)
    else:
        kind = "YCBCR" if runner.samples_per_pixel > 1 else None  # the same before and after
        pixels = imagecodecs.jpeg8_decode(source, colorspace=kind, outcolorspace=kind)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    return bytes(pixels.tobytes())


def _stated_size(source: bytes) -> tuple[int, int] | None:
    """Return height and width by the frame header of a JPEG stream (ISO/IEC 10918-1, B.2.2)."""
    place = 2  # behind the marker that begins the stream
    while source[place : place + 1] == b"\xff":
        marker, length = source[place + 1], int.from_bytes(source[place + 2 : place + 4], "big")
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", source, place + 5)
            return height, width
        place += 1 if marker == _FILL else 2 + length
    return None


def decoder_of(syntax: uid.UID) -> Decoder:
    """Return pydicom's decoder of a transfer syntax, with the plugin if that can decode it."""
    decoder = get_decoder(syntax)
    if is_available(syntax) and PLUGIN not in decoder.available_plugins:
        decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
    return decoder
