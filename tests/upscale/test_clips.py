"""`drnsr upscale` of videos: the oracle is what FFmpeg reads of source and result."""

import errno
import os
import re
import signal
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from drnsr.cli import main
from drnsr.images.resize import upscale
from drnsr.inference.tiling import AUTO_TILE, Tiling
from drnsr.networks import DRNSR
from drnsr.upscale import clips
from drnsr.upscale.provenance import read_provenance
from drnsr.video import clip, codecs, segments
from drnsr.video.decoding import decode_packets
from drnsr.video.hdr import Hdr10, read_hdr10
from drnsr.video.memory import bytes_beside_encoder
from drnsr.video.options import ClipOptions
from drnsr.weights.native import Origin, save_model
from tests.video.clips import make_clip, picture, read_clip

LOSSLESS = ("--codec", "ffv1", "--container", "mkv")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an untrained network, which is bicubic."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    save_model(tmp_path / "m.safetensors", network, Origin("c" * 64, "d" * 64, "e"))
    return tmp_path


def run(*arguments):
    main(["upscale", *map(str, arguments), "--model", "m.safetensors", "--out", "out"])


def names(folder):
    return sorted(each.name for each in Path(folder).iterdir())


def luma(frame):
    return frame.to_ndarray()[: frame.height]


def test_every_frame_keeps_its_time_and_the_sound_its_bytes(folder, capsys):
    stamps = [0, 24, 30, 90, 91, 200, 260, 500]  # at a variable rate
    make_clip("a.mp4", pts=stamps, sound="aac", tags={"title": "T", "comment": "mine"})
    run("a.mp4", "--crf", "1")
    before, after = read_clip("a.mp4"), read_clip("out/a_x2.mp4")
    assert after.times == before.times == [Fraction(each, 600) for each in stamps]
    assert after.packets == before.packets
    assert after.packets["audio"]
    assert (after.size, after.codec, after.pixel_format) == ((64, 48), "h264", "yuv420p")
    assert after.colours == before.colours == (1, 1, 1, 1)
    for small, large in zip(before.frames, after.frames, strict=True):
        bicubic = upscale(luma(small)[:, :, None].astype(np.float64), 2)[:, :, 0]
        assert np.abs(luma(large) - bicubic).mean() < 1.5
    assert after.tags["title"] == "T"
    assert after.tags["comment"].startswith("mine drnsr: {")
    assert read_provenance(Path("out/a_x2.mp4")).model == "m.safetensors"
    assert names("out") == ["a_x2.mp4"]
    main(["info", "out/a_x2.mp4"])
    printed = capsys.readouterr().out
    assert re.search(r"(?m)^video: +upscaled 2 times.*\nmodel: +m\.safetensors", printed)
    main(["info", "a.mp4"])
    assert "h264, yuv420p, 32 x 24 pixels, 8 frames; no record of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "colours", "more"),
    [
        ("a.mp4", "hevc", "yuv420p10le", (9, 1, 9, 16), {"x265-params": "log-level=none"}),
        ("a.webm", "vp9", "yuv420p", (5, 1, 2, 2), {"deadline": "realtime", "cpu-used": "8"}),
        ("a.mov", "prores", "yuv422p10le", (1, 1, 1, 1), {}),
        ("a.mkv", "ffv1", "yuv444p12le", (9, 2, 9, 14), {}),
        ("b.mkv", "ffv1", "bgr0", (0, 2, 1, 13), {}),
        ("c.mkv", "ffv1", "gray", (1, 1, 1, 1), {}),
        ("c.mp4", "h264", "yuvj420p", (5, 2, 5, 6), {}),
    ],
)
def test_codecs_depths_and_colours_stay(folder, name, codec, pixel_format, colours, more):
    encoder = {"vp9": "libvpx-vp9", "prores": "prores_ks", "h264": "libx264", "hevc": "libx265"}
    make_clip(
        name,
        codec=encoder.get(codec, codec),
        pixel_format=pixel_format,
        colours=colours,
        options=more,
        size={"vp9": (33, 17), "ffv1": (33, 17), "hevc": (72, 66)}.get(codec, (34, 18)),
        pts=range(0, 240, 24),
    )
    run(name)
    before, after = read_clip(name), read_clip("out/" + name.replace(".", "_x2."))
    assert (after.codec, after.pixel_format) == (codec, pixel_format)
    assert after.colours == before.colours
    assert after.times == before.times
    assert after.size == tuple(2 * side for side in before.size)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_large_frames_are_encoded_without_looking_ahead(folder, codec, monkeypatch):
    monkeypatch.setattr(codecs, "LARGE_FRAME", 0)
    monkeypatch.setattr(clips, "WAITING_BYTES", 0)
    monkeypatch.setattr(clips, "LARGE_FRAME_TILE", 32)
    make_clip("a.mkv", codec="ffv1", size=(64, 64), pts=range(0, 240, 24))
    run("a.mkv", "--codec", codec)
    before, after = read_clip("a.mkv"), read_clip("out/a_x2.mkv")
    assert (after.codec, after.times) == (codec, before.times)
    for small, large in zip(before.frames, after.frames, strict=True):
        bicubic = upscale(luma(small)[:, :, None].astype(np.float64), 2)[:, :, 0]
        assert np.abs(luma(large) - bicubic).mean() < 3


