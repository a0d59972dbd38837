import os
import sys

import pytest
from PIL import Image

from drnsr.data.folders import copy_pairs, copy_pictures, original_paths
from drnsr.data.prepared import DataError
from tests.conftest import texture


def draw(*paths):
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(texture(20, 20, seed=number)).save(path)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folders_in_it_become_part_of_the_names(tmp_path):
    own = tmp_path / "own"
    draw(own / "deep" / "er" / "0.png", own / "1.png")
    copy_pictures(own, tmp_path / "raw")
    assert names(tmp_path / "raw") == ["1.png", "deep__er__0.png"]
    files = original_paths(own, tmp_path / "raw")
    assert files[tmp_path / "raw" / "deep__er__0.png"] == own / "deep" / "er" / "0.png"
    for copy, file in files.items():
        assert copy.read_bytes() == file.read_bytes()


def test_two_copies_of_one_name_are_refused_before_anything_is_copied(tmp_path):
    own = tmp_path / "own"
    draw(own / "a" / "b.png", own / "a__b.png")
    with pytest.raises(DataError, match=r"a/b\.png and .*a__b\.png would both be called a__b\.png"):
        copy_pictures(own, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_an_empty_or_missing_folder_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no pictures in this folder"):
        copy_pictures(tmp_path / "empty", tmp_path / "raw")
    with pytest.raises(DataError, match="gone: there is no such folder"):
        copy_pictures(tmp_path / "gone", tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
    assert original_paths(tmp_path / "gone", tmp_path / "raw") == {}


ODD_NAMES = [
    "-rf.png",
    "with space.PNG",
    "Grüße 写真.Jpg",
    "a;b&c$(d).png",
    "%20.png",
    "UPPER.TIFF",
]


def test_odd_names_are_kept(tmp_path):
    own = tmp_path / "own"
    draw(*(own / name for name in ODD_NAMES))
    copy_pictures(own, tmp_path / "raw")
    assert names(tmp_path / "raw") == sorted(ODD_NAMES)


def test_every_readable_format_is_copied(tmp_path):
    own = tmp_path / "own"
    kinds = ["a.gif", "b.jp2", "c.j2k", "d.avif", "e.webp", "f.jfif", "g.pbm"]
    draw(*(own / name for name in kinds if name != "g.pbm"))
    Image.new("1", (20, 20)).save(own / "g.pbm")
    copy_pictures(own, tmp_path / "raw")
    assert names(tmp_path / "raw") == kinds


def test_ignored_files_are_counted_and_named(tmp_path, caplog):
    own = tmp_path / "own"
    draw(own / "a.png", own / ".hidden.png", own / ".cache" / "b.png", own / "x.png" / "in.png")
    for name in ("1.heic", "2.HEIC", "3.heic", "4.heic", "notes.txt", "LICENSE", ".DS_Store"):
        (own / name).write_bytes(b"something")
    copy_pictures(own, tmp_path / "raw")
    assert names(tmp_path / "raw") == ["a.png", "x.png__in.png"]  # a folder may be called x.png
    assert caplog.messages == [
        f"{own}: ignored files in unknown formats:"
        " 4 .heic (1.heic, 2.HEIC, 3.heic and 1 more), 1 .txt (notes.txt),"
        " 1 without a suffix (LICENSE)"
    ]


def test_a_folder_of_other_files_says_what_it_has(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.heic").write_bytes(b"something")
    with pytest.raises(DataError, match=r"no pictures in this folder; it has 1 \.heic \(1\.heic\)"):
        copy_pictures(tmp_path / "own", tmp_path / "raw")


needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


@needs_links
def test_links_are_followed_and_each_folder_is_taken_once(tmp_path, caplog):
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    draw(own / "real" / "a.png", elsewhere / "b.png", tmp_path / "c.png")
    (own / "linked").symlink_to(elsewhere)
    (own / "again").symlink_to(elsewhere, target_is_directory=True)
    (own / "alias").symlink_to(own / "real")
    (own / "c.png").symlink_to(tmp_path / "c.png")
    (own / "real" / "loop").symlink_to(own)
    (elsewhere / "back").symlink_to(own)
    links = copy_pictures(own, tmp_path / "raw")
    assert links == [own / "again"]  # the others lead to what was taken already
    assert names(tmp_path / "raw") == ["again__b.png", "c.png", "real__a.png"]
    assert not any(path.is_symlink() for path in (tmp_path / "raw").iterdir())
    assert [m for m in caplog.messages if "loop: not followed" in m]


@needs_links
def test_all_that_cannot_be_read_are_named(tmp_path):
    own = tmp_path / "own"
    draw(own / "a.png")
    (own / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(own / "pipe.png")
    with pytest.raises(DataError, match="2 of 3 pictures cannot be read") as caught:
        copy_pictures(own, tmp_path / "raw")
    assert f"{own / 'gone.png'}: a broken link" in str(caught.value)
    assert f"{own / 'pipe.png'}: not a file" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_and_a_folder_that_may_not_be_read_are_named(tmp_path):
    own = tmp_path / "own"
    draw(own / "a.png", own / "b.png", own / "closed" / "c.png")
    (own / "b.png").chmod(0)
    (own / "closed").chmod(0)
    try:
        with pytest.raises(OSError, match="Permission denied") as caught:
            copy_pictures(own, tmp_path / "raw")
        assert caught.value.filename == str(own / "closed")
    finally:
        (own / "closed").chmod(0o700)
    with pytest.raises(DataError, match=r"b\.png: Permission denied"):
        copy_pictures(own, tmp_path / "raw")


def test_pairs_need_both_halves(tmp_path):
    own = tmp_path / "own"
    draw(own / "hr" / "a.png")
    with pytest.raises(DataError, match=r"there is no folder lr_x\.\.\."):
        copy_pairs(own, tmp_path / "raw")
    draw(own / "lr_x2" / "a.png")
    copy_pairs(own, tmp_path / "raw")
    assert names(tmp_path / "raw") == ["hr", "lr_x2"]
