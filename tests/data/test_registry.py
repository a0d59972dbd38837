import csv
import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import distribution

import pytest
from numpy.testing import assert_array_equal

from drnsr.config.compose import compose_choices, validate
from drnsr.data.archive import ArchiveError
from drnsr.data.patterns import unmatched, value_for
from drnsr.data.registry import (
    FetchError,
    fetch_file,
    fetch_registry,
    flat_name,
    read_registry,
)
from drnsr.images.files import read_image
from drnsr.images.resize import crop_to_multiple
from tests.conftest import PROJECT, benchmark_files
from tests.data.conftest import answers

REGISTRIES = sorted((PROJECT / "conf" / "registry").glob("*.txt"))
SKIMAGE_README = distribution("scikit-image").locate_file("skimage/data/README.txt")


def registry_of(tmp_path, *lines):
    path = tmp_path / "some.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_from_a_wheel_is_fetched_and_checked(tmp_path):
    digest = hashlib.sha256(SKIMAGE_README.read_bytes()).hexdigest()
    url = "wheel://scikit-image/skimage/data/README.txt"
    registry = registry_of(tmp_path, "# a comment", "", f"readme.txt {digest} {url}")
    fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw")
    assert (tmp_path / "raw" / "readme.txt").read_bytes() == SKIMAGE_README.read_bytes()


def test_a_wrong_hash_names_file_and_both_hashes_and_leaves_nothing(tmp_path):
    url = "wheel://scikit-image/skimage/data/README.txt"
    registry = registry_of(tmp_path, f"readme.txt {'0' * 64} {url}")
    digest = hashlib.sha256(SKIMAGE_README.read_bytes()).hexdigest()
    with pytest.raises(FetchError) as caught:
        fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw")
    for part in ("readme.txt", "0" * 64, digest):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {registry.name, ".some.lock"}
    assert not (tmp_path / "raw").exists()


def test_a_missing_package_is_named(tmp_path):
    registry = registry_of(tmp_path, f"a.png {'0' * 64} wheel://no-such-package/a.png")
    with pytest.raises(FetchError, match="the package no-such-package is not installed"):
        fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw")


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a.png 123 http://x/a.png",
        f"a.png {'x' * 64} http://x/a.png",
        f"../a.png {'0' * 64} http://x/a.png",
        f"/tmp/a.png {'0' * 64} http://x/a.png",
        f"a.png {'0' * 64} http://x/../a.png",
        f"a.png {'0' * 64} http://x/%2e%2e/a.png",
        f"a.png {'0' * 64} https:///a.png",
        f"a.png {'0' * 64} ftp://x/a.png",
        f"a.png {'0' * 64} a.png",
        "a.png - http://x/a.png",  # only what comes by hand may have no known hash
        f"a.png {'0' * 64} http://x/%00a.png",
        # No system but one or two of the three could hold these.
        *(f"{name} {'0' * 64} http://x/a.png" for name in ("a\0b", "C:x.png", "con", "x:ads")),
        *(f"{name} {'0' * 64} http://x/a.png" for name in ("a/NUL/b.png", "a./b", "a//b", "./a")),
    ],
)
def test_a_bad_line_is_named(tmp_path, line):
    with pytest.raises(FetchError, match=r"some\.txt:1: expected `name sha256 url`"):
        read_registry(registry_of(tmp_path, line))


def entry(server, name, content):
    server.files[f"/{name}"] = content
    return f"{name} {hashlib.sha256(content).hexdigest()} {server.url}/{name}"


def test_folders_in_a_name_become_part_of_it(server, tmp_path):
    lines = [entry(server, name, name.encode()) for name in ("train/1.png", "test/1.png")]
    fetch_registry(registry_of(tmp_path, *lines), tmp_path / "downloads", tmp_path / "raw")
    assert (tmp_path / "raw" / "train__1.png").read_bytes() == b"train/1.png"
    assert (tmp_path / "raw" / "test__1.png").read_bytes() == b"test/1.png"


def test_two_at_once_fetch_each_file_once(server, tmp_path):
    """Queued experiments share the downloads."""
    registry = registry_of(tmp_path, entry(server, "a.png", b"A" * 10**6))
    with ThreadPoolExecutor() as pool:
        fetch = partial(fetch_registry, registry, tmp_path / "downloads")
        for done in [pool.submit(fetch, tmp_path / name) for name in ("raw1", "raw2", "raw3")]:
            done.result()
    assert len(server.requests) == 1
    assert all((tmp_path / name / "a.png").is_file() for name in ("raw1", "raw2", "raw3"))


