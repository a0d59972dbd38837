"""How a mistake in the configuration is reported: one line that names the key."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drnsr.errors import UserError

if TYPE_CHECKING:
    from pydantic import ValidationError

# By the first word of pydantic's error types: what it wanted, in the words of YAML.
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "dict": "keys and values",
    "model": "keys and values",
    "tuple": "a pair of numbers",
}
_BRANCH = re.compile(r"(function-\w+|list|tuple|dict)\[")  # of a union, in pydantic's paths
_BOUNDS = {"ge": "{} or more", "le": "{} or less", "gt": "more than {}", "lt": "less than {}"}


class ConfigError(UserError):
    """An unknown choice or key, or a value that is not allowed; the message names it."""


class InvalidValueError(ValueError):
    """What a validator of the schema raises about a key below the field that it validates.

    Args:
        key: relative to the field, or empty for the field itself.
        message: names the value and what is allowed.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@contextmanager
def composition_errors() -> Iterator[None]:
    """Turn the errors of Hydra, OmegaConf and the YAML parser into one line.

    Raises:
        ConfigError: instead of them.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        if missing := re.search(r"Could not find 'hydra/launcher/(\w+)'", str(error)):
            raise ConfigError(_missing_launcher(missing[1])) from error
        # Hydra advises to append an unknown key, which the schema would refuse.
        if unknown := re.match(r"(?:Could not override|Key) '([^']+)'", str(error)):
            key = getattr(error, "full_key", None) or unknown[1]
            raise ConfigError(f"{key}: there is no such key; resolved.yaml lists them") from error
        raise ConfigError(one_line(error)) from error


def _missing_launcher(name: str) -> str:
    return f"launcher: Hydra's plugin for {name} is missing: pip install '.[sweep]'"


def one_line(error: Exception) -> str:
    """Return the message of an error of Hydra, OmegaConf or torch in one line, with its key."""
    text = str(error)
    key = getattr(error, "full_key", None)
    text = re.split(r"\n\s*(?:Config search path|full_key:|object_type=|reference_type=)", text)[0]
    message = f"{key}: {text}" if key and key not in text else text
    return " ".join(message.split())


def describe(error: "ValidationError") -> str:
    """Return the first mistake that the schema found, in one line.

    An unknown key goes before a missing one: of a mistyped key, the typo is reported.
    """
    details = error.errors(include_url=False)
    first: Any = min(details, key=lambda each: each["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"] if not _BRANCH.match(str(part))]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InvalidValueError) and cause.key:
        keys.append(cause.key)
    message = _message(first) if cause is None else str(cause)
    return " ".join((f"{'.'.join(keys)}: {message}" if keys else message).split())


def _message(details: Mapping[str, Any]) -> str:
    kind, value = details["type"], _shown(details["input"])
    if kind == "missing":
        return "this key is missing"
    if kind == "extra_forbidden":
        return "there is no such key"
    wanted = _wanted(kind, details.get("ctx", {}))
    return f"{value}: {details['msg']}" if wanted is None else f"{value} is not {wanted}"


def _wanted(kind: str, context: Mapping[str, Any]) -> str | None:
    """Return what pydantic wanted instead of a value; None for a rare type of error."""
    if kind == "literal_error":
        names: str = context["expected"]
        return "one of " + names.replace("'", "").replace(" or ", ", ")
    for name, bound in _BOUNDS.items():
        if name in context:
            return bound.format(context[name])
    return _WANTED.get(kind.partition("_")[0])


def _shown(value: object) -> str:
    """Return a value as YAML writes it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
