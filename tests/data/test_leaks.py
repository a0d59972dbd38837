from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from drnsr.data.leaks import Leak, LeakError, find_leaks
from drnsr.data.prepare import prepare_benchmark
from drnsr.data.registry import fetch_registry
from drnsr.images.files import read_image
from tests.conftest import PROJECT, benchmark_files


def resized(pixels, across, down=None):
    method = cv2.INTER_AREA if across < 1 else cv2.INTER_CUBIC
    changed = cv2.resize(pixels, None, fx=across, fy=down or across, interpolation=method)
    return changed.reshape(*changed.shape[:2], pixels.shape[2])


def middle(pixels, share):
    """Return the centre crop with this share of the area."""
    top, left = (round(size * (1 - share**0.5) / 2) for size in pixels.shape[:2])
    return pixels[top:-top, left:-left]


def jpeg(pixels, quality):
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED).reshape(pixels.shape)


def toned(pixels, contrast, brightness):
    return np.uint8(np.clip(pixels * float(contrast) + brightness, 0, 255))


CHANGES = {
    "the same": lambda pixels: pixels,
    "half the size": lambda pixels: resized(pixels, 0.5),
    "twice the size": lambda pixels: resized(pixels, 2),
    "squeezed": lambda pixels: resized(pixels, 0.75, 1),
    "half of the area": lambda pixels: middle(pixels, 1 / 2),
    "a quarter of the area": lambda pixels: middle(pixels, 1 / 4),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "turned": np.rot90,
    "recompressed": lambda pixels: jpeg(pixels, 30),
    "brighter": lambda pixels: toned(pixels, 1, 40),
    "less contrast": lambda pixels: toned(pixels, 0.5, 60),
    "more contrast": lambda pixels: toned(pixels, 1.5, -60),
    "darker": lambda pixels: np.uint8(255 * (pixels / 255) ** 2),
    "gray": lambda pixels: pixels.mean(axis=2, keepdims=True).astype(np.uint8),
    "all at once": lambda pixels: jpeg(
        toned(middle(resized(pixels, 0.5), 1 / 2)[:, ::-1], 0.8, 30), 30
    ),
}


@pytest.fixture(scope="module")
def real_pictures(tmp_path_factory):
    """The folders of `sample` and `sample_test`: 16 different real pictures."""
    folder = tmp_path_factory.mktemp("real")
    for name in ("sample", "sample_test"):
        fetch_registry(PROJECT / f"conf/registry/{name}.txt", folder / "downloads", folder / name)
    return folder


def dataset(pictures: dict[str, np.ndarray], folder: Path):
    """Return a dataset of the pictures."""
    folder.mkdir(parents=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels.squeeze()).save(folder / f"{name}.png")
    return prepare_benchmark(sorted(folder.iterdir()), folder / "dataset", name=folder.name)


def pairs(leaks):
    return {(Path(leak.training).stem, Path(leak.image).stem) for leak in leaks}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_whichever_of_the_two_was_changed(change, real_pictures, tmp_path):
    files = [real_pictures / "sample_test" / name for name in ("camera.png", "chelsea.png")]
    pictures = {file.stem: resized(read_image(file), 0.5) for file in files}
    originals = dataset(pictures, tmp_path / "originals")
    changed = dataset(
        {name: CHANGES[change](p) for name, p in pictures.items()}, tmp_path / "changed"
    )
    same = {(name, name) for name in pictures}
    assert pairs(find_leaks(changed, [originals])) == same
    assert pairs(find_leaks(originals, [changed])) == same


def test_different_pictures_raise_no_alarm(real_pictures, tmp_path):
    training, benchmark = (
        prepare_benchmark(sorted((real_pictures / name).iterdir()), tmp_path / name, name=name)
        for name in ("sample", "sample_test")
    )
    assert find_leaks(training, [benchmark]) == []


def test_many_copies_of_one_picture_are_all_found(real_pictures, tmp_path):
    original = read_image(real_pictures / "sample_test" / "coffee.png")
    copies = {f"copy{n}": resized(original, factor) for n, factor in enumerate(np.arange(4, 9) / 8)}
    leaks = find_leaks(
        dataset(copies, tmp_path / "training"), [dataset({"coffee": original}, tmp_path / "mine")]
    )
    assert pairs(leaks) == {(name, "coffee") for name in copies}


def test_the_text_of_a_leak(real_pictures, tmp_path):
    original = read_image(real_pictures / "sample_test" / "chelsea.png")
    other = read_image(real_pictures / "sample_test" / "coffee.png")
    (leak,) = find_leaks(
        dataset({"cat": original[:, ::-1], "cup": other}, tmp_path / "training"),
        [dataset({"chelsea": original}, tmp_path / "cats")],
    )
    assert (leak.training, leak.benchmark, leak.image) == ("cat.png", "cats", "chelsea.png")
    assert leak.mirrored
    assert leak.correlation > 0.9
    assert leak.points > 100


def test_pictures_without_detail_or_of_a_few_pixels_do_no_harm(tmp_path):
    pictures = {
        "flat": np.full((64, 64, 3), 128, np.uint8),
        "tiny": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        "line": np.zeros((1, 700, 1), np.uint8),
    }
    flat = dataset(pictures, tmp_path / "flat")
    assert find_leaks(flat, [flat]) == []
    assert find_leaks(flat, []) == []


def test_the_error_names_every_pair_and_what_to_do_in_one_line():
    leaks = [
        Leak("a.png", "set5", "woman.png", points=367, correlation=0.996, mirrored=False),
        Leak("b.png", "set14", "zebra.png", points=12, correlation=0.8, mirrored=True),
    ]
    message = str(LeakError(leaks))
    assert "data.parts.PART.exclude" in message
    assert "a.png is woman.png of set5 (correlation 1.00, 367 matching points)" in message
    assert "b.png is zebra.png of set14 (mirrored, correlation 0.80, 12 matching points)" in message
    assert "\n" not in message


def bsds(mirror, part):
    return sorted(mirror.glob(f"*/BIDS/BSDS500/*/BSDS500/data/images/{part}/*.jpg"))


@pytest.mark.slow
def test_only_the_woman_of_set5_is_in_bsds500_whose_halves_share_no_picture(mirror, tmp_path):
    train, test = (
        prepare_benchmark(bsds(mirror, part), tmp_path / part, name=part)
        for part in ("train", "test")
    )
    benchmarks = [
        prepare_benchmark(
            [hr for hr, _ in benchmark_files(mirror, name, 2)], tmp_path / name, name=name
        )
        for name in ("Set5", "Set14")
    ]
    # Seen by eye: BSDS500's train/302003 is the photograph that Set5's fifth picture is cut from.
    # Set5's butterfly and Set14's monarch, with another monarch in test/35049, are not copies.
    (leak,) = find_leaks(train, [test, *benchmarks])
    assert (leak.training, leak.benchmark, leak.image) == (
        "302003.jpg",
        "Set5",
        "img_005_SRF_2_HR.png",
    )
    assert find_leaks(test, benchmarks) == []


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_of_bsds500_are_found_among_others(change, mirror, tmp_path):
    pictures = {file.stem: read_image(file) for file in bsds(mirror, "train")[::20]}
    originals = dataset(pictures, tmp_path / "originals")
    changed = dataset(
        {name: CHANGES[change](p) for name, p in pictures.items()}, tmp_path / "changed"
    )
    found = pairs(find_leaks(originals, [changed]))
    assert found <= {(name, name) for name in pictures}
    # Small crops of a few pictures have no detail left after all the changes at once.
    assert len(found) >= len(pictures) - (change == "all at once")
