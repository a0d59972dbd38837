"""A finding of a check, and how checks are run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from drnsr.errors import reason

Level = Literal["ok", "note", "error"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        level: error if something is broken; note if it works, and may surprise.
        about: what was looked at.
        text: what was found.
        advice: what to do; empty if there is nothing to do.
    """

    level: Level
    about: str
    text: str
    advice: str = ""


Check = Callable[[], Iterable[Finding]]


def run_checks(checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """Run checks by name; one that fails itself is a finding, too."""
    for about, check in checks:
        try:
            yield from check()
        except ModuleNotFoundError as error:
            text = f"not looked at: {error.name} is not installed"
            yield Finding("note", about, text, "pip install 'drnsr[train]', if you train here")
        except Exception as error:  # a library that is damaged raises anything
            yield Finding("error", about, reason(error))
