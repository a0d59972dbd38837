import gzip
import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from drnsr.data.archive import ArchiveError, is_archive, unpack_in_process, unpack_pictures
from tests.conftest import PROJECT

PICTURES = {"set/a.png": b"A" * 5000, "set/deep/b.jpg": b"B" * 300}


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.mkdir("set")
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def make_tar(path, members):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as packed:
        packed.addfile(folder := tarfile.TarInfo("set"))
        folder.type = tarfile.DIRTYPE
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def make(path, members):
    return (make_zip if path.suffix == ".zip" else make_tar)(path, members)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


ENDINGS = pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz"])


def test_archives_are_recognised_by_name():
    assert all(map(is_archive, ["a.zip", "a.TAR", "a.tar.gz", "a.tgz"]))
    assert not any(map(is_archive, ["a.png", "a.gz", "zip", "tar.png"]))


def test_an_archive_that_keeps_its_reader_busy_is_given_up(tmp_path):
    os.mkfifo(tmp_path / "a.tar")  # a read of it waits for ever
    began = time.monotonic()
    with pytest.raises(ArchiveError, match=r"a\.tar: not unpacked after 1 s"):
        unpack_in_process(tmp_path / "a.tar", tmp_path / "out", members="*", max_bytes=1, seconds=1)
    assert time.monotonic() < began + 10
    archive = make(tmp_path / "b.zip", PICTURES)
    with pytest.raises(ArchiveError, match=r"^\S*b\.zip: unpacks to more than 10 bytes"):
        unpack_in_process(archive, tmp_path / "out", members="*", max_bytes=10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "b.zip"]


