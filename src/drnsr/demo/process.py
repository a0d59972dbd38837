"""What a process of the demo does: the tasks of the pages, with a limit on its memory."""

import logging
import math
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from drnsr.demo.tasks import Progress, Upload, UpscaledUpload, inspect_upload, upscale_upload
from drnsr.errors import SignalError, UserError, reason
from drnsr.inference.allocator import keep_freed_memory
from drnsr.upscale.models import Models
from drnsr.workers import Report, Work

MAX_MEMORY = 6 << 30
"""Bytes that a process may take for a picture; one of 24 megapixels takes less than a quarter."""

_GRACE = 10.0  # seconds that the server has to end this process before the system does

_STATUS = Path("/proc/self/status")

_log = logging.getLogger("drnsr")


@dataclass(frozen=True)
class Inspection:
    """The task of :func:`drnsr.demo.tasks.inspect_upload`.

    Attributes:
        longest_silence: seconds without progress after which the task is given up.
    """

    path: Path
    folder: Path
    longest_silence: ClassVar[float] = 300.0

    @property
    def name(self) -> str:
        """The name of the uploaded file."""
        return self.path.name

    def run(self, models: Mapping[str, Models], progress: Progress) -> Upload:
        """Do the task."""
        return inspect_upload(self.path, self.folder, progress)


@dataclass(frozen=True)
class Upscaling:
    """The task of :func:`drnsr.demo.tasks.upscale_upload`, with the name of the model.

    Attributes:
        longest_silence: seconds without progress after which the task is given up. Progress is
            reported after each tile, and not while a file is read or written.
    """

    upload: Upload
    model: str
    scale: int
    folder: Path
    view_folder: Path
    longest_silence: ClassVar[float] = 600.0

    @property
    def name(self) -> str:
        """The name of the uploaded file."""
        return self.upload.path.name

    def run(self, models: Mapping[str, Models], progress: Progress) -> UpscaledUpload:
        """Do the task."""
        chosen = models[self.model]
        return upscale_upload(
            self.upload, chosen, self.scale, self.folder, self.view_folder, progress
        )


Task = Inspection | Upscaling


@dataclass(frozen=True)
class Failed:
    """A task failed.

    Attributes:
        problem: a line for the page.
    """

    problem: str


def start(models: Mapping[str, Models], max_memory: int = MAX_MEMORY) -> Work:
    """Prepare this process for tasks; see :func:`drnsr.workers.share_out`.

    Args:
        models: the models by name, not loaded.
        max_memory: bytes that it may take beside what it has now.
    """
    keep_freed_memory()
    _limit_memory(max_memory)
    return partial(_work, models, max_memory)


def _work(
    models: Mapping[str, Models], max_memory: int, task: Task, report: Report
) -> Upload | UpscaledUpload | Failed:
    limit = task.longest_silence + _GRACE

    def tell(fraction: float) -> None:
        _end_after(limit)
        report(fraction)

    try:
        _end_after(limit)
        return task.run(models, Progress(tell))
    except (SignalError, BrokenPipeError):  # the server ends this process, or is gone
        raise
    except UserError as error:
        return Failed(str(error))
    except MemoryError:
        return Failed(
            f"{task.name}: needs more than the {max_memory / 2**30:.0f} GiB of memory that this"
            " page has for a picture; `drnsr upscale` has no such limit"
        )
    except OSError as error:
        return Failed(reason(error))
    except Exception as error:  # the page displays any error and can be used further
        _log.exception("a task of the page failed")
        return Failed(f"It failed: {reason(error)}. The terminal says more.")
    finally:
        _end_after(0)


def _limit_memory(num_bytes: int) -> None:
    """Limit the memory that this process can write to; it does nothing but on Linux.

    The address space is no measure, because each thread reserves much that it never uses.
    """
    if not _STATUS.is_file():
        return
    import resource

    taken = re.search(r"VmData:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
    assert taken is not None
    limit = int(taken[1]) * 1024 + num_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _end_after(seconds: float) -> None:
    """Let the system end this process after so many seconds; 0 for never.

    The server ends it first, unless the server was killed. No decoder can put this off, because it
    takes no step of Python. Windows has no such signal.
    """
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(seconds))
