"""What a file states: the ends of clips that start late, and how players turn frames."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from drnsr.video.clip import open_clip
from tests.video.clips import make_clip

ONE = 1 << 16

# QuickTime File Format, "Matrices": x' = a x + c y, y' = b x + d y.
TURNS = {
    "clockwise": ((0, ONE, 0, -ONE, 0), lambda pixels: np.rot90(pixels, -1)),
    "counterclockwise": ((0, -ONE, 0, ONE, 0), np.rot90),
    "upside down": ((-ONE, 0, 0, 0, -ONE), lambda pixels: np.rot90(pixels, 2)),
    "mirrored": ((-ONE, 0, 0, 0, ONE), np.fliplr),
    "upright": ((ONE, 0, 0, 0, ONE), np.asarray),
}


@pytest.mark.parametrize("name", TURNS)
def test_frames_are_turned_as_players_turn_them(tmp_path, name):
    numbers, turned = TURNS[name]
    make_clip(tmp_path / "a.mp4", pts=[0, 24])
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", *numbers, 0, 0, 0, 1 << 30)
    (tmp_path / "a.mp4").write_bytes(content)
    pixels = np.arange(24 * 32 * 3).reshape(24, 32, 3)
    with open_clip(tmp_path / "a.mp4") as opened:
        assert np.array_equal(opened.info.upright(pixels), turned(pixels))


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.flv"])
def test_a_clip_that_starts_late_is_complete(tmp_path, monkeypatch, name):
    codec = "flv1" if name == "a.flv" else "libx264"
    sound = "mp3" if name == "a.flv" else "aac"
    path = Path(tmp_path / name)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        heard = out.add_stream(sound, rate=44100)
        for number in range(10):
            frame = av.VideoFrame(32, 24, "yuv420p")
            frame.pts, frame.time_base = 250 + number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for number in range(500):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            frame.sample_rate, frame.pts = 44100, number * 1024
            out.mux(heard.encode(frame))
        out.mux(heard.encode(None))
    with open_clip(path) as opened:
        stamps = [each.pts for each in opened.frames()]
        seconds = float((stamps[-1] - stamps[0]) * opened.info.time_base)
        assert seconds == pytest.approx(9 / 25, abs=0.002)
        # The sound ends after 11.6 s, the pictures after 10.4 s.
        assert opened.info.duration < 1.7
        if name != "a.flv":
            assert opened.shortfall(seconds) == ""