def test_a_chain_of_long_names_and_a_name_that_only_some_systems_hold_are_refused(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1
    chain = tmp_path / "chain.tar"
    chain.write_bytes((header.tobuf() + b"a".ljust(512, b"\0")) * 3000)
    with pytest.raises(ArchiveError, match="a damaged archive"):
        unpack_pictures(chain, tmp_path / "out")
    for name in ("con.png", "a?b.png", "a\x1bb.png", "a" * 210 + ".png"):
        archive = make(tmp_path / "names.zip", {name: b"A"})
        with pytest.raises(ArchiveError, match="a name that not every system can hold"):
            unpack_pictures(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@ENDINGS
def test_the_pictures_are_unpacked_flat_and_nothing_else(tmp_path, ending):
    others = {"set/notes.txt": b"notes", "__MACOSX/set/._a.png": b"a resource fork"}
    archive = make(tmp_path / f"some{ending}", PICTURES | others)
    unpack_pictures(archive, tmp_path / "out")
    assert files_below(tmp_path / "out") == ["a.png", "b.jpg"]
    assert (tmp_path / "out" / "a.png").read_bytes() == PICTURES["set/a.png"]


@ENDINGS
def test_a_pattern_chooses_among_the_members(tmp_path, ending):
    archive = make(tmp_path / f"some{ending}", {"s/HR/a.png": b"a", "s/LR/a.png": b"b"})
    unpack_pictures(archive, tmp_path / "out", members="*HR/*.png")
    assert (tmp_path / "out" / "a.png").read_bytes() == b"a"
    with pytest.raises(ArchiveError, match=r"s/LR/a\.png: another picture in it has the same name"):
        unpack_pictures(archive, tmp_path / "all")
    with pytest.raises(ArchiveError, match=r"no pictures in it that match 'X\*'"):
        unpack_pictures(archive, tmp_path / "none", members="X*")


@ENDINGS
@pytest.mark.parametrize(
    "name",
    ["../a.png", "set/../../a.png", "/tmp/a.png", "..\\a.png", "set\\..\\..\\a.png", "C:\\a.png"],
)
def test_a_path_out_of_the_folder_is_refused(tmp_path, ending, name):
    (tmp_path / "deep").mkdir()
    archive = make(tmp_path / "deep" / f"evil{ending}", PICTURES | {name: b"evil"})
    with pytest.raises(ArchiveError, match="leads out of the archive's folder") as caught:
        unpack_pictures(archive, tmp_path / "deep" / "out")
    assert name in str(caught.value)
    assert files_below(tmp_path) == [f"deep/evil{ending}"]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as packed:
        info = tarfile.TarInfo("set/a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        packed.addfile(info)
    with pytest.raises(ArchiveError, match=r"set/a\.png: a link or a device"):
        unpack_pictures(archive, tmp_path / "out")
    assert files_below(tmp_path) == ["evil.tar"]


def test_a_folder_that_is_a_link_is_refused_before_anything_is_written_through_it(tmp_path):
    (tmp_path / "outside").mkdir()
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as packed:
        link = tarfile.TarInfo("set")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        packed.addfile(link)
        through = tarfile.TarInfo("set/a.png")
        through.size = 1
        packed.addfile(through, io.BytesIO(b"x"))
    with pytest.raises(ArchiveError, match="set: a link"):
        unpack_pictures(archive, tmp_path / "out")
    assert files_below(tmp_path / "outside") == []


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("set/a.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveError, match=r"set/a\.png: a link or a device"):
        unpack_pictures(tmp_path / "evil.zip", tmp_path / "out")


@ENDINGS
def test_a_bomb_is_refused_at_the_limit(tmp_path, ending):
    archive = make(tmp_path / f"bomb{ending}", {f"{n}.png": bytes(10**6) for n in range(5)})
    unpack_pictures(archive, tmp_path / "within", max_bytes=5 * 10**6)
    with pytest.raises(ArchiveError, match="unpacks to more than 4999999 bytes"):
        unpack_pictures(archive, tmp_path / "beyond", max_bytes=5 * 10**6 - 1)
    assert not (tmp_path / "beyond").exists()


def test_a_zip_that_understates_its_size_is_refused(tmp_path):
    archive = make_zip(tmp_path / "liar.zip", {"a.png": bytes(10**6)})
    honest, lie = (10**6).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert honest in archive.read_bytes()
    archive.write_bytes(archive.read_bytes().replace(honest, lie))
    with pytest.raises(ArchiveError, match=r"liar\.zip"):
        unpack_pictures(archive, tmp_path / "out", max_bytes=1000)
    assert files_below(tmp_path) == ["liar.zip"]


@ENDINGS
def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path, ending):
    whole = make(tmp_path / f"whole{ending}", {"a.png": os.urandom(50_000)}).read_bytes()
    for damaged in (b"", b"no archive at all", whole[: len(whole) // 2]):
        archive = tmp_path / f"cut{ending}"
        archive.write_bytes(damaged)
        with pytest.raises(
            ArchiveError, match=r"cut\..*: (a damaged archive|no pictures)"
        ) as error:
            unpack_pictures(archive, tmp_path / "out")
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()
    flipped = bytearray(whole)
    flipped[20_000] ^= 0xFF
    (tmp_path / f"cut{ending}").write_bytes(flipped)
    if ending != ".tar":  # which carries no checksum of its contents; the registry's hash does
        with pytest.raises(ArchiveError, match="a damaged archive"):
            unpack_pictures(tmp_path / f"cut{ending}", tmp_path / "out")


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_a_tar_that_is_truncated_between_members_is_refused(tmp_path, ending):
    """The standard library takes both for a tar of one member."""
    whole = make_tar(tmp_path / "whole.tar", {"a.png": bytes(512), "b.png": bytes(512)})
    after_a = 3 * 512  # the folder's block, and two of a.png
    content = whole.read_bytes()
    for damaged in (content[:after_a], content[:after_a] + b"x" + content[after_a + 1 :]):
        archive = tmp_path / f"cut{ending}"
        archive.write_bytes(gzip.compress(damaged) if ending == ".tar.gz" else damaged)
        with pytest.raises(ArchiveError, match="cut short, or broken in the middle"):
            unpack_pictures(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encrypted_zip_is_named(tmp_path):
    archive = make_zip(tmp_path / "secret.zip", {"a.png": b"A"})
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the flag in the directory at the end
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"secret\.zip: a\.png: encrypted"):
        unpack_pictures(archive, tmp_path / "out")


def test_a_killed_unpacking_leaves_no_complete_folder(tmp_path):
    archive = make_zip(tmp_path / "large.zip", {f"{n}.png": os.urandom(10**5) for n in range(200)})
    program = f"""
from pathlib import Path
from drnsr.data.archive import unpack_pictures
unpack_pictures(Path({str(archive)!r}), Path({str(tmp_path / "out")!r}))
"""
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src")}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    for _ in range(15_000):
        if list(tmp_path.glob(".*.partial.*/*")):
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    # Either it was killed in the middle, or it had been faster: never half of it.
    assert not (tmp_path / "out").exists() or len(files_below(tmp_path / "out")) == 200
    unpack_pictures(archive, tmp_path / "out")
    assert len(files_below(tmp_path / "out")) == 200
    assert not list(tmp_path.glob(".*.partial*"))
