"""One worker for all open pages, and folders for each that go when the page goes."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from drnsr.demo.work import Progress
from drnsr.upscale.models import Models

T = TypeVar("T")


class Worker:
    """Where the work of all pages is done, one piece after another.

    Args:
        models: by the names that the pages show.
        folder: an empty one, for uploads and what is made of them.
    """

    def __init__(self, models: Mapping[str, Models], folder: Path) -> None:
        self.models = dict(models)
        self.uploads = folder / "uploads"
        self.shown = folder / "shown"
        self.shown.mkdir()
        self.sessions: set[Session] = set()
        self._worker = ThreadPoolExecutor(max_workers=1)

    async def do(self, work: Callable[[], T]) -> T:
        """Let the worker call a function when it has done what came before."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def remove(self, folder: Path) -> None:
        """Remove a folder, once no work that came before can write to it."""
        self._worker.submit(shutil.rmtree, folder, ignore_errors=True)

    def close(self) -> None:
        """End all work, and wait for the end."""
        for session in tuple(self.sessions):
            session.leave()
        self._worker.shutdown()


class Session:
    """An open page: its folders, and what is being done for it.

    Args:
        worker: that does it.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._name = secrets.token_urlsafe(16)  # whoever can guess it sees the pictures
        self._folders = 0
        self.progress: Progress | None = None
        worker.sessions.add(self)

    def upload_folder(self) -> Path:
        """A new folder for an upload."""
        return self._new_folder(self._worker.uploads)

    def shown_folder(self) -> Path:
        """A new folder for what the page shows."""
        return self._new_folder(self._worker.shown)

    def remove(self, *folders: Path) -> None:
        """Remove folders that this page no longer needs, once no work can write to them.

        Of a page that was closed all of them go already, and the worker may be closed, too.
        """
        if self in self._worker.sessions:
            for folder in folders:
                self._worker.remove(folder)

    def address(self, shown: Path) -> str:
        """Where the browser finds a file of :meth:`shown_folder`."""
        return quote(f"/shown/{shown.relative_to(self._worker.shown).as_posix()}")

    def begin(self) -> Progress:
        """Begin a piece of work, in place of the one that goes on."""
        self.stop()
        self.progress = Progress()
        return self.progress

    def stop(self) -> None:
        """End what is being done."""
        if self.progress is not None:
            self.progress.stop()

    def leave(self) -> None:
        """The page was closed: end its work and remove its files."""
        self.stop()
        self.progress = None
        self._worker.sessions.discard(self)
        for root in (self._worker.uploads, self._worker.shown):
            self._worker.remove(root / self._name)

    def _new_folder(self, root: Path) -> Path:
        self._folders += 1
        folder = root / self._name / str(self._folders)
        folder.mkdir(parents=True)
        return folder
