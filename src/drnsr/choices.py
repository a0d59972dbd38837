"""From a composed configuration back to the lines of params.yaml that compose to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from drnsr.atomic import atomic_path
from drnsr.config import CONF, GROUPS, PATHS, ConfigError, compose_choices, resolve

# Where a run's files stand and where it is told of; and paths, which count where they are used,
# in `data` and `benchmark`.
_LEFT_OUT = ("run", "logger", "folder", "benchmark_folder", "image")

# These two change others of the groups, in which it shows.
_FOUND = [group for group in GROUPS if group not in ("experiment", "debug")]
_AT_THE_TOP = ("scale", "seed", "mode", *PATHS)


def that_counts(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a composed configuration that a result depends on."""
    return {key: value for key, value in config.items() if key not in _LEFT_OUT}


def choices_of(config: Mapping[str, Any], conf: Path = CONF) -> dict[str, Any]:
    """Find the lines of params.yaml that compose to a configuration.

    For each group that file of conf/ is taken which comes nearest; what differs then stands under
    ``set``.

    Args:
        config: composed, by this version or an older one.
        conf: the folder with the groups.

    Raises:
        ConfigError: no lines do; the message names the key.
    """
    wanted = that_counts(config)
    choices: dict[str, Any] = {
        key: config[key] for key in _AT_THE_TOP if config.get(key) is not None
    }
    for group in _FOUND:
        if wanted.get(group) is not None:
            choices[group] = _nearest(group, wanted, choices, conf)
    if single := _difference(wanted, _compose(choices, conf)):
        choices["set"] = single
    composed = _compose(choices, conf)
    if left := _difference(wanted, composed) or _difference(composed, wanted):
        raise ConfigError(
            f"{_first_key(left)}: no lines of params.yaml compose to this configuration;"
            " the run used an override that they cannot say"
        )
    return choices


def write_choices(params_file: Path, choices: Mapping[str, Any]) -> None:
    """Put choices into params.yaml, and null for all others; its comments stay.

    Args:
        params_file: the file.
        choices: see :func:`choices_of`.

    Raises:
        OSError: the file cannot be written; it is as it was.
    """
    yaml = YAML()
    content = yaml.load(params_file.read_text(encoding="utf-8"))
    for key in content:
        if key in choices:
            content[key] = choices[key]
        elif key not in PATHS:  # DVC wants a path there
            content[key] = {} if key == "set" else None
    for key in choices:
        if key not in content:  # a group that the file does not name yet
            content.insert(list(content).index("model") + 1, key, choices[key])
    with atomic_path(params_file) as partial, partial.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def _nearest(group: str, wanted: Mapping[str, Any], choices: dict[str, Any], conf: Path) -> str:
    distances = {}
    for option in sorted(path.stem for path in (conf / group).glob("*.yaml")):
        try:
            composed = _compose({**choices, group: option}, conf)
        except ConfigError:
            continue  # it does not go with the others
        missing = _difference({group: wanted[group]}, composed)
        distances[option] = _count(missing) + _count(_difference({group: composed[group]}, wanted))
    return min(distances, key=lambda option: distances[option])


def _compose(choices: dict[str, Any], conf: Path) -> dict[str, Any]:
    return that_counts(resolve(compose_choices(choices, conf)))


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``wanted`` is not so in ``found``, in the same nesting."""
    different: dict[str, Any] = {}
    for key, value in wanted.items():
        other = found.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            if inner := _difference(value, other):
                different[key] = inner
        elif key not in found or value != other:
            different[key] = value
    return different


def _count(difference: object) -> int:
    if isinstance(difference, Mapping):
        return sum(map(_count, difference.values()))
    return 1


def _first_key(difference: Mapping[str, Any]) -> str:
    key, value = next(iter(difference.items()))
    return f"{key}.{_first_key(value)}" if isinstance(value, Mapping) and value else key
