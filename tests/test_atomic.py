import errno

import pytest

from drnsr.atomic import atomic_path, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    write_text(target, "old")

    def fill_the_disk():
        with atomic_path(target) as partial:
            partial.write_text("half of the n")
            raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with pytest.raises(OSError, match="No space left"):
        fill_the_disk()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, small_disk):
    target = tmp_path / "result.json"
    write_text(target, "old")
    with pytest.raises(OSError, match="File too large") as caught:
        write_text(target, "x" * 60_000)
    assert caught.value.filename == str(target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_text_is_utf8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "Häggström\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "Häggström\n".encode()
