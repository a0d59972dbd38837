"""Drawing on pictures: frames, captions, magnified pixels, and images as data URLs."""

import base64
import io

from PIL import Image, ImageDraw, ImageFont

INK = (32, 33, 36)
"""The colour of text."""

FAINT_INK = (95, 99, 104)
"""The colour of notes."""

_FRAME_COLOURS = ("black", "yellow")  # one of them stands out on any picture


def magnify(image: Image.Image, times: int) -> Image.Image:
    """Repeat each pixel as a square of ``times`` x ``times`` pixels."""
    size = image.width * times, image.height * times
    return image.resize(size, Image.Resampling.NEAREST)


def draw_frame(image: Image.Image, box: tuple[int, int, int, int], thickness: int) -> None:
    """Draw a frame of two lines around a box, a black one outside and a yellow one inside.

    Args:
        image: an RGB image, which is changed in place.
        box: (left, top, right, bottom) of the outer line in pixels, inclusive. Lines outside of
            the image are not drawn.
        thickness: of each line in pixels.
    """
    left, top, right, bottom = box
    for inset, colour in zip((0, thickness), _FRAME_COLOURS, strict=True):
        corners = (left + inset, top + inset, right - inset, bottom - inset)
        if corners[0] <= corners[2] and corners[1] <= corners[3]:
            ImageDraw.Draw(image).rectangle(corners, outline=colour, width=thickness)


def draw_text(
    image: Image.Image,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int] = INK,
    max_width: float = float("inf"),
) -> None:
    """Draw a line of text, shortened with an ellipsis to ``max_width`` pixels.

    Args:
        image: an RGB image, which is changed in place.
        at: (x, y) of the upper left corner.
        text: the line.
        size: of the font in pixels.
        colour: of the text.
        max_width: in pixels.
    """
    font = ImageFont.load_default(size)
    line = text
    while font.getlength(line) > max_width and len(line) > 1:
        text = text[:-1]
        line = f"{text}..."
    ImageDraw.Draw(image).text(at, line, fill=colour, font=font)


def jpeg_url(image: Image.Image, quality: int = 90) -> str:
    """Encode an image as a data URL; chroma is not subsampled, so that single pixels are kept."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, subsampling=0)
    return data_url(buffer.getvalue(), "image/jpeg")


def png_url(image: Image.Image, icc: bytes | None = None) -> str:
    """Encode an image without loss as a data URL.

    Args:
        image: the image.
        icc: its colour profile.
    """
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", icc_profile=icc)
    return data_url(buffer.getvalue(), "image/png")


def data_url(content: bytes, media_type: str) -> str:
    """Encode the content of a file as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
