"""Errors about picture files."""

from drnsr.errors import UserError


class ImageError(UserError):
    """A file that cannot be read as a picture."""


class FormatError(UserError):
    """A format that cannot hold an upscaled picture."""
