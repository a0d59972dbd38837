"""The record of the leak audit, beside the prepared data: what was compared, and what was found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from drnsr.atomic import write_text
from drnsr.data.prepared import PreparedDataset


@dataclass(frozen=True)
class Audited:
    """A data set of the audit.

    Attributes:
        name: of the data set.
        pictures: their number.
        sha256: the fingerprint of the prepared data set.
    """

    name: str
    pictures: int
    sha256: str

    @classmethod
    def of(cls, dataset: PreparedDataset) -> "Audited":
        """Describe a prepared data set."""
        return cls(dataset.name, len(dataset.images), dataset.fingerprint)


@dataclass(frozen=True)
class LeakAudit:
    """A leak audit that found no copy; one that finds copies ends the preparation.

    Attributes:
        training: the training set, with its validation pictures.
        benchmarks: those that were searched for; empty if, by design, the training and the
            benchmark are parts of one picture.
    """

    training: Audited
    benchmarks: tuple[Audited, ...]

    @classmethod
    def passed(
        cls, training: PreparedDataset, benchmarks: Sequence[PreparedDataset]
    ) -> "LeakAudit":
        """Return the record of an audit that found no copy of the benchmarks."""
        return cls(Audited.of(training), tuple(map(Audited.of, benchmarks)))

    def covers(self, training: str, benchmarks: Mapping[str, str]) -> bool:
        """Whether it was of these data.

        Args:
            training: the fingerprint of the training set.
            benchmarks: those of the benchmarks, by any name.
        """
        searched = {each.sha256 for each in self.benchmarks}
        return training == self.training.sha256 and searched >= set(benchmarks.values())


def write_audit(path: Path, audit: LeakAudit) -> None:
    """Write the record as JSON."""
    write_text(path, json.dumps(asdict(audit), indent=2) + "\n")


def read_audit(path: Path) -> LeakAudit | None:
    """Read what :func:`write_audit` wrote; None if there is no record."""
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return LeakAudit(
        Audited(**content["training"]), tuple(Audited(**each) for each in content["benchmarks"])
    )
