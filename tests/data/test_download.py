import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate

import pytest

from drnsr.data.download import FetchError, RemoteFile, RetryPolicy, download_files
from drnsr.data.registry import read_registry
from tests.conftest import PROJECT
from tests.data.conftest import answers, breaks_off, ignores_ranges, send

QUICK = RetryPolicy(retries=2, first_wait=0.01, max_wait=5, stall=0.3)
BLOCK = 2**16  # what is written at a time: less than that may be lost when a line breaks
CONTENT = bytes(range(256)) * 2560  # ten blocks


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def fetch(server, folder, *names, content=CONTENT, retry_policy=QUICK, **keywords):
    """Download files of ``content`` from the server."""
    files = [
        RemoteFile(f"{server.url}/{name}", sha256(content), folder / name)
        for name in names or ("a.bin",)
    ]
    for name in names or ("a.bin",):
        server.files.setdefault(f"/{name}", content)
    download_files(files, "test", retry_policy=retry_policy, **keywords)


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "trouble",
    [
        answers(500),
        answers(503),
        answers(429),
        answers(429, Retry_After="0"),
        answers(503, Retry_After=formatdate(usegmt=True)),
        breaks_off(0),
        breaks_off(1000),
        breaks_off(200_000),
    ],
)
def test_transient_failures_are_retried(server, tmp_path, trouble):
    server.script["/a.bin"] = [trouble, trouble]
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert left_in(tmp_path) == ["a.bin"]


def test_a_stalled_connection_is_retried(server, tmp_path):
    server.script["/a.bin"] = [server.stalls(0), server.stalls(200_000)]
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def drips(head):
    """Send a byte every hundredth of a second: of the answer's head, or of its body."""

    def behave(handler, _):
        if not head:
            send(handler, 200, b"", length=10**6)
        for _ in range(3000):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.01)

    return behave


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (False, r"given up after 3 failures in a row: only \d+ bytes in 0\.2 s"),
        (True, r"the server did not come to an answer in 0\.2 s"),
    ],
)
def test_a_server_that_gives_a_byte_at_a_time_is_given_up(server, tmp_path, head, reason):
    server.script["/a.bin"] = [drips(head)] * 9
    policy = replace(QUICK, slow_seconds=0.2, slow_bytes=1000, stall=5)
    with pytest.raises(FetchError, match=rf"/a\.bin: {reason}"):
        fetch(server, tmp_path, retry_policy=policy)


def test_a_body_without_an_end_is_not_kept(server, tmp_path):
    def endless(handler, _):
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(bytes(10_000))

    server.script["/a.bin"] = [endless]
    with pytest.raises(FetchError, match=r"/a\.bin: larger than 500000 bytes, the limit"):
        fetch(server, tmp_path, retry_policy=replace(QUICK, max_bytes=500_000))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 500_000


def test_a_permanent_failure_names_url_and_reason(server, tmp_path):
    server.script["/a.bin"] = [answers(503)] * 9
    with pytest.raises(FetchError, match=r"/a\.bin: given up after 3 failures in a row: .* 503 "):
        fetch(server, tmp_path)
    assert len(server.requests) == 3
    assert left_in(tmp_path) == []


def test_a_missing_server_gives_an_error_of_one_line(server, tmp_path):
    server.stop()
    with pytest.raises(FetchError, match=r"given up .*Connection refused") as caught:
        fetch(server, tmp_path)
    assert "\n" not in str(caught.value)