def test_a_picture_after_a_large_video_has_tiles_of_the_usual_size(folder, monkeypatch):
    sides = []

    def iter_rows(self, picture, advance=lambda _: None):
        sides.append((picture.width, self.side))
        return iterate(self, picture, advance)

    iterate = Tiling.iter_rows
    monkeypatch.setattr(Tiling, "iter_rows", iter_rows)
    monkeypatch.setattr(clips, "WAITING_BYTES", 0)
    make_clip("a.mkv", codec="ffv1", pts=[0])
    Image.new("RGB", (40, 20)).save("b.png")
    run("a.mkv", "b.png")
    assert sides == [(32, clips.LARGE_FRAME_TILE), (40, AUTO_TILE)]


def test_the_default_codec_of_large_frames_needs_little_memory(folder):
    make_clip("a.mp4", codec="libx265", size=(72, 66), options={"x265-params": "log-level=none"})
    with clip.open_clip(Path("a.mp4")) as opened:
        info = opened.info

    def chosen(scale, codec=None, temporal=False, **changes):
        uhd = replace(info, width=3840, height=2160, **changes)
        options = ClipOptions(codec=codec, temporal=temporal)
        return codecs.choose_encoding(uhd, (3840 * scale, 2160 * scale), options, "mp4")

    assert (chosen(1).codec, chosen(1).notes) == ("hevc", ())
    (note,) = chosen(2).notes
    assert chosen(2).codec == "h264"
    assert note.startswith("its codec becomes h264: hevc needs more memory for frames of this size")
    (note,) = chosen(2, "hevc").notes
    assert re.match(
        r"needs about 2\.\d GiB of memory with hevc, and 1\.\d GiB with --codec h264", note
    )
    assert any("GiB of memory" in note for note in chosen(2, temporal=True).notes)
    deep = chosen(2, pixel_format="yuv420p10le", bits=10)
    assert re.match(
        r"needs about \d\.\d GiB of memory with hevc, and 2.\d GiB with --codec av1$",
        deep.notes[-1],
    )


def test_the_documented_memory_is_the_estimate(folder):
    make_clip("a.mp4", pts=[0])
    with clip.open_clip(Path("a.mp4")) as opened:
        info = replace(opened.info, width=3840, height=2160)
    page = (Path(__file__).parents[2] / "docs" / "video.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (\d+) bits, GiB \| (.*) \|$", page)
    assert [bits for bits, _ in rows] == ["8", "10"]
    for bits, cells in rows:
        clips_info = replace(info, bits=int(bits))
        beside = bytes_beside_encoder(clips_info, (7680, 4320), temporal=False)
        for known, cell in zip(codecs.CODECS.values(), cells.split(" | "), strict=True):
            size = beside + 7680 * 4320 * known.pixel_bytes[clips_info.is_deep]
            assert cell in ("-", f"{size / 2**30:.1f}")


