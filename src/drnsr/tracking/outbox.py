"""An outbox keeps on the disk what is to be recorded about a run in MLflow.

A store that cannot be reached neither stops a run nor loses a part of it: what the run has to say
is in the outbox first, and ``delivery.py`` delivers it beside the run, or later.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from drnsr.atomic import naming_file, write_text
from drnsr.errors import without_credentials
from drnsr.project import runs
from drnsr.tracking.events import Event, SetStatus, from_line, to_line
from drnsr.tracking.store import URI_VARIABLE, TrackingError, project_store

# Names on the disk, where outboxes of earlier versions must stay readable.
_FOLDER = "mlflow"
_RUN = "run.json"
_EVENTS = "entries.jsonl"
_CURSOR = "delivered.json"
_COPIES = "files"


@dataclass(frozen=True)
class Destination:
    """The store and experiment that a run is recorded in.

    Attributes:
        uri: of the tracking store, without a password, which would stay on the disk; None for the
            project's own, wherever the project is moved.
        experiment: the name of the experiment.
    """

    uri: str | None
    experiment: str

    def __post_init__(self) -> None:
        """Remove the credentials."""
        if self.uri is not None:
            object.__setattr__(self, "uri", without_credentials(self.uri))

    @property
    def name(self) -> str:
        """The URI of the store, to be printed."""
        return self.uri or project_store()

    @property
    def address(self) -> str:
        """The URI of the store, with the password of ``MLFLOW_TRACKING_URI`` if that is the store.

        Raises:
            TrackingError: if it needs a password, and that variable names another store.
        """
        chosen = os.environ.get(URI_VARIABLE, "")
        if self.uri is not None and without_credentials(chosen) == self.uri:
            return chosen
        if self.uri is not None and "***" in self.uri:
            raise TrackingError(
                f"MLflow at {self.uri}: the password is not kept; set {URI_VARIABLE} to the whole"
                " URI, and run `drnsr sync`"
            )
        return self.name


@dataclass(frozen=True)
class Cursor:
    """How much of an outbox has been delivered.

    Attributes:
        run_id: of the MLflow run; None before it is made.
        position: in the file of events, in bytes.
    """

    run_id: str | None = None
    position: int = 0


class Outbox:
    """What is to be recorded about one run: a description, and events in their order.

    An event is on the disk before :meth:`add` returns. The cursor is on the disk, too. So each
    event is delivered after any kind of end of the run or of the delivery; an event may be
    delivered twice, which changes nothing.

    Args:
        folder: the outbox's own; see :meth:`begin` and :func:`newest_outbox`.

    Attributes:
        folder: as above.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._torn_line_removed = False
        self._adding = threading.Lock()  # system metrics are added by a thread

    @classmethod
    def begin(
        cls, run_folder: Path, destination: Destination, description: Mapping[str, Any]
    ) -> "Outbox":
        """Begin the outbox of a new MLflow run.

        Args:
            run_folder: of the training; it has an outbox for each time that the training was run.
            destination: the store and experiment.
            description: what is known before the run begins: see
                :func:`drnsr.tracking.runs.describe_run`.

        Raises:
            OSError: if the disk is full.
        """
        parent = run_folder / _FOLDER
        number = 1 + max((int(path.name) for path in parent.glob("[0-9]*")), default=0)
        folder = parent / f"{number:03d}"
        run = {"destination": asdict(destination), "description": description}
        write_text(folder / _RUN, json.dumps(run))
        return cls(folder)

    @property
    def destination(self) -> Destination:
        """The store and experiment that the run is recorded in."""
        return Destination(**self._run()["destination"])

    @property
    def description(self) -> dict[str, Any]:
        """What was known before the run began."""
        description: dict[str, Any] = self._run()["description"]
        return description

    def _run(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / _RUN).read_text(encoding="utf-8"))
        return content

    def add(self, event: Event) -> None:
        """Append an event.

        Raises:
            OSError: if the disk is full.
        """
        path = self.folder / _EVENTS
        with self._adding, naming_file(path), path.open("ab") as file:
            self._remove_torn_line(path)
            file.write(to_line(event))
            file.flush()
            os.fsync(file.fileno())

    def _remove_torn_line(self, path: Path) -> None:
        """Remove the part of a line that a process left which was killed while it wrote."""
        if not self._torn_line_removed:
            self._torn_line_removed = True
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)

    def keep_copy(self, source: Path) -> str:
        """Copy a file or folder, which may have changed by the time that it is delivered.

        Returns:
            The path of the copy in the outbox's folder.

        Raises:
            OSError: if the disk is full.
        """
        copy = self._new_place() / source.name
        with naming_file(copy):
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copyfile(source, copy)
        return copy.relative_to(self.folder).as_posix()

    def keep(self, name: str, content: bytes) -> str:
        """Write a file that is to be delivered.

        Returns:
            Its path in the outbox's folder.

        Raises:
            OSError: if the disk is full.
        """
        path = self._new_place() / name
        with naming_file(path):
            path.write_bytes(content)
        return path.relative_to(self.folder).as_posix()

    def _new_place(self) -> Path:
        copies = self.folder / _COPIES
        copies.mkdir(exist_ok=True)
        place = copies / str(1 + max((int(path.name) for path in copies.iterdir()), default=0))
        place.mkdir()
        return place

    def drop_copy(self, kept: str) -> None:
        """Remove a file or folder that :meth:`keep` or :meth:`keep_copy` made."""
        shutil.rmtree((self.folder / kept).parent, ignore_errors=True)

    def events(self, position: int = 0) -> Iterator[tuple[int, Event]]:
        """Iterate over the events from ``position`` on, each with the position after it.

        Raises:
            TrackingError: if there is an event that this version does not know.
        """
        for end, line in self._lines(position):
            try:
                yield end, from_line(line)
            except ValueError:
                raise TrackingError(
                    f"{self.folder / _EVENTS}: an event that this version does not know:"
                    f" {line[:60].decode(errors='replace').strip()}"
                ) from None

    def _lines(self, position: int) -> Iterator[tuple[int, bytes]]:
        path = self.folder / _EVENTS
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(position)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                position += len(line)
                yield position, line

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        statuses = [event.status for _, event in self.events() if isinstance(event, SetStatus)]
        return statuses[-1:] == ["FINISHED"]

    @property
    def cursor(self) -> Cursor:
        """How much has been delivered."""
        path = self.folder / _CURSOR
        if not path.exists():
            return Cursor()
        return Cursor(**json.loads(path.read_text(encoding="utf-8")))

    def move_cursor(self, cursor: Cursor) -> None:
        """Record how much has been delivered."""
        write_text(self.folder / _CURSOR, json.dumps(asdict(cursor)))

    @property
    def undelivered(self) -> int:
        """How many events have not been delivered; a run that is not made yet counts as one."""
        cursor = self.cursor
        return sum(1 for _ in self._lines(cursor.position)) + (cursor.run_id is None)

    def lock(self) -> FileLock:
        """Return the lock of the one process that delivers; it ends with the process."""
        return FileLock(self.folder / ".lock")


def outboxes_of(run_folder: Path) -> list[Outbox]:
    """Return the outboxes of a training, the oldest first."""
    return [Outbox(path.parent) for path in sorted(run_folder.glob(f"{_FOLDER}/*/{_RUN}"))]


def all_outboxes() -> list[Outbox]:
    """Return the outboxes of all trainings of this project."""
    return [outbox for folder in sorted(runs().glob("*")) for outbox in outboxes_of(folder)]


def newest_outbox(run_folder: Path, destination: Destination) -> Outbox | None:
    """Return the newest outbox of a training with this destination; None if there is none."""
    found = [each for each in outboxes_of(run_folder) if each.destination == destination]
    return found[-1] if found else None
