"""The worker of the demo, which all open pages share, and the session of each page."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from drnsr.demo.tasks import Progress
from drnsr.upscale.models import Models

T = TypeVar("T")


class Worker:
    """Runs the tasks of all pages one after another in a thread.

    Args:
        models: the models by the names that the pages display.
        folder: an empty folder for uploads and results.
    """

    def __init__(self, models: Mapping[str, Models], folder: Path) -> None:
        self.models = dict(models)
        self.uploads = folder / "uploads"
        self.public = folder / "public"
        self.public.mkdir()
        self.sessions: set[Session] = set()
        self._executor = ThreadPoolExecutor(max_workers=1)

    async def run(self, task: Callable[[], T]) -> T:
        """Run a task after all earlier ones and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, task)

    def remove(self, folder: Path) -> None:
        """Remove a folder after all earlier tasks, which may write to it."""
        self._executor.submit(shutil.rmtree, folder, ignore_errors=True)

    def close(self) -> None:
        """Stop all tasks and wait for their end."""
        for session in tuple(self.sessions):
            session.close()
        self._executor.shutdown()


class Session:
    """An open page: its folders and its current task.

    Args:
        worker: runs its tasks.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._name = secrets.token_urlsafe(16)  # a secret: the pictures are served under this name
        self._num_folders = 0
        self.progress: Progress | None = None
        worker.sessions.add(self)

    def new_upload_folder(self) -> Path:
        """Create a folder for an upload."""
        return self._new_folder(self._worker.uploads)

    def new_public_folder(self) -> Path:
        """Create a folder for files that the browser can load."""
        return self._new_folder(self._worker.public)

    def remove(self, *folders: Path) -> None:
        """Remove folders after all earlier tasks.

        It does nothing in a closed session, because :meth:`close` removes all folders and the
        worker may be closed as well.
        """
        if self in self._worker.sessions:
            for folder in folders:
                self._worker.remove(folder)

    def url(self, file: Path) -> str:
        """Return the URL of a file in a public folder."""
        return quote(f"/public/{file.relative_to(self._worker.public).as_posix()}")

    def start_task(self) -> Progress:
        """Stop the current task and return the progress of a new one."""
        self.stop_task()
        self.progress = Progress()
        return self.progress

    def stop_task(self) -> None:
        """Stop the current task, if there is one."""
        if self.progress is not None:
            self.progress.stop()

    def close(self) -> None:
        """Stop the task and remove all files of the session."""
        self.stop_task()
        self.progress = None
        self._worker.sessions.discard(self)
        for root in (self._worker.uploads, self._worker.public):
            self._worker.remove(root / self._name)

    def _new_folder(self, root: Path) -> Path:
        self._num_folders += 1
        folder = root / self._name / str(self._num_folders)
        folder.mkdir(parents=True)
        return folder