def test_10_bits_are_seen_by_the_network(folder):
    def ramp(_):
        frame = av.VideoFrame(512, 16, "yuv420p10le")
        rows = np.frombuffer(frame.planes[0], np.uint16).reshape(16, -1)
        rows[:, :512] = np.linspace(64, 940, 512).round()
        for plane in frame.planes[1:]:
            np.frombuffer(plane, np.uint16)[:] = 512
        return frame

    make_clip(
        "a.mkv", codec="ffv1", pixel_format="yuv420p10le", frame=ramp, pts=[0], size=(512, 16)
    )
    run("a.mkv")
    found = luma(read_clip("out/a_x2.mkv").frames[0])
    # Bicubic interpolation of a ramp is the ramp at twice as many places.
    wanted = np.interp((np.arange(1024) + 0.5) / 2 - 0.5, np.arange(512), np.linspace(64, 940, 512))
    assert np.abs(found - wanted).max() <= 2
    assert len(np.unique(found)) > 256


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_the_metadata_of_hdr10_stays(folder, codec, capsys):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    make_clip(
        "a.mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        size=(72, 66),
        colours=(9, 1, 9, 16),
        options={
            "x265-params": f"log-level=none:hdr10=1:master-display={display}:max-cll=1000,400"
        },
    )
    run("a.mp4", "--codec", codec)
    run("a.mp4", *LOSSLESS, "--suffix", "_l")
    assert "HDR10 is not kept (--codec hevc, av1)" in capsys.readouterr().err
    before, after = read_clip("a.mp4"), read_clip("out/a_x2.mp4")
    assert after.colours == before.colours == (9, 1, 9, 16)
    places = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)
    luminances = Fraction(50, 10_000), Fraction(1000)
    expected = Hdr10((*(Fraction(each, 50_000) for each in places), *luminances), (1000, 400))
    assert read_hdr10(before.frames[0]) == expected
    found = read_hdr10(after.frames[0])
    assert found.light == expected.light
    # AV1 stores chromaticities in 16 bits, and luminance in 8 or 14 bits after the point.
    for one, other in zip(found.mastering, expected.mastering, strict=True):
        assert float(one) == pytest.approx(float(other), abs=1e-4)


def test_shape_of_pixels_and_rotation(folder, capsys):
    make_clip("a.mp4", aspect=Fraction(64, 45), colours=(2, 0, 2, 2), pts=[0, 24])
    content = bytearray(Path("a.mp4").read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(
        ">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 24 << 16, 0, 1 << 30
    )
    Path("a.mp4").write_bytes(content)
    run("a.mp4")
    run("a.mp4", "--size", "60x44", "--suffix", "_s")
    run("a.mp4", *LOSSLESS, "--suffix", "_l")
    before, after = read_clip("a.mp4"), read_clip("out/a_x2.mp4")
    assert after.rotation == before.rotation == -90
    moved = [each for each in after.frames[0].side_data if each.type.name == "DISPLAYMATRIX"]
    assert struct.unpack("9i", bytes(moved[0]))[6] == 48 << 16
    assert after.aspect == Fraction(64, 45)
    # A player takes an unmarked video for BT.601 by its size; a larger one needs the mark.
    assert after.colours == (6, 1, 2, 2)
    shape = read_clip("out/a_s.mp4").aspect * Fraction(60, 44)
    assert shape == pytest.approx(Fraction(64, 45) * Fraction(32, 24), rel=0.01)
    assert "the shape of its pixels, 64/45, is not kept by mkv with ffv1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"g": "7", "bf": "2"}),
        ("a.mkv", {"g": "50"}),  # no key frame where it goes on
        ("a.avi", {"bf": "2"}),  # time stamps in the order of decoding
        ("a.ts", {"g": "7"}),
    ],
)
def test_an_interrupted_work_goes_on(folder, name, options, monkeypatch, capsys):
    monkeypatch.setattr(segments, "PART_FRAMES", 8)
    monkeypatch.setattr(segments, "MOST_PART_FRAMES", 16)
    stamps = range(50) if name == "a.avi" else [24 * n + 3 * (n % 5) for n in range(50)]
    unit = Fraction(1, 25 if name == "a.avi" else 600)
    sound = None if name == "a.avi" else "aac"
    make_clip(name, pts=stamps, time_base=unit, options=options, sound=sound)
    run(name, *LOSSLESS, "--suffix", "_whole")
    real, calls = clips.upscale_frame, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) in (21, 40):
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(clips, "upscale_frame", interrupted)
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            run(name, *LOSSLESS)
        assert ended.value.code == 143
        assert not Path("out/a_x2.mkv").exists()
        assert list(Path("out/a_x2.mkv.parts").glob("*.json"))
    run(name, *LOSSLESS)
    assert "goes on after" in capsys.readouterr().err
    whole, parts = read_clip("out/a_whole.mkv"), read_clip("out/a_x2.mkv")
    assert names("out") == ["a_whole.mkv", "a_x2.mkv"]
    assert parts.times == whole.times
    assert len(parts.times) == 50
    assert parts.packets == whole.packets
    for one, other in zip(parts.frames, whole.frames, strict=True):
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())
    steps = np.diff([float(each) for each in parts.times])
    assert steps == pytest.approx(np.diff([float(each * unit) for each in stamps]), abs=0.0011)


