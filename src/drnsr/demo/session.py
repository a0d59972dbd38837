"""An open page: its folders and its current task."""

import secrets
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from drnsr.demo.pool import Pool, Task
from drnsr.demo.running import RunningTask, StoppedError

T = TypeVar("T")


class Sessions:
    """All open pages.

    Args:
        pool: does their tasks.
        folder: an empty folder for uploads and results.
    """

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool = pool
        self.uploads = folder / "uploads"
        self.public = folder / "public"
        self.public.mkdir()
        self.open: set[Session] = set()

    def close(self) -> None:
        """Stop all tasks and end the processes of the pool."""
        for session in tuple(self.open):
            session.close()
        self.pool.close()


class Session:
    """An open page.

    Args:
        sessions: all of them.

    Attributes:
        running: its current task.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._name = secrets.token_urlsafe(16)  # a secret: the pictures are served under this name
        self._num_folders = 0
        self._tasks: list[RunningTask] = []
        self.running: RunningTask | None = None
        sessions.open.add(self)

    def new_private_folder(self) -> Path:
        """Create a folder for an upload or for views."""
        return self._new_folder(self._sessions.uploads)

    def new_public_folder(self) -> Path:
        """Create a folder for files that the browser can load."""
        return self._new_folder(self._sessions.public)

    def remove(self, *folders: Path) -> None:
        """Remove folders when the tasks of the session that were stopped have ended.

        In a closed session all of its folders are removed: one may be newer than :meth:`close`.
        """
        stopped = [task for task in self._tasks if task is not self.running]
        self._sessions.pool.remove(
            folders if self in self._sessions.open else self._roots(), after=stopped
        )

    def url(self, file: Path) -> str:
        """Return the URL of a file in a public folder."""
        return quote(f"/public/{file.relative_to(self._sessions.public).as_posix()}")

    def start_task(self) -> RunningTask:
        """Stop the current task and return a new one."""
        self.stop_task()
        self.running = RunningTask()
        return self.running

    async def run(self, task: Task[T], running: RunningTask) -> T:
        """Run a task; see :meth:`drnsr.demo.pool.Pool.run`."""
        if self not in self._sessions.open:
            raise StoppedError
        self._tasks.append(running)
        try:
            return await self._sessions.pool.run(task, running)
        finally:
            self._tasks.remove(running)

    def stop_task(self) -> None:
        """Stop the current task, if there is one."""
        if self.running is not None:
            self.running.stop()

    def close(self) -> None:
        """Stop the task and remove all files of the session."""
        self.stop_task()
        self.running = None
        self._sessions.open.discard(self)
        self._sessions.pool.remove(self._roots(), after=list(self._tasks))

    def _roots(self) -> list[Path]:
        return [root / self._name for root in (self._sessions.uploads, self._sessions.public)]

    def _new_folder(self, root: Path) -> Path:
        self._num_folders += 1
        folder = root / self._name / str(self._num_folders)
        folder.mkdir(parents=True)
        return folder
