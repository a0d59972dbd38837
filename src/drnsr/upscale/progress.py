"""What an upscaling reports while it runs."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class FrameCount:
    """The progress of a video.

    Attributes:
        done: the number of frames that are upscaled.
        total: of the video; 0 if it is not known.
        per_second: the frames that are upscaled in a second.
    """

    done: int
    total: int
    per_second: float

    def __str__(self) -> str:
        of = f" of {self.total}" if self.total else ""
        text = f"frame {self.done}{of}, {self.per_second:.2f} frames/s"
        left = round((self.total - self.done) / self.per_second)
        return f"{text}, {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left" if of else text


JobReport = Callable[[int | str | FrameCount], None]
"""Called with the number of source pixels upscaled since the last call, with a note, or with the
progress of a video."""
