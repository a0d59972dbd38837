"""Which files are videos, and the names of their results."""

from fractions import Fraction
from pathlib import Path

import pytest

from drnsr.video.files import ending, is_video
from tests.video.clips import make_clip

KINDS = {
    **dict.fromkeys(("mp4", "mov", "matroska", "avi", "nut"), "mpeg4"),
    **dict.fromkeys(("mpegts", "mxf"), "mpeg2video"),
    **dict.fromkeys(("webm", "ivf"), "libvpx"),
    **{"mpeg": "mpeg1video", "flv": "flv", "asf": "wmv2", "yuv4mpegpipe": "wrapped_avframe"},
}


@pytest.mark.parametrize(("muxer", "codec"), KINDS.items())
def test_a_video_is_known_by_its_content(tmp_path, muxer, codec):
    path = tmp_path / "clip"
    make_clip(path, muxer=muxer, codec=codec, time_base=Fraction(1, 25), pts=range(3))
    assert is_video(path)


def test_what_is_no_video(tmp_path):
    for name, content in {
        "a.ts": b"const a = 1",
        "a.txt": b"",
        "a.m4a": b"\0\0\0\x20ftypM4A ",
        "b.m4a": b"\0\0\0\x20ftypisom",
        "a.wav": b"RIFF\0\0\0\0WAVE",
        "a.ogg": b"OggS",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert not is_video(tmp_path / name)
    (tmp_path / "a.mp4").write_bytes(b"")
    assert is_video(tmp_path / "a.mp4")  # a damaged one, which is reported
    assert not is_video(tmp_path)
    assert not is_video(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    ("source", "container", "codec", "wanted"),
    [
        ("a.M4V", None, None, ".M4V"),
        ("a.avi", None, None, ".mkv"),
        ("a.mp4", None, "prores", ".mov"),
        ("a.mp4", None, "ffv1", ".mkv"),
        ("a.mkv", None, "h264", ".mkv"),
        ("a.webm", None, "h264", ".mp4"),
        ("a.mp4", "webm", None, ".webm"),
    ],
)
def test_the_suffix_of_a_result(source, container, codec, wanted):
    assert ending(Path(source), container, codec) == wanted
