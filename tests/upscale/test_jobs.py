"""The plan of jobs: which files are pictures, and where each result is written."""

import os

import numpy as np
import pytest
from PIL import Image

from drnsr.atomic import partial_path
from drnsr.cli import main
from drnsr.errors import UserError
from drnsr.networks import DRNSR
from drnsr.upscale.jobs import plan
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture


def make_plan(*paths, out="out", suffix="_x2", file_format=None):
    return plan([*map(str, paths)], out, suffix, file_format, overwrite=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


RGB = Image.fromarray(texture(8, 8))
PICTURES = {
    "a.jfif": ("JPEG", RGB, ".jfif"),
    "b.jpe": ("JPEG", RGB, ".jpe"),
    "c.pbm": ("PPM", RGB.convert("1"), ".ppm"),
    "d.pnm": ("PPM", RGB, ".pnm"),
    "e.dib": ("BMP", RGB, ".dib"),
    "f.apng": ("PNG", RGB, ".apng"),
    "g.mpo": ("MPO", RGB, ".jpg"),
    "h": ("PNG", RGB, ".png"),
    "i.dat": ("TIFF", RGB, ".tif"),
    "j.PNG": ("WEBP", RGB, ".PNG"),
    "k.png": ("PNG", RGB, ".png"),
}


def test_pictures_of_a_folder_are_found_by_their_content(folder, tmp_path):
    for name, (kind, image, _) in PICTURES.items():
        image.save(folder / name, format=kind)
    jobs = make_plan("in", out=tmp_path / "out").jobs
    assert [job.source.name for job in jobs] == list(PICTURES)
    for job, (name, (_, _, ending)) in zip(jobs, PICTURES.items(), strict=True):
        assert job.target == tmp_path / "out" / f"{name.partition('.')[0]}_x2{ending}"


def test_a_target_belongs_to_the_picture_that_keeps_its_suffix(folder, tmp_path):
    for name in ("a.mpo", "a.jpg", "a"):
        RGB.save(folder / name, format="JPEG")
    jobs = {job.source.name: job for job in make_plan("in", out=tmp_path / "out").jobs}
    assert {name for name, job in jobs.items() if job.problem} == {"a", "a.mpo"}
    assert jobs["a"].problem == f"would become {tmp_path / 'out/a_x2.jpg'}, as in/a.jpg does"


OTHERS = {
    "._k.png": b"\0\5\x16\7\0\2\0\0Mac OS X        ",
    "notes.txt": b"BM is what a bitmap begins with",
    "P1.txt": b"P1 and P2 are patients",
    "sound.wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "raw.nef": b"II*\0\x08\0\0\0\0\0",
    "README": b"a text",
    "DICOMDIR": bytes(128) + b"DICM",
    "empty": b"",
}


def test_other_files_are_skipped_and_counted(folder, tmp_path):
    for name, content in OTHERS.items():
        (folder / name).write_bytes(content)
    RGB.save(folder / "k.png")
    (folder / "dir.png").mkdir()
    partial_path(folder / "k.png", "12").write_bytes(b"half")
    result = make_plan("in", out=tmp_path / "out")
    assert [job.source.name for job in result.jobs] == ["k.png"]
    counts = "1 ._ files of macOS, 1 .nef, 2 .txt, 1 .wav, 3 without a suffix"
    assert result.notes == [f"in: skipped, not a known picture or video: {counts}"]


def test_a_file_that_is_named_like_a_picture_is_kept_as_an_error(folder, tmp_path):
    (folder / "a.png").write_bytes(b"a text")
    (folder / "b.jpg").symlink_to("nowhere")
    assert len(make_plan("in", out=tmp_path / "out").jobs) == 2


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root reads all")
def test_an_unreadable_file_is_kept_as_an_error(folder, tmp_path):
    (folder / "a.png").write_bytes(b"")
    (folder / "a.png").chmod(0)
    assert len(make_plan("in", out=tmp_path / "out").jobs) == 1


def test_a_cycle_of_links(folder, tmp_path):
    (folder / "a.png").symlink_to("a.png")
    for out in (tmp_path / "out", folder, tmp_path):
        assert len(make_plan("in", out=out).jobs) == 1


@pytest.mark.parametrize("pattern", ["***", "a[", "**.png"])
def test_an_invalid_pattern_is_an_error(folder, pattern):
    with pytest.raises(UserError, match=r"no picture matches|there is no such"):
        make_plan(pattern)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin("c" * 64, "d" * 64, "e"))
    return path


@pytest.mark.parametrize("out", ["in", "."])
def test_results_may_be_written_into_the_folder_of_the_sources(folder, tmp_path, model, out):
    names = ("a.png", "b.jpg", "c.bmp", "d.tif")
    for name in names:
        RGB.save(folder / name)
    before = {name: (folder / name).read_bytes() for name in names}
    options = ("--model", str(model), "--out", out)
    main(["upscale", "in", *options, "--compare"])
    results = {path.name for path in (tmp_path / out).iterdir()}
    assert {f"{name[0]}_x2{name[1:]}" for name in names} <= results
    main(["upscale", "in", *options, "--compare"])  # there is nothing left to do
    assert {path.name for path in (tmp_path / out).iterdir()} == results
    (folder / "c_x2.bmp").unlink(missing_ok=True)  # BMP cannot store the provenance
    main(["upscale", "in", *options, "--factor", "1.5"])
    more = {path.name for path in (tmp_path / out).iterdir()} - results
    assert more == {f"{name[0]}_x1.5{name[1:]}" for name in names}
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_an_output_folder_in_a_source_folder_is_skipped(folder, model):
    RGB.save(folder / "a.png")
    (folder / "out").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "out/anything.png")
    assert len(make_plan("in", out=folder / "out").jobs) == 1
