"""What a person sees of a download: how many files of the set are there, and large files' bytes."""

from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.text import Text

_LARGE = 8 * 2**20  # bytes; a smaller file is here before its bar could be read


class _Amount(ProgressColumn):
    """Files and bytes of the set, or bytes of one file."""

    def render(self, task: Task) -> Text:
        """What stands beside the bar."""
        if "received" in task.fields:
            files = f"{int(task.completed)}/{int(task.total or 0)} files"
            received = task.fields["received"]
            return Text(f"{files}, {decimal(received)}" if received else files)
        return Text(f"{decimal(int(task.completed))} of {decimal(int(task.total or 0))}")


class DownloadBars:
    """A bar that counts the files of a set and all bytes, and one for each large file on its way.

    May be called from several threads.
    """

    def __init__(self, title: str, files: int) -> None:
        """Make the bars of a set of so many files."""
        self._progress = Progress(
            *(TextColumn("{task.description}"), BarColumn(), _Amount(), TimeLeft()),
            console=Console(stderr=True),  # standard output is for results
        )
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
        """Leave the bars as they are."""
        self._progress.stop()

    def open_file(self, name: str, size: int, there: int) -> TaskID | None:
        """Begin the bar of a file of ``size`` bytes, ``there`` of which are here already."""
        if size < _LARGE:
            return None
        return self._progress.add_task(name, total=size, completed=there)

    def receive(self, file: TaskID | None, count: int) -> None:
        """Count bytes that came."""
        with self._counting:
            self._received += count
            self._progress.update(self._set, received=self._received)
        if file is not None:
            self._progress.advance(file, count)

    def close_file(self, file: TaskID | None) -> None:
        """Take away the bar of a file that came, or whose connection broke."""
        if file is not None:
            self._progress.remove_task(file)

    def finish_file(self) -> None:
        """Count a file that is here, and the right one."""
        self._progress.advance(self._set)

    def tell(self, line: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
