"""Progress bars of downloads: the number of files of a set, and the bytes of large files."""

from threading import Lock
from types import TracebackType
from typing import Self

from rich.filesize import decimal
from rich.progress import ProgressColumn, Task, TaskID
from rich.text import Text

from drnsr.errors import printable
from drnsr.terminal import Bars

SMALLEST_WITH_A_BAR = 8 * 2**20  # bytes; the download of a smaller file is over too soon for a bar


class _Amount(ProgressColumn):
    """A column with files and bytes of the set, or bytes of one file."""

    def render(self, task: Task) -> Text:
        """Return the text beside the bar."""
        if "received" in task.fields:
            files = f"{int(task.completed)}/{int(task.total or 0)} files"
            received = task.fields["received"]
            return Text(f"{files}, {decimal(received)}" if received else files)
        return Text(f"{decimal(int(task.completed))} of {decimal(int(task.total or 0))}")


class DownloadProgress:
    """A bar for the files of a set and all bytes, and one for each large file being downloaded.

    It may be used from several threads.
    """

    def __init__(self, title: str, files: int) -> None:
        """Create the bar of a set with this number of files."""
        self._progress = Bars(_Amount())
        self._set = self._progress.add_task(title, total=files, received=0)
        self._received = 0
        self._counting = Lock()

    def __enter__(self) -> Self:
        """Show the bars."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the bars, and leave them visible."""
        self._progress.stop()

    def open_file(self, name: str, size: int, there: int) -> TaskID | None:
        """Add the bar of a large file of ``size`` bytes, of which ``there`` exist already."""
        if size < SMALLEST_WITH_A_BAR:
            return None
        return self._progress.add_task(printable(name), total=size, completed=there)

    def receive(self, file: TaskID | None, count: int) -> None:
        """Count received bytes."""
        with self._counting:
            self._received += count
            self._progress.update(self._set, received=self._received)
        if file is not None:
            self._progress.advance(file, count)

    def close_file(self, file: TaskID | None) -> None:
        """Remove the bar of a file."""
        if file is not None:
            self._progress.remove_task(file)

    def finish_file(self) -> None:
        """Count a file that is complete and verified."""
        self._progress.advance(self._set)

    def print(self, line: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
