"""Tiny clips of our own making, and what FFmpeg reads of a clip."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

TIME_BASE = Fraction(1, 600)


def picture(number: int, width: int, height: int) -> np.ndarray:
    """A smooth picture that moves from frame to frame."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin((x * (c + 1) + y * 2 + number * 3) / 9) for c in range(3)]
    return np.uint8(127 + 90 * np.stack(waves, 2))


def make_clip(
    path,
    *,
    codec="libx264",
    pixel_format="yuv420p",
    size=(32, 24),
    pts=tuple(range(0, 240, 24)),
    time_base=TIME_BASE,
    sound=None,
    subtitles=None,
    colours=(1, 1, 1, 1),
    aspect=None,
    muxer=None,
    options=None,
    frame=None,
    interlaced=False,
    tags=None,
):
    """Write a clip; ``colours`` are the matrix, range, primaries and transfer."""
    width, height = size
    with av.open(str(path), "w", format=muxer) as out:
        out.metadata.update(tags or {})
        stream = out.add_stream(codec, rate=25, options=options or {})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pixel_format
        context.time_base = time_base
        context.colorspace, context.color_range = colours[:2]
        context.color_primaries, context.color_trc = colours[2:]
        if interlaced:
            context.flags |= (1 << 18) | (1 << 29)  # interlaced DCT and motion estimation
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        heard = out.add_stream(sound, rate=48000) if sound else None
        read = out.add_stream(subtitles) if subtitles else None
        for number, stamp in enumerate(pts):
            if frame is None:
                shown = av.VideoFrame.from_ndarray(picture(number, *size), "rgb24")
                shown = shown.reformat(format=pixel_format)
            else:
                shown = frame(number)
            shown.pts, shown.time_base = stamp, time_base
            shown.colorspace, shown.color_range = colours[:2]
            out.mux(stream.encode(shown))
        out.mux(stream.encode(None))
        if heard is not None:
            _add_sound(out, heard, float(pts[-1] * time_base))
        if read is not None:
            packet = av.Packet(b"1 word")
            packet.stream, packet.pts, packet.dts, packet.duration = read, 10, 10, 100
            packet.time_base = Fraction(1, 1000)
            out.mux(packet)


def _add_sound(out, stream, seconds):
    for number in range(round(seconds * 48000 / 1024) + 1):
        wave = np.sin(np.arange(1024) / (9 + number)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48000, number * 1024
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


@dataclass
class Read:
    """What FFmpeg reads of a clip."""

    frames: list
    times: list
    size: tuple
    pixel_format: str
    colours: tuple
    aspect: Fraction | None
    rotation: int
    codec: str
    tags: dict
    packets: dict  # of the other streams, by kind: (time in seconds, bytes)


def read_clip(path) -> Read:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        first = frames[0]
        found = Read(
            frames=frames,
            times=[frame.pts * stream.time_base for frame in frames],
            size=(first.width, first.height),
            pixel_format=first.format.name,
            colours=tuple(
                int(each)
                for each in (
                    first.colorspace,
                    first.color_range,
                    first.color_primaries,
                    first.color_trc,
                )
            ),
            aspect=stream.sample_aspect_ratio,
            rotation=first.rotation,
            codec=stream.codec_context.codec.canonical_name,
            tags=dict(container.metadata),
            packets={},
        )
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type != "video" and packet.size:
                place = packet.pts * packet.stream.time_base, bytes(packet)
                found.packets.setdefault(packet.stream.type, []).append(place)
    return found
