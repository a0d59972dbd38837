"""The requests of a user that concern videos alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipOptions:
    """How videos are read and written.

    Attributes:
        codec: a key of :data:`drnsr.video.codecs.CODECS`; None for that of the source.
        crf: the constant rate factor, less for better; None for the default of the codec.
        container: a key of :data:`drnsr.video.files.CONTAINERS`; None for that of the source.
        deinterlace: whether interlaced frames are made progressive; else they are refused.
        temporal: whether frames are averaged over time where the source does not change: see
            :class:`drnsr.video.temporal.TemporalMean`.
    """

    codec: str | None = None
    crf: int | None = None
    container: str | None = None
    deinterlace: bool = False
    temporal: bool = False
