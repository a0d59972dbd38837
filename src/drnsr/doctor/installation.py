"""Checks of Python, the package and the packages that it needs."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from drnsr.doctor.finding import Finding
from drnsr.project import PACKAGE

# The versions of Python that CI runs.
_OLDEST, _NEWEST = (3, 11), (3, 13)

# Uploads with malware, which were withdrawn.
_MALICIOUS = {"lightning": ("2.6.2", "2.6.3"), "pytorch-lightning": ("2.6.2", "2.6.3")}

_PINS = Path("constraints.txt")
_MANY = 6

# Those whose import shows more than their presence: each has a compiled part.
_COMPILED = ("numpy", "PIL", "imagecodecs", "safetensors", "torch")


def check_python() -> Iterator[Finding]:
    """Look at Python and at where drnsr is."""
    here = sys.version_info[:2]
    text = f"{sys.version.split()[0]}, {sys.executable}"
    if here < _OLDEST:
        yield Finding("error", "Python", text, "make an environment with Python 3.11 or later")
    elif here > _NEWEST:
        yield Finding("note", "Python", f"{text}: newer than those that are tested")
    else:
        yield Finding("ok", "Python", text)
    yield Finding("ok", "drnsr", f"{_installed('drnsr') or 'not installed, only'} {PACKAGE}")


def check_packages() -> Iterator[Finding]:
    """Look at the packages that applying a model needs, and at withdrawn uploads."""
    for name, versions in _MALICIOUS.items():
        if (found := _installed(name)) in versions:
            yield Finding(
                "error",
                "packages",
                f"{name} {found} is a malicious upload, which was withdrawn",
                f"pip uninstall {name}, and replace every password and token on this machine",
            )
    missing = [name for name in required() if _installed(name) is None]
    if missing:
        yield Finding("error", "packages", f"missing: {', '.join(missing)}", _install(missing))
    broken = [*_too_old("packages"), *_broken()]
    yield from broken
    if not missing and not broken:
        yield Finding("ok", "packages", f"torch {_installed('torch')}, all that upscaling needs")


def _too_old(about: str, extra: str | None = None) -> Iterator[Finding]:
    for name, oldest in required(extra).items():
        found = _installed(name)
        if found is not None and _numbers(found) < _numbers(oldest):
            text, pins = f"{name} {found} is too old: {oldest} is needed", _PINS.is_file()
            install = (
                f"pip install --constraint {_PINS} {name}" if pins else f"pip install -U {name}"
            )
            yield Finding("error", about, text, install)


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a version; what follows a plus names a build of it."""
    return tuple(map(int, re.findall(r"\d+", text.partition("+")[0])))


def _broken() -> Iterator[Finding]:
    for name in _COMPILED:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                yield Finding("error", name, f"needs {error.name}", _install([str(error.name)]))
        except Exception as error:  # a library of the system that it needs is missing, and others
            text = " ".join(str(error).split())
            yield Finding("error", name, f"cannot be imported: {text}", _install([name]))


def check_training_packages() -> Iterator[Finding]:
    """Look at the packages that the stages of a project need."""
    missing = [name for name in required("train") if _installed(name) is None]
    if missing:
        named = ", ".join(missing)
        yield Finding("error", "training", f"missing: {named}", "pip install 'drnsr[train]'")
    old = list(_too_old("training", "train"))
    yield from old
    if not missing and not old:
        versions = ", ".join(
            f"{name} {_installed(name)}" for name in ("lightning", "dvc", "mlflow")
        )
        yield Finding("ok", "training", versions)


def check_pins() -> Iterator[Finding]:
    """Compare what is installed with the pinned set of the project."""
    if not _PINS.is_file():
        return
    pins = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", _PINS.read_text(encoding="utf-8")))
    others = [
        f"{name} {found} (pinned: {pinned})"
        for name, pinned in pins.items()
        # torch's own builds have a suffix, such as 2.13.0+cpu.
        if (found := _installed(name)) is not None and found.partition("+")[0] != pinned
    ]
    if others:
        shown = ", ".join(others[:_MANY]) + (", ..." if len(others) > _MANY else "")
        yield Finding(
            "note",
            "pinned set",
            f"{len(others)} other versions: {shown}; numbers may differ in their last digits",
            f"pip install --constraint {_PINS} {' '.join(each.split()[0] for each in others)}",
        )
    else:
        yield Finding("ok", "pinned set", f"the versions of {_PINS}")


def required(extra: str | None = None) -> dict[str, str]:
    """Return the packages that drnsr needs, or those of an extra, with the oldest version of each.

    There are none if it is not installed, but found by PYTHONPATH.
    """
    try:
        lines = requires("drnsr") or []
    except PackageNotFoundError:
        return {}
    oldest = {}
    for line in lines:
        name = re.match(r"[\w.-]+", line)
        of = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name is not None and (of and of[1]) == extra:
            bound = re.search(r">=\s*([\d.]+)", line)
            oldest[name[0]] = bound[1] if bound else "0"
    return oldest


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _install(names: list[str]) -> str:
    return f"pip install --force-reinstall {' '.join(names)}"
