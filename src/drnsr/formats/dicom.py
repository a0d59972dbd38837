"""DICOM, the format of medical imaging: MONOCHROME pictures, with what they measure kept."""

from collections.abc import Sequence
from pathlib import Path

from drnsr.formats.file import FormatError, Made, Page


def read_frames(path: Path, value_range: tuple[float, float] | None) -> list[Page]:
    """The frames of a file."""
    raise FormatError("DICOM is not read yet")


def frame_pixels(path: Path) -> int:
    """How many pixels all frames have together."""
    return 0


def write_frames(path: Path, pages: Sequence[Made], text: str) -> None:
    """Write the frames."""
    raise FormatError("DICOM is not written yet")