def test_the_folder_appears_when_the_set_is_complete_and_replaces_an_older_one(server, tmp_path):
    lines = [entry(server, f"{number}.png", b"%d" % number) for number in range(3)]
    server.script["/2.png"] = [answers(404)]
    for old in ("raw", "fresh"):
        folder = tmp_path / old
        if old == "raw":
            folder.mkdir()
            (folder / "old.png").write_bytes(b"old")
        server.script["/2.png"] = [answers(404)]
        registry = registry_of(tmp_path, *lines)
        with pytest.raises(FetchError, match=r"2\.png"):
            fetch_registry(registry, tmp_path / f"{old}-downloads", folder)
        assert [path.name for path in folder.glob("*")] == (["old.png"] if old == "raw" else [])
        fetch_registry(registry, tmp_path / f"{old}-downloads", folder)
        assert sorted(path.name for path in folder.iterdir()) == ["0.png", "1.png", "2.png"]


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in members.items():
            packed.writestr(f"All/{name}.png", content)
    return buffer.getvalue()


def test_an_archive_stands_for_its_pictures(server, tmp_path):
    registry = registry_of(tmp_path, entry(server, "all.zip", zipped(a="A", b="B")))
    for _ in range(2):
        fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw")
        assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == ["a.png", "b.png"]
    assert len(server.requests) == 1
    # Another choice of members, and another archive of that name, are unpacked anew.
    chosen = registry_of(tmp_path, registry.read_text().strip() + "#*/b.png")
    fetch_registry(chosen, tmp_path / "downloads", tmp_path / "raw")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["b.png"]
    newer = registry_of(tmp_path, entry(server, "all.zip", zipped(c="C")))
    fetch_registry(newer, tmp_path / "downloads", tmp_path / "raw")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["c.png"]


def test_a_bomb_or_two_pictures_of_one_name_leave_no_folder(server, tmp_path):
    twice = [entry(server, "a.png", b"A"), entry(server, "all.zip", zipped(a="A", b="B"))]
    with pytest.raises(FetchError, match=r"another file of the set is called a\.png too"):
        fetch_registry(registry_of(tmp_path, *twice), tmp_path / "downloads", tmp_path / "raw")
    with pytest.raises(ArchiveError, match=r"all\.zip: unpacks to more than 1 bytes"):
        fetch_registry(
            registry_of(tmp_path, twice[1]),
            tmp_path / "other",
            tmp_path / "raw",
            max_unpacked=1,
        )
    assert not (tmp_path / "raw").exists()
    assert not list(tmp_path.glob(".raw*"))


def test_manual_files(server, tmp_path):
    downloads, page = tmp_path / "downloads", "https://example.org/agreement"
    known = hashlib.sha256(b"known").hexdigest()
    lines = [f"{name}.png - manual:{page}" for name in "abcd"]
    lines += [f"known.png {known} manual:{page}", entry(server, "web.png", b"web")]
    registry = registry_of(tmp_path, *lines)
    with pytest.raises(FetchError) as caught:
        fetch_registry(registry, downloads, tmp_path / "raw")
    for part in ("some: ", "a.png, b.png, c.png and 2 more", page, str(downloads / "some")):
        assert part in str(caught.value)
    assert server.requests == []  # reported before anything large is fetched
    for name in "abcd":
        (downloads / "some" / f"{name}.png").write_bytes(b"mine")
    (downloads / "some" / "known.png").write_bytes(b"wrong")
    wrong = hashlib.sha256(b"wrong").hexdigest()
    with pytest.raises(FetchError, match=rf"known\.png: .* {known} but found {wrong}; replace it"):
        fetch_registry(registry, downloads, tmp_path / "raw")
    (downloads / "some" / "known.png").write_bytes(b"known")
    fetch_registry(registry, downloads, tmp_path / "raw")
    assert len(list((tmp_path / "raw").iterdir())) == 6


def test_a_manual_archive(tmp_path):
    registry = registry_of(tmp_path, "all.zip - manual:#*/b.png")
    with pytest.raises(FetchError, match=r"all\.zip .*: get them from their owner"):
        fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw")
    (tmp_path / "downloads" / "some" / "all.zip").write_bytes(zipped(a="A", b="B"))
    fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["b.png"]


