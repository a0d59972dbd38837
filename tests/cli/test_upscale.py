"""`drnsr upscale`: its results, and its reports of what it cannot upscale."""

import os
import re
import signal
import subprocess
import sys
import time
from pkgutil import resolve_name

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.atomic import partial_path
from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.images.files import read_image
from drnsr.images.resize import downscale, upscale
from drnsr.networks import DRNSR, VDSR
from drnsr.upscale.provenance import read_provenance
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture


@pytest.fixture
def model(tmp_path, monkeypatch):
    """An untrained network, which is bicubic, and a folder without MLflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = tmp_path / "model.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin("c" * 64, "d" * 64, "e"))
    return path


def run(*arguments):
    main(["upscale", *map(str, arguments)])


def test_an_untrained_network_gives_bicubic_files(model, tmp_path, picture_folder):
    run(picture_folder, "--model", model, "--out", tmp_path / "out")
    made = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in made] == [f"picture{n}_x2.png" for n in range(4)]
    for path, source in zip(made, sorted(picture_folder.iterdir()), strict=True):
        wanted = upscale(read_image(source).astype(np.float64), 2).round().clip(0, 255)
        difference = np.abs(read_image(path).astype(int) - wanted)
        assert difference.max() <= 1  # of rounding


def test_the_same_command_resumes(model, tmp_path, picture_folder, capsys):
    run(picture_folder, "--model", model, "--out", tmp_path / "out")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out/picture1_x2.png").unlink()
    (tmp_path / "out/picture2_x2.png").write_bytes(b"the user's own")
    run(picture_folder, "--model", model, "--out", tmp_path / "out")
    assert ", 3 already there" in capsys.readouterr().out
    assert (tmp_path / "out/picture1_x2.png").read_bytes() == whole["picture1_x2.png"]
    assert (tmp_path / "out/picture2_x2.png").read_bytes() == b"the user's own"
    run(picture_folder, "--out", tmp_path / "out")
    wanted = ", 4 already there, 3 of them made by another model (--overwrite replaces them)"
    assert wanted in capsys.readouterr().out
    run(picture_folder, "--model", model, "--out", tmp_path / "out", "--overwrite")
    assert (tmp_path / "out/picture2_x2.png").read_bytes() == whole["picture2_x2.png"]


def test_a_damaged_image_is_reported_at_the_end(model, tmp_path, picture_folder):
    (picture_folder / "picture0.png").write_bytes(b"not a picture")
    with pytest.raises(SystemExit, match=r"error: 1 of 4 could not be upscaled: .*picture0\.png"):
        run(picture_folder, "--model", model, "--out", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize(
    ("path", "model_name", "more", "message"),
    [
        ("nowhere", "model.safetensors", (), "nowhere: there is no such picture or folder"),
        ("empty", "model.safetensors", (), "empty: no pictures in this folder"),
        ("pictures", "gone.safetensors", (), "gone.safetensors: there is no such file"),
        (
            "pictures",
            "model.safetensors",
            ("--scale", "3"),
            "--scale 3: model.safetensors has no x3",
        ),
    ],
)
def test_mistakes(model, tmp_path, picture_folder, path, model_name, more, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=f"error: {message}"):
        run(path, "--model", model_name, "--out", "out", *more)
    assert not (tmp_path / "out").exists()


def test_a_pattern_selects_images(model, tmp_path, picture_folder):
    run("pictures/*[12].png", "--model", model, "--out", "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "picture1_x2.png",
        "picture2_x2.png",
    ]


def test_subfolders_are_kept(model, tmp_path, picture_folder):
    (picture_folder / "deep/er").mkdir(parents=True)
    (picture_folder / "picture0.png").rename(picture_folder / "deep/er/picture1.PNG")
    run("pictures", "--model", model, "--out", "out", "--suffix", "@2")
    assert (tmp_path / "out/deep/er/picture1@2.PNG").is_file()
    assert (tmp_path / "out/picture1@2.png").is_file()


def test_two_images_with_the_same_result_are_reported(model, tmp_path):
    for suffix in (".png", ".bmp"):
        Image.fromarray(texture(8, 8)).save(tmp_path / f"a{suffix}")
    message = r"error: 1 of 2 could not be .*: a\.bmp: would become out/a_x2\.webp, as a\.png does"
    with pytest.raises(SystemExit, match=message):
        run("a.png", "a.bmp", "--model", model, "--out", "out", "--format", "webp")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_x2.webp"]


def test_an_image_is_not_overwritten_by_its_result(model, tmp_path):
    Image.fromarray(texture(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SystemExit, match=r"error: .*a\.png: would be written over itself"):
        run("a.png", "--model", model, "--out", ".", "--suffix", "", "--overwrite")
    assert Image.open(tmp_path / "a.png").size == (8, 8)


ERRORS = [
    ValueError("two\nlines"),
    MemoryError("of 5 GiB"),
    RecursionError("too deep"),
    AssertionError(),
    KeyError(270),
    ZeroDivisionError("by zero"),
    SystemError("<built-in function> returned NULL"),
    OSError(28, "No space left on device", "out/b_x2.png"),
    OSError("broken data stream"),
    UnicodeEncodeError("ascii", "\xb5", 0, 1, "no"),
    SyntaxError("not a TIFF file"),
    EOFError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "where",
    [
        "drnsr.upscale.files.open_picture",
        "drnsr.upscale.files.write_picture",
        "drnsr.images.codec.Codec.check",
        "drnsr.upscale.running.remove_leftovers",
        "drnsr.inference.channels.upscale_part",
        "drnsr.images.codecs.png.iter_thin",
    ],
)
def test_no_error_of_any_type_ends_a_batch(model, tmp_path, monkeypatch, capsys, where, error):
    for name in "abc":
        Image.fromarray(texture(8, 8)).save(tmp_path / f"{name}.png")
    calls = []
    name = where.rpartition(".")[2]
    function = resolve_name(where)

    def failing(*arguments, **how):
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return function(*arguments, **how)

    monkeypatch.setattr(where, failing)
    for holder in list(sys.modules.values()):  # wherever it was imported to
        if holder.__name__.startswith("drnsr") and getattr(holder, name, None) is function:
            monkeypatch.setattr(holder, name, failing)
    with pytest.raises(SystemExit) as ended:
        run("a.png", "b.png", "c.png", "--model", model, "--out", "out")
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    message = str(ended.value)
    assert message.startswith("error: 1 of 3 could not be upscaled: ")
    assert "\n" not in message
    assert "b.png" in message or "b_x2.png" in message
    assert made == ["a_x2.png", "c_x2.png"]
    assert "Traceback" not in capsys.readouterr().err


def test_the_traceback_of_an_error_is_printed_on_request(model, tmp_path, monkeypatch, caplog):
    Image.fromarray(texture(8, 8)).save(tmp_path / "a.png")

    def failing(*_, **__):
        raise KeyError("oh")

    monkeypatch.setattr("drnsr.upscale.files.write_picture", failing)
    with pytest.raises(SystemExit, match=r"a\.png: KeyError: 'oh' \(-v shows where\)"):
        run("a.png", "--model", model, "--out", "out")
    assert "Traceback" not in caplog.text
    with pytest.raises(SystemExit):
        run("a.png", "--model", model, "--out", "out", "-v")
    assert "Traceback" in caplog.text
    assert "in failing" in caplog.text


def test_file_names_of_any_kind(model, tmp_path, capfd):
    folder = tmp_path / "in"
    folder.mkdir()
    names = [f"{'n' * 235}.png", f"{'m' * 251}.png", "[red]a[].png", "\x1b[31mb.png", "c\nd.png"]
    if sys.platform == "linux":  # where a name is of any bytes
        names.append(os.fsdecode(b"e\xff.png"))
    for name in names:
        Image.fromarray(texture(8, 8)).save(folder / name, format="PNG")
    with pytest.raises(SystemExit, match=f"error: 1 of {len(names)} .*File name too long") as ended:
        run("in", "--model", model, "--out", "out", "--compare")
    left = {path.name for path in (tmp_path / "out").iterdir() if "compare" not in path.name}
    assert left == {f"{name[:-4]}_x2.png" for name in names if name[0] != "m"} | {"index.html"}
    assert "\x1b[31mb" not in capfd.readouterr().err + str(ended.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_path_that_is_not_a_file_is_reported_when_named_and_skipped_in_folders(
    model, tmp_path, picture_folder
):
    os.mkfifo(picture_folder / "a.png")
    with pytest.raises(SystemExit, match="error: 2 of 3 could not be upscaled:") as ended:
        run("pictures/a.png", os.devnull, "pictures/picture0.png", "--model", model, "--out", "out")
    assert f"{os.devnull}: no regular file" in str(ended.value)
    assert "a.png: no regular file" in str(ended.value)
    run("pictures", "--model", model, "--out", "out")
    assert len(list((tmp_path / "out").iterdir())) == 4
    with pytest.raises(SystemExit, match=r"a\.png"):
        main(["info", "pictures/a.png"])


@pytest.mark.parametrize(
    ("asked", "name", "size"),
    [
        (("--factor", "1.5"), "a_x1.5.png", (45, 30)),
        (("--size", "40x"), "a_40x.png", (40, 27)),
        (("--size", "x30"), "a_x30.png", (45, 30)),
        (("--size", "31x40"), "a_31x40.png", (31, 40)),
    ],
)
def test_any_size(model, tmp_path, asked, name, size):
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    run("a.png", "--model", model, "--out", "out", *asked)
    assert Image.open(tmp_path / "out" / name).size == size


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--factor", "2.5"), "a.png: 2.5 times as large: model.safetensors does up to x2"),
        (("--size", "30x20"), "a.png: it has 30 x 20 pixels, and 30 x 20 is not larger"),
        (("--size", "20x"), "a.png: it has 30 x 20 pixels, and 20 x 13 is not larger"),
    ],
)
def test_impossible_sizes(model, tmp_path, asked, message):
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    with pytest.raises(SystemExit, match=f"error: 1 of 1 could not be upscaled: {message}"):
        run("a.png", "--model", model, "--out", "out", *asked)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--factor", "1"), "invalid factor above 1 value: '1'"),
        (("--size", "x"), "invalid size value: 'x'"),
        (("--size", "-3x5"), "invalid size value|expected one argument"),
        (("--tile", "8"), "8: 16 is the smallest"),
        (("--tile", "large"), "invalid tile value: 'large'"),
        (("--scale", "2", "--factor", "3"), "not allowed with argument"),
        (("--format", "psd"), "'psd' cannot be written; choose avif, bmp, dicom, exr"),
    ],
)
def test_invalid_arguments(model, capsys, asked, message):
    with pytest.raises(SystemExit):
        run("a.png", "--model", model, "--out", "out", *asked)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--device", "cuda:7"), "device cuda:7: cannot be used here"),
        (("--device", "toaster"), "device toaster: cannot be used here"),
    ],
)
def test_missing_devices(model, tmp_path, picture_folder, asked, message):
    with pytest.raises(SystemExit, match=f"error: {message}"):
        run("pictures", "--model", model, "--out", "out", *asked)


def test_a_dry_run_lists_the_results_and_writes_nothing(model, tmp_path, capsys):
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"")
    run("a.png", "bad.png", "--model", model, "--out", "out", "--factor", "1.5", "--dry-run")
    assert capsys.readouterr().out.splitlines() == [
        "a.png: 30 x 20",
        "  -> out/a_x1.5.png: 45 x 30, model",
        "bad.png: an empty file",
    ]
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_the_run_in_one_line(model, tmp_path, picture_folder, small_disk):
    Image.fromarray(texture(100, 100)).save(picture_folder / "picture1.bmp")
    message = r"error: 1 of 1 could not be upscaled: out/picture1_x2\.bmp: File too large"
    with pytest.raises(SystemExit, match=message):
        run("pictures/picture1.bmp", "--model", model, "--out", "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_files_of_a_killed_run_are_removed_by_the_next(model, tmp_path, picture_folder):
    target = tmp_path / "out/picture1_x2.png"
    target.parent.mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    partial_path(target, str(gone.pid)).write_bytes(b"half")
    anothers = partial_path(target, str(os.getppid()))
    anothers.write_bytes(b"another's")
    run("pictures/picture1.png", "--model", model, "--out", "out")
    assert set(target.parent.iterdir()) == {anothers, target}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_incomplete_file(model, tmp_path, number):
    Image.fromarray(texture(8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (2000, 2000)).save(tmp_path / "b.bmp")
    program = "from drnsr.cli import main; main()"
    call = [sys.executable, "-c", program, "upscale", "a.png", "b.bmp", "--out", "out"]
    process = subprocess.Popen(
        [*call, "--model", str(model), "--tile", "16"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    while not (tmp_path / "out/a_x2.png").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert message.splitlines()[-1] == "error: ended early; the same command goes on with the rest"
    assert process.returncode == 128 + number
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_x2.png"]


def test_the_shipped_models_are_found_by_their_names_and_scales(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(texture(12, 14)).save(tmp_path / "a.png")
    run("a.png", "--out", "out")
    run("a.png", "--out", "out", "--scale", "3")
    run("a.png", "--out", "out", "--model", "drnsr-x4")
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").iterdir()}
    assert sizes == {"a_x2.png": (28, 24), "a_x3.png": (42, 36), "a_x4.png": (56, 48)}
    with pytest.raises(SystemExit, match=r"error: --scale 5: drnsr has no x5; .* x2 or x3 or x4"):
        run("a.png", "--out", "out", "--scale", "5")
    with pytest.raises(SystemExit, match=r"drnsr-x9: there is no such file, nor a shipped model"):
        run("a.png", "--out", "out", "--model", "drnsr-x9")


def test_a_model_with_several_scales_needs_a_scale(tmp_path, model, picture_folder):
    save_model(
        tmp_path / "v.safetensors", VDSR(scales=[2, 3], num_features=4, num_layers=3), Origin()
    )
    run(picture_folder / "picture0.png", "--model", "v.safetensors", "--out", "out", "--scale", "3")
    assert Image.open(tmp_path / "out/picture0_x3.png").size == (300, 288)


def test_a_result_names_its_model(model, tmp_path, capsys, monkeypatch, caplog):
    monkeypatch.setattr("drnsr.inference.precision.has_bf16", lambda _: True)
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    Image.fromarray(texture(20, 30)[:, :, 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    caplog.set_level("INFO", "drnsr")
    run("a.png", "deep.png", "--model", model, "--out", "out")
    assert caplog.messages == [
        "precision: bf16 (this CPU computes in bf16), fp32 for pixels of more than 8 bits"
    ]
    for name, precision in (("a_x2.png", "bf16"), ("deep_x2.png", "fp32")):
        assert read_provenance(tmp_path / "out" / name).precision == precision
    capsys.readouterr()
    main(["info", "out/a_x2.png"])
    shown = capsys.readouterr().out
    assert "upscaled 2 times by drnsr" in shown
    assert f"model.safetensors (sha256 {file_sha256(model)})" in shown
    assert "c" * 64 in shown
    assert "d" * 64 in shown
    assert not (tmp_path / "mlflow.db").exists()  # to look makes none


def test_the_provenance_is_the_only_text_of_a_result(model, tmp_path):
    Image.fromarray(texture(20, 30)).save(tmp_path / "a.png")
    run("a.png", "--model", model, "--out", "out")
    with Image.open(tmp_path / "out/a_x2.png") as made:
        made.load()
        assert set(made.info) == {"drnsr"}
        assert_array_equal(np.asarray(made), read_image(tmp_path / "out/a_x2.png"))


def test_a_consistent_file_gives_its_source_back(model, tmp_path, capsys):
    soft = texture(40, 30) // 2 + 60  # no picture shrinks to black beside white
    alpha = texture(40, 30, 1, seed=1) // 2 + 60
    write = tifffile.imwrite
    Image.fromarray(np.concatenate([soft, alpha], axis=2)).save(tmp_path / "a.png")
    write(tmp_path / "b.tif", soft[:, :, 0].astype(np.uint16) * 130)
    write(tmp_path / "c.tif", soft[:, :, 1].astype(np.float32) / 7)
    run("a.png", "b.tif", "c.tif", "--model", model, "--out", "out", "--consistent", "--tile", 16)
    for name in ("a_x2.png", "b_x2.tif", "c_x2.tif"):
        is_tiff = name.endswith("tif")
        before, made = (
            np.atleast_3d(tifffile.imread(path) if is_tiff else np.asarray(Image.open(path)))
            for path in (tmp_path / name.replace("_x2", ""), tmp_path / "out" / name)
        )
        difference = np.abs(downscale(made.astype(np.float64), 2) - before).max()
        assert difference < (1e-4 if name.startswith("c") else 0.5)
        told = float(read_provenance(tmp_path / "out" / name).deviation)
        assert told == pytest.approx(difference, rel=0.01)
    main(["info", str(tmp_path / "out/a_x2.png")])
    assert "consistent:        shrunk exactly, it differs from its source by 0." in (
        capsys.readouterr().out
    )
    with pytest.raises(SystemExit, match=r"WEBP is written with a loss, .*--format png"):
        run("a.png", "--model", model, "--out", "lossy", "--consistent", "--format", "webp")
    for other in (("--factor", "1.5"), ("--compare",)):
        with pytest.raises(SystemExit, match="--consistent: "):
            run("a.png", "--model", model, "--out", "out", "--consistent", *other)