def test_the_mean_over_time_goes_on_after_an_interruption(folder, monkeypatch):
    monkeypatch.setattr(segments, "PART_FRAMES", 4)
    monkeypatch.setattr(segments, "MOST_PART_FRAMES", 8)
    random = np.random.default_rng(0)

    def still(_):
        noisy = picture(0, 32, 24) + random.normal(0, 3, (24, 32, 3))
        frame = av.VideoFrame.from_ndarray(noisy.round().clip(0, 255).astype(np.uint8), "rgb24")
        return frame.reformat(format="yuv444p")

    make_clip("a.mkv", codec="ffv1", pixel_format="yuv444p", frame=still, pts=range(0, 480, 24))
    run("a.mkv", *LOSSLESS, "--suffix", "_single")
    run("a.mkv", *LOSSLESS, "--temporal", "--suffix", "_whole")
    real, calls = clips.upscale_frame, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) in (3, 13, 23):
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(clips, "upscale_frame", interrupted)
    for _ in range(3):
        with pytest.raises(SystemExit):
            run("a.mkv", *LOSSLESS, "--temporal")
    run("a.mkv", *LOSSLESS, "--temporal")
    single, whole, parts = (
        [each.to_ndarray().astype(int) for each in read_clip(f"out/a_{name}.mkv").frames]
        for name in ("single", "whole", "x2")
    )
    assert len(parts) == 20
    assert np.array_equal(parts, whole)
    before, after = (np.abs(np.diff(each, axis=0)).mean() for each in (single, whole))
    assert after < before / 2  # of four frames the newest and the oldest change


def test_parts_of_another_request_and_of_another_process(folder, monkeypatch, capsys):
    monkeypatch.setattr(segments, "PART_FRAMES", 4)
    monkeypatch.setattr(segments, "MOST_PART_FRAMES", 4)
    Path("in").mkdir()
    make_clip("in/a.mp4")
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 9:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    real = clips.upscale_frame
    monkeypatch.setattr(clips, "upscale_frame", interrupted)
    with pytest.raises(SystemExit):
        main(["upscale", "in", "--model", "m.safetensors", "--out", "in"])
    assert names("in") == ["a.mp4", "a_x2.mp4.parts"]
    call = ["upscale", "in", "--model", "m.safetensors", "--out", "in"]
    with segments.parts_of(Path("in/a_x2.mp4")) as parts:
        assert list(parts.folder.glob("*.mkv"))
        message = r"another process writes in/a_x2\.mp4: wait for it"
        with pytest.raises(SystemExit, match=message):
            main(call)
    calls.clear()
    with pytest.raises(SystemExit):
        main(["upscale", "in", "--model", "m.safetensors", "--out", "in"])
    main(["upscale", "in", "--model", "m.safetensors", "--out", "in", "--crf", "30"])
    assert "by other options, and begins again" in capsys.readouterr().err
    assert names("in") == ["a.mp4", "a_x2.mp4"]
    assert len(read_clip("in/a_x2.mp4").frames) == 10


