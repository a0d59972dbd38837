"""What MLflow is to know of a run, in files: a store that is away neither stops it nor loses it."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from drnsr.atomic import naming_file, write_text
from drnsr.project import runs
from drnsr.tracking.store import project_store

_FOLDER = "mlflow"
_RUN = "run.json"
_ENTRIES = "entries.jsonl"
_DELIVERED = "delivered.json"
_FILES = "files"


@dataclass(frozen=True)
class Destination:
    """Where a run is told to.

    Attributes:
        uri: of the tracking store; None for the project's own, wherever the project is moved.
        experiment: its name.
    """

    uri: str | None
    experiment: str

    @property
    def address(self) -> str:
        """Of the store, as things are now."""
        return self.uri or project_store()


@dataclass(frozen=True)
class Cursor:
    """How much of a outbox the store has.

    Attributes:
        run_id: of the MLflow run; None before it is made.
        position: in the file of entries, in bytes.
    """

    run_id: str | None = None
    position: int = 0


class Outbox:
    """One MLflow run as it is to be: its beginning, and then one entry after the other.

    Entries stand on the disk before :meth:`add` returns. Who delivers them notes how far the store
    is, so that after any end of either side each of them arrives, and once.

    Args:
        folder: of this run alone; see :meth:`begin` and :func:`newest_outbox`.

    Attributes:
        folder: as above.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._torn_line_removed = False

    @classmethod
    def begin(
        cls, run_folder: Path, destination: Destination, description: Mapping[str, Any]
    ) -> "Outbox":
        """Begin the outbox of a new MLflow run.

        Args:
            run_folder: of the training; has one outbox for each time that it was run.
            destination: where the run is told to.
            description: what is known before it begins: see ``describe_run`` in ``runs.py``.

        Raises:
            OSError: the disk is full.
        """
        parent = run_folder / _FOLDER
        number = 1 + max((int(path.name) for path in parent.glob("[0-9]*")), default=0)
        folder = parent / f"{number:03d}"
        run = {"destination": asdict(destination), "description": description}
        write_text(folder / _RUN, json.dumps(run))
        return cls(folder)

    @property
    def destination(self) -> Destination:
        """Where the run is told to."""
        return Destination(**self._run()["destination"])

    @property
    def description(self) -> dict[str, Any]:
        """What was known before it began."""
        description: dict[str, Any] = self._run()["description"]
        return description

    def _run(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / _RUN).read_text(encoding="utf-8"))
        return content

    def add(self, do: str, **content: object) -> None:
        """Write down what the store is to be told; ``delivery.py`` knows the kinds.

        Raises:
            OSError: the disk is full.
        """
        path = self.folder / _ENTRIES
        with naming_file(path), path.open("ab") as file:
            self._remove_torn_line(path)
            file.write(json.dumps({"do": do, **content}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _remove_torn_line(self, path: Path) -> None:
        """A process that was killed while it wrote may have left a part of a line."""
        if not self._torn_line_removed:
            self._torn_line_removed = True
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)

    def keep(self, source: Path) -> str:
        """Copy a file or folder, which may be another by the time it is delivered.

        Returns:
            Its path in the outbox's folder.

        Raises:
            OSError: the disk is full.
        """
        files = self.folder / _FILES
        files.mkdir(exist_ok=True)
        place = files / str(1 + max((int(path.name) for path in files.iterdir()), default=0))
        place.mkdir()
        copy = place / source.name
        with naming_file(copy):
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copyfile(source, copy)
        return copy.relative_to(self.folder).as_posix()

    def drop(self, kept: str) -> None:
        """Remove what :meth:`keep` kept."""
        shutil.rmtree((self.folder / kept).parent, ignore_errors=True)

    def entries(self, position: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """The entries from ``position`` on, each with the position after it."""
        path = self.folder / _ENTRIES
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(position)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # being written
                position += len(line)
                yield position, json.loads(line)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        statuses = [entry["status"] for _, entry in self.entries() if entry["do"] == "status"]
        return statuses[-1:] == ["FINISHED"]

    @property
    def delivered(self) -> Cursor:
        """How much the store has."""
        path = self.folder / _DELIVERED
        if not path.exists():
            return Cursor()
        return Cursor(**json.loads(path.read_text(encoding="utf-8")))

    def mark_delivered(self, delivered: Cursor) -> None:
        """Note how much the store has."""
        write_text(self.folder / _DELIVERED, json.dumps(asdict(delivered)))

    @property
    def waiting(self) -> int:
        """How many entries the store does not have."""
        delivered = self.delivered
        return sum(1 for _ in self.entries(delivered.position)) + (delivered.run_id is None)

    def lock(self) -> FileLock:
        """Held by the one process that delivers; ends with it, however it ends."""
        return FileLock(self.folder / ".lock")


def outboxes_of(run_folder: Path) -> list[Outbox]:
    """The outboxes of a training, the oldest first."""
    return [Outbox(path.parent) for path in sorted(run_folder.glob(f"{_FOLDER}/*/{_RUN}"))]


def all_outboxes() -> list[Outbox]:
    """The outboxes of all trainings of this project."""
    return [outbox for folder in sorted(runs().glob("*")) for outbox in outboxes_of(folder)]


def newest_outbox(run_folder: Path, destination: Destination) -> Outbox | None:
    """The outbox of the last time that a training was run and told to a destination."""
    found = [j for j in outboxes_of(run_folder) if j.destination == destination]
    return found[-1] if found else None