@pytest.mark.parametrize(("name", "count"), [("set5_x3", 5), ("set14_x2", 14)])
def test_a_real_benchmark_from_the_real_mirror(mirror, tmp_path, name, count):
    registry = PROJECT / "conf" / "registry" / f"{name}.txt"
    fetch_registry(registry, tmp_path / "downloads", tmp_path / "raw", mirror=str(mirror))
    pictures = sorted((tmp_path / "raw").iterdir())
    assert len(pictures) == count
    scale = int(name[-1])
    for picture in pictures:
        height, width, _ = read_image(picture).shape
        assert (height % scale, width % scale) == (0, 0)


@pytest.mark.parametrize("name", ["set5", "set14"])
@pytest.mark.parametrize("scale", [3, 4])
def test_the_files_of_scale_2_crop_to_those_of_every_scale(mirror, name, scale):
    """One registry serves all scales."""
    set_name = name.capitalize()
    for (of_2, _), (of_scale, _) in zip(
        benchmark_files(mirror, set_name, 2), benchmark_files(mirror, set_name, scale), strict=True
    ):
        assert_array_equal(crop_to_multiple(read_image(of_2), scale), read_image(of_scale))


def hashes(*names):
    files = [PROJECT / "conf" / "registry" / f"{name}.txt" for name in names]
    return {entry.sha256 for file in files for entry in read_registry(file)}


def test_no_test_picture_is_trained_on():
    training, test = hashes("sample"), hashes("sample_test")
    assert len(training) >= 10
    assert len(test) >= 5
    assert not training & test
    # B100 is made from the pictures of bsds500_val.
    assert not hashes("bsds500_train", "bsds500_test") & hashes("bsds500_val")


@pytest.mark.parametrize("name", ["sample", "open_photos", "open_photos_bsds500"])
def test_every_free_picture_has_a_licence_and_every_pattern_a_picture(name):
    for part in validate(compose_choices({"data": name})).data.parts.values():
        files = [PROJECT / registry for registry in part.registries]
        names = [flat_name(entry.name) for file in files for entry in read_registry(file)]
        for name in names:
            assert value_for(name, part.licences, "")
        patterns = [*part.licences, *part.exclude, *part.shrink]
        assert unmatched(patterns, names) == []


def test_licence_source_and_factor_of_each_free_picture_are_those_of_its_makers():
    config = validate(compose_choices({"data": "open_photos", "benchmark": "cid22_valid"}))
    part, benchmark = config.data.parts["open_photos"], config.benchmark["cid22_valid"]
    licences = {"open_photos": part.licences, "cid22_valid": benchmark.licences}
    with (PROJECT / "tests/oracles/open_photos_licences.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["registry"] for row in rows].count("open_photos") == 214
    for row in rows:
        name, shrink = flat_name(row["file"]), part.shrink if "open" in row["registry"] else {}
        said = value_for(name, licences[row["registry"]], "")
        assert said.startswith(f"{row['licence']}, ")
        assert said.endswith(f", {row['source']}")
        assert value_for(name, shrink, 1) == int(row["shrink"])


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda path: path.stem)
def test_the_registries_of_the_project_are_well_formed(registry):
    entries = read_registry(registry)
    assert len({entry.name for entry in entries}) == len(entries) > 0


def test_a_single_file_is_fetched_once(server, tmp_path):
    registry = registry_of(tmp_path, entry(server, "weights.pth", b"W" * 1000))
    for _ in range(2):
        fetch_file(registry, tmp_path / "there" / "mine.pth")
    assert (tmp_path / "there" / "mine.pth").read_bytes() == b"W" * 1000
    assert len(server.requests) == 1


def test_a_wrong_single_file_is_removed(server, tmp_path):
    registry = registry_of(tmp_path, entry(server, "weights.pth", b"right"))
    server.files["/weights.pth"] = b"wrong"
    with pytest.raises(FetchError, match=r"weights.pth: not the expected file"):
        fetch_file(registry, tmp_path / "there" / "mine.pth")
    assert [path.name for path in (tmp_path / "there").iterdir()] == [".mine.pth.lock"]


def test_a_registry_of_several_files_is_not_a_single_one(server, tmp_path):
    registry = registry_of(tmp_path, entry(server, "a", b"a"), entry(server, "b", b"b"))
    with pytest.raises(FetchError, match=r"some.txt: expected one file"):
        fetch_file(registry, tmp_path / "a")