def test_damaged_files(folder, capsys):
    make_clip("a.mkv", pts=range(0, 24 * 60, 24), options={"g": "10"}, sound="aac")
    make_clip("a.mp4")
    content = Path("a.mkv").read_bytes()
    Path("cut.mkv").write_bytes(content[: len(content) * 6 // 10])
    with av.open("a.mkv") as container:
        packets = [p.pos for p in container.demux(video=0) if p.size]
    damaged = bytearray(content)
    damaged[packets[25] + 20 : packets[25] + 120] = bytes(100)
    Path("damaged.mkv").write_bytes(damaged)
    whole = Path("a.mp4").read_bytes()
    Path("half.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
    Path("text.mp4").write_text("no video")
    with av.open("sound.mp4", "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame) + stream.encode(None))
    with pytest.raises(SystemExit) as ended:
        run("cut.mkv", "damaged.mkv", "half.mp4", "text.mp4", "sound.mp4")
    notes = " ".join(capsys.readouterr().err.split())
    assert re.search(r"cut\.mkv: its pictures end after 1\.\d s of the 2\.4 that the file", notes)
    assert re.search(r"damaged\.mkv: \d+ (packets could not be decoded|frames are damaged)", notes)
    errors = ended.value.code.splitlines()
    assert errors[0] == "error: 3 of 5 could not be upscaled:"
    assert "half.mp4: not a video that can be read: Invalid data" in errors[1]
    assert "text.mp4: not a video that can be read: Invalid data" in errors[2]
    assert errors[3] == "  sound.mp4: a file with no pictures, not a video"
    assert names("out") == ["cut_x2.mkv", "damaged_x2.mkv"]
    for name in ("cut", "damaged"):
        before, after = read_clip(f"{name}.mkv"), read_clip(f"out/{name}_x2.mkv")
        assert after.times == before.times
        assert len(after.times) > 30


def test_a_full_disk_is_named_and_finished_parts_stay(folder, monkeypatch):
    def full(*_):
        raise av.error.OSError(errno.ENOSPC, "No space left on device", "partial")

    make_clip("a.mp4")
    with monkeypatch.context() as patched:
        patched.setattr("drnsr.upscale.clips.write_video", full)
        with pytest.raises(SystemExit, match=r"out/a_x2\.mp4: No space left on device"):
            run("a.mp4")
    assert names("out") == ["a_x2.mp4.parts"]
    monkeypatch.setattr(clips, "upscale_frame", None)  # all frames are there
    run("a.mp4")
    assert len(read_clip("out/a_x2.mp4").frames) == 10


def test_size_and_clock_that_change(folder, capsys):
    unit = Fraction(1, 25)
    make_clip("1.ts", muxer="mpegts", time_base=unit, pts=range(10))
    make_clip("2.ts", muxer="mpegts", time_base=unit, pts=range(10), size=(96, 72))
    Path("a.ts").write_bytes(Path("1.ts").read_bytes() + Path("2.ts").read_bytes())
    run("a.ts")
    notes = capsys.readouterr().err
    assert "10 frames had no time stamp that follows the one before" in notes
    assert "10 frames have another size" in notes
    after = read_clip("out/a_x2.mkv")
    assert after.times == [n * unit for n in range(20)]
    assert after.size == (64, 48)


def test_times_before_zero(folder, monkeypatch):
    def earlier(*arguments):  # FFmpeg's writers of files would begin at zero
        for frame in decode_packets(*arguments):
            frame.pts -= 2 * 12800 // 25
            yield frame

    make_clip("a.mp4", time_base=Fraction(1, 25), pts=range(6), sound="aac")
    monkeypatch.setattr(clip, "decode_packets", earlier)
    run("a.mp4")
    before, after = read_clip("a.mp4"), read_clip("out/a_x2.mp4")
    assert after.times == [Fraction(n, 25) for n in range(6)]
    # The sound, which began two frames later, still does.
    sounds = [each.packets["audio"] for each in (before, after)]
    assert [content for _, content in sounds[0]] == [content for _, content in sounds[1]]
    shift = sounds[1][3][0] - sounds[0][3][0]
    assert float(shift) == pytest.approx(2 / 25, abs=0.001)  # in MP4 it has milliseconds


def test_other_streams(folder, capsys):
    with av.open("a.mkv", "w") as out:
        videos = [out.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, size in zip(videos, ((32, 24), (48, 36)), strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        words = out.add_mux_stream("subrip")
        words.metadata["language"] = "deu"
        out.add_attachment("font.ttf", "font/ttf", b"font" * 10)
        chapter = {"id": 1, "start": 0, "end": 100, "metadata": {"title": "one"}}
        out.set_chapters([chapter | {"time_base": Fraction(1, 1000)}])
        for stream in videos:
            for number in range(4):
                frame = av.VideoFrame.from_ndarray(
                    picture(number, stream.width, stream.height), "rgb24"
                )
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        packet = av.Packet(b"Guten Tag")
        packet.stream, packet.time_base = words, Fraction(1, 1000)
        packet.pts = packet.dts = 40
        packet.duration = 100
        out.mux(packet)
    run("a.mkv")
    run("a.mkv", "--container", "mp4")
    notes = capsys.readouterr().err
    assert "video stream 0 (h264) is not kept: one video is upscaled" in notes
    assert "subtitle stream 2 (srt) is not kept by mp4" in notes
    assert "attachment stream 3 is not kept by mp4" in notes
    after = read_clip("out/a_x2.mkv")
    assert after.size == (96, 72)
    assert after.packets["subtitle"] == [(Fraction(40, 1000), b"Guten Tag")]
    with av.open("out/a_x2.mkv") as container:
        assert [each.type for each in container.streams] == ["video", "subtitle", "attachment"]
        assert container.streams[1].metadata["language"] == "deu"
        assert container.streams[2].data == b"font" * 10
        assert container.chapters()[0]["metadata"] == {"title": "one"}


def test_a_cover_is_no_video(folder):
    make_clip("plain.mp4", sound="aac")
    with av.open("plain.mp4") as source, av.open("a.mp4", "w") as out:
        kept = [out.add_stream_from_template(each, opaque=True) for each in source.streams]
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture(0, 64, 64), "rgb24")
        frame.pts = 0
        out.mux(cover.encode(frame) + cover.encode(None))
        for packet in source.demux():
            if packet.size:
                packet.stream = kept[packet.stream.index]
                out.mux(packet)
    run("a.mp4")
    with av.open("a.mp4") as before, av.open("out/a_x2.mp4") as after:
        covers = [
            bytes(next(packet for packet in each.demux() if packet.stream.index == 2))
            for each in (before, after)
        ]
        assert covers[0] == covers[1]
        assert after.streams[2].disposition == av.stream.Disposition.attached_pic
    assert read_clip("out/a_x2.mp4").size == (64, 48)


def test_interlaced_frames_are_refused_or_made_progressive(folder):
    make_clip("a.mp4", interlaced=True, options={"x264-params": "tff=1:interlaced=1"})
    with pytest.raises(SystemExit, match=r"a\.mp4: its frames are interlaced: take --deinterlace"):
        run("a.mp4")
    run("a.mp4", "--deinterlace")
    after = read_clip("out/a_x2.mp4")
    assert after.times == read_clip("a.mp4").times
    assert not any(frame.interlaced_frame for frame in after.frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--codec", "prores", "--container", "mp4"), "--codec prores: mp4 holds h264, hevc"),
        (("--codec", "prores", "--crf", "3"), "--crf 3: prores has none"),
        (("--codec", "h264", "--crf", "60"), "--crf 60: h264 has 0 to 51"),
        (("--format", "png"), "--format: is for images, and there are videos alone: take --cont"),
        (("--range", "0", "9"), "--range: is for images"),
        (("--codec", "vp9"), r"1 of 1 .*a\.mp4: it has 10 bits a channel, and vp9 holds fewer"),
    ],
)
def test_mistakes(folder, options, message):
    make_clip(
        "a.mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        options={"x265-params": "log-level=none"},
        size=(128, 64),
    )
    with pytest.raises(SystemExit, match=f"error: {message}"):
        run("a.mp4", *options)
    assert not Path("out").exists() or not names("out")


def test_a_folder_of_pictures_and_videos(folder, capsys):
    Path("in/deep").mkdir(parents=True)
    Image.fromarray(picture(0, 16, 16)).save("in/p.png")
    make_clip("in/deep/a.mp4")
    make_clip("in/b.mkv", size=(34, 18))
    with pytest.raises(SystemExit, match="error: --crf: is for videos, and there is none"):
        run("in/p.png", "--crf", "20")
    run("in", "--dry-run", "--factor", "1.5")
    assert "34 x 18 (10 frames)" in capsys.readouterr().out
    assert not Path("out").exists()
    run("in", "--factor", "1.5", "--compare", "--suffix", "")
    notes = capsys.readouterr().err
    assert "51 x 27 pixels are cropped to 50 x 26: yuv420p needs even sides" in notes
    assert re.search(r"10 frames in \d+\.\d s, \d+\.\d+ a second", notes)
    made = sorted(each.as_posix() for each in Path("out").rglob("*.*"))
    for name in ("p", "b", "deep/a"):
        assert f"out/{name}_compare.png" in made
    assert "out/index.html" in made
    compared = read_clip("out/deep/a_compare.mp4")
    assert len(compared.frames) == 10
    assert compared.size == (48, 36)
    run("in", "--factor", "1.5", "--suffix", "")
    assert ", 3 already there" in capsys.readouterr().out