def test_waits_grow_and_are_never_shorter_than_asked(server, tmp_path, monkeypatch):
    waits = []

    class Event(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return False

    monkeypatch.setattr("drnsr.data.download.Event", Event)
    server.script["/a.bin"] = [answers(500), answers(500), answers(429, Retry_After="7")]
    retry_policy = RetryPolicy(retries=3, first_wait=1, max_wait=10, stall=5)
    fetch(server, tmp_path, retry_policy=retry_policy)
    assert waits == [1, 2, 7]


def test_a_server_that_asks_for_hours_is_not_waited_for(server, tmp_path):
    server.script["/a.bin"] = [answers(429, Retry_After="7200")]
    with pytest.raises(FetchError, match=r"a\.bin: the server asks to retry in 7200 seconds"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_other_failures_are_not_retried(server, tmp_path, status):
    server.script["/a.bin"] = [answers(status)]
    with pytest.raises(FetchError, match=rf"{server.url}/a\.bin: the server answers {status} "):
        fetch(server, tmp_path)
    assert len(server.requests) == 1
    assert left_in(tmp_path) == []


def test_a_wrong_file_is_removed_and_both_hashes_named(server, tmp_path):
    server.files["/a.bin"] = b"something else"
    with pytest.raises(FetchError) as caught:
        fetch(server, tmp_path)
    for part in (f"{server.url}/a.bin", "a.bin", sha256(CONTENT), sha256(b"something else")):
        assert part in str(caught.value)
    assert left_in(tmp_path) == []


def test_a_broken_download_resumes(server, tmp_path):
    server.script["/a.bin"] = [breaks_off(2 * BLOCK)]
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, f"bytes={2 * BLOCK}-"]


def test_failures_are_counted_anew_after_progress(server, tmp_path):
    """Ten broken connections are retried as long as each brings new data."""

    def bring_a_tenth(handler, content):
        start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        part, rest = content[start : start + len(content) // 10], len(content) - start
        where = f"bytes {start}-{len(content) - 1}/{len(content)}"
        send(handler, 206 if start else 200, part, length=rest, Content_Range=where)

    server.script["/a.bin"] = [bring_a_tenth] * 10
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_large_file_has_a_bar_of_its_own(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("drnsr.data.download_progress.SMALLEST_WITH_A_BAR", 0)
    server.script["/a.bin"] = [breaks_off(2 * BLOCK)]
    fetch(server, tmp_path)
    assert "1/1 files, 655.4 kB" in capsys.readouterr().err  # no byte counted twice


def test_a_later_run_resumes_the_download(server, tmp_path):
    server.script["/a.bin"] = [breaks_off(2 * BLOCK), *[answers(500)] * 2]
    with pytest.raises(FetchError, match="given up"):
        fetch(server, tmp_path)
    assert "a.bin" not in left_in(tmp_path)  # nothing under the name that would be believed
    server.requests.clear()
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests == [("/a.bin", f"bytes={2 * BLOCK}-")]
    assert left_in(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    "behaviours",
    [
        [ignores_ranges],
        [answers(416)],
        [answers(416, Content_Range="bytes */5")],
        [answers(206, Content_Range="bytes 0-12/13")],
    ],
    ids=["200", "416", "416 of another size", "206 of another part"],
)
def test_a_download_that_cannot_resume_restarts(server, tmp_path, behaviours):
    server.script["/a.bin"] = [breaks_off(2 * BLOCK), *behaviours]
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def partial_of(folder, content):
    return folder / f".a.bin.{sha256(content)[:16]}.partial"


def test_a_complete_file_whose_check_was_killed_is_not_fetched_again(server, tmp_path):
    partial_of(tmp_path, CONTENT).write_bytes(CONTENT)
    fetch(server, tmp_path)
    assert server.requests == [("/a.bin", f"bytes={len(CONTENT)}-")]
    assert left_in(tmp_path) == ["a.bin"]


def test_a_damaged_partial_file_is_fetched_again(server, tmp_path):
    partial_of(tmp_path, CONTENT).write_bytes(bytes(1000))
    fetch(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_only_what_is_missing_or_wrong_is_fetched(server, tmp_path):
    names = [f"deep/{number}.bin" for number in range(8)]
    server.script["/deep/7.bin"] = [answers(404)]
    with pytest.raises(FetchError, match=r"deep/7\.bin"):
        fetch(server, tmp_path, *names, connections=1)
    assert left_in(tmp_path) == [f"{number}.bin" for number in range(7)]
    (tmp_path / "deep" / "3.bin").write_bytes(b"edited by someone")
    server.requests.clear()
    fetch(server, tmp_path, *names, connections=3)
    assert sorted(path for path, _ in server.requests) == [f"/deep/{n}.bin" for n in (3, 7)]
    assert all((tmp_path / name).read_bytes() == CONTENT for name in names)


def test_several_files_are_downloaded_at_a_time(server, tmp_path):
    """Each of two files is sent only when the other was asked for."""
    meeting = []

    def wait_for_the_other(handler, content):
        meeting.append(handler.path)
        for _ in range(500):
            if len(meeting) == 2:
                return send(handler, 200, content)
            time.sleep(0.01)
        raise AssertionError("asked one after the other")

    server.script = {"/a.bin": [wait_for_the_other], "/b.bin": [wait_for_the_other]}
    fetch(server, tmp_path, "a.bin", "b.bin", retry_policy=RetryPolicy(stall=20))


def test_the_first_failure_stops_the_others_and_keeps_partial_files(server, tmp_path):
    def fail_when_the_other_has_begun(handler, _):
        for _ in range(500):
            partial = partial_of(tmp_path, CONTENT)
            if partial.is_file() and partial.stat().st_size:
                break
            time.sleep(0.01)
        send(handler, 404, b"")

    server.script = {"/a.bin": [server.stalls(200_000)], "/b.bin": [fail_when_the_other_has_begun]}
    with pytest.raises(FetchError, match=r"b\.bin: the server answers 404"):
        fetch(server, tmp_path, "a.bin", "b.bin")
    assert left_in(tmp_path) == [partial_of(tmp_path, CONTENT).name]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_download_leaves_no_wrong_file_and_resumes(server, tmp_path, how):
    program = f"""
from pathlib import Path
from drnsr.data.download import RetryPolicy, RemoteFile, download_files
file = RemoteFile("{server.url}/a.bin", "{sha256(CONTENT)}", Path({str(tmp_path / "a.bin")!r}))
download_files([file], "test", retry_policy=RetryPolicy(stall=1))
"""
    server.files["/a.bin"] = CONTENT
    server.script["/a.bin"] = [server.stalls(200_000)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL
    )
    for _ in range(1500):
        partial = partial_of(tmp_path, CONTENT)
        if partial.is_file() and partial.stat().st_size:
            break
        time.sleep(0.01)
    process.send_signal(how)
    process.wait(20)
    there = partial.stat().st_size
    assert not (tmp_path / "a.bin").exists()
    server.requests.clear()
    fetch(server, tmp_path)
    assert server.requests == [("/a.bin", f"bytes={there}-")]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_mirror_in_a_folder_is_copied_and_not_linked(tmp_path):
    (tmp_path / "mirror/example.org/deep folder").mkdir(parents=True)
    held = tmp_path / "mirror/example.org/deep folder/a.bin"
    held.write_bytes(CONTENT)
    got = tmp_path / "got" / "a.bin"
    file = RemoteFile("https://example.org/deep%20folder/a.bin", sha256(CONTENT), got)
    download_files([file], "test", mirror=str(tmp_path / "mirror"))
    assert got.read_bytes() == CONTENT
    assert not got.samefile(held)


def test_a_mirror_behind_a_url(server, tmp_path):
    server.files["/mirror/example.org/a.bin"] = CONTENT
    file = RemoteFile("https://example.org/a.bin", sha256(CONTENT), tmp_path / "a.bin")
    download_files([file], "test", mirror=f"{server.url}/mirror/", retry_policy=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    missing = RemoteFile("https://example.org/b.bin", sha256(CONTENT), tmp_path / "b.bin")
    with pytest.raises(FetchError, match=rf"{server.url}/mirror/example\.org/b\.bin: .* 404"):
        download_files([missing], "test", mirror=f"{server.url}/mirror", retry_policy=QUICK)


def test_a_wrong_or_missing_file_of_the_mirror_is_named(tmp_path):
    (tmp_path / "mirror/example.org").mkdir(parents=True)
    held = tmp_path / "mirror/example.org/a.bin"
    file = RemoteFile("https://example.org/a.bin", sha256(CONTENT), tmp_path / "got" / "a.bin")
    with pytest.raises(FetchError, match=f"{held}: cannot be taken from the mirror: No such file"):
        download_files([file], "test", mirror=str(tmp_path / "mirror"))
    held.write_bytes(b"of another version")
    with pytest.raises(FetchError, match=f"{held}: not the expected file: .*{sha256(CONTENT)}"):
        download_files([file], "test", mirror=str(tmp_path / "mirror"))
    assert left_in(tmp_path / "got") == []


@pytest.mark.parametrize("name", ["set5_x3", "set14_x4", "bsds500_train"])
def test_real_files_from_the_real_mirror(mirror, tmp_path, name):
    entries = read_registry(PROJECT / "conf" / "registry" / f"{name}.txt")[:5]
    files = [RemoteFile(entry.url, entry.sha256, tmp_path / entry.name) for entry in entries]
    download_files(files, name, mirror=str(mirror))
    assert len(left_in(tmp_path)) == 5
