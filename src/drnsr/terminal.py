"""Progress of work on standard error: bars on a terminal, and a few plain lines elsewhere.

Standard output is for results. The bars of rich are used with a few rules: no bar in a process that
is not in the terminal's foreground, such as a job beside others; one line, also on a narrow
terminal; the cursor is never hidden, so that no end of the process can leave it so; and what is
logged or printed meanwhile stands above the bars.
"""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from drnsr.errors import printable

_Item = TypeVar("_Item")

_LINE_SECONDS = 60.0  # between two lines about the same work where there is no terminal
_BAR_WIDTH, _NARROW = 24, 60  # columns; a narrower terminal has no room for a bar beside the text


class _Console(Console):
    """Standard error, as a terminal only where a bar may be drawn."""

    def __init__(self) -> None:
        # Not FORCE_COLOR, but the stream decides: it also makes a terminal of a file.
        super().__init__(stderr=True, force_terminal=None if _is_in_foreground() else False)

    def show_cursor(self, show: bool = True) -> bool:
        """Leave it as it is."""
        return False


def _is_in_foreground() -> bool:
    """Return whether standard error is a terminal whose foreground this process belongs to."""
    try:
        descriptor = sys.stderr.fileno()
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, ValueError):  # closed, no file, or not the terminal of this session
        return sys.stderr.isatty()
    except AttributeError:  # Windows has no foreground
        return sys.stderr.isatty()


class CroppedText(ProgressColumn):
    """Text that is cut where the line ends.

    Args:
        field: the name of the task's field with the text; by default its description.
    """

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self._field = field

    def render(self, task: Task) -> Text:
        """Return the text of the task."""
        text = task.description if self._field is None else str(task.fields[self._field])
        return Text(text, no_wrap=True, overflow="ellipsis")


class _TimeLeft(TimeRemainingColumn):
    """The time left, and at the end the time that it took."""

    def __init__(self) -> None:
        super().__init__(elapsed_when_finished=True)

    def render(self, task: Task) -> Text:
        text = super().render(task)
        return text if task.finished else Text.assemble(text, (" left", text.style))


class Bars(Progress):
    """Bars, each with a description, columns of its own, and the time left.

    Without a terminal each becomes a line a minute, and one at its end.

    Args:
        columns: what stands between the bar and the time left.
        after: what stands after the time left.
        is_kept: whether the bars stay when the work is over.
        has_last_line: whether there is a line at the end, without a terminal.
    """

    def __init__(
        self,
        *columns: ProgressColumn,
        after: Iterable[ProgressColumn] = (),
        is_kept: bool = True,
        has_last_line: bool = True,
    ) -> None:
        console = _Console()
        bar = [BarColumn(_BAR_WIDTH)] if console.width >= _NARROW else []
        super().__init__(
            *(CroppedText(), *bar, *columns, _TimeLeft(), *after),
            console=console,
            transient=not is_kept,
            redirect_stdout=sys.stdout.isatty(),  # else it is a file of the user's
            disable=not console.is_interactive,
        )
        self._amounts = columns
        self._has_last_line = is_kept and has_last_line
        self._handlers: list[tuple[logging.StreamHandler[Any], Any]] = []
        self._said_at = time.monotonic()

    @property
    def is_shown(self) -> bool:
        """Whether there is a terminal to show them."""
        return not self.disable

    def start(self) -> None:
        """Show the bars; what is logged meanwhile stands above them."""
        if self.disable:
            return
        before = {sys.stdout: "stdout", sys.stderr: "stderr"}
        super().start()
        for handler in _stream_handlers():
            if name := before.get(handler.stream):
                self._handlers.append((handler, handler.setStream(getattr(sys, name))))

    def stop(self) -> None:
        """End the bars."""
        super().stop()
        while self._handlers:
            handler, stream = self._handlers.pop()
            if stream is not None:
                handler.setStream(stream)
        if self.disable and self._has_last_line:
            for task in self.tasks:
                self._say(task)

    def update(self, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401 (rich's own)
        """Update a bar; without a terminal say from time to time how far the work is."""
        super().update(*arguments, **keywords)
        self._say_sometimes()

    def advance(self, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401 (rich's own)
        """As :meth:`update`."""
        super().advance(*arguments, **keywords)
        self._say_sometimes()

    def _say_sometimes(self) -> None:
        if self.disable and time.monotonic() >= self._said_at + _LINE_SECONDS:
            self._said_at = time.monotonic()
            for task in self.tasks:
                if not task.finished:
                    self._say(task)

    def _say(self, task: Task) -> None:
        amounts = (str(column.render(task)).strip() for column in self._amounts)
        line = f"{task.description}: {' '.join(amounts)}".rstrip()
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def track(
    items: Iterable[_Item], title: str, total: float, *, is_kept: bool = True
) -> Iterator[_Item]:
    """Yield the items, and show how many of ``total`` are done.

    Args:
        items: consumed as the work proceeds.
        title: what is done.
        total: the number of items.
        is_kept: see :class:`Bars`.
    """
    with Bars(MofNCompleteColumn(), is_kept=is_kept) as bars:
        task = bars.add_task(printable(title), total=total)
        for item in items:
            yield item
            bars.advance(task)


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        for handler in getattr(logger, "handlers", ()):  # a name without a logger has none
            if isinstance(handler, logging.StreamHandler):
                yield handler
