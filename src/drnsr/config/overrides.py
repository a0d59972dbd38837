"""From a run back to the lines of params.yaml that compose to its configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from ruamel.yaml import YAML

from drnsr.atomic import atomic_path
from drnsr.config.compose import (
    GROUPS,
    PATHS,
    compose_choices,
    refuse_contradictions,
    resolve,
)
from drnsr.config.errors import ConfigError
from drnsr.project import CONF

# Where a run's files stand and where it is told of; and paths, which count where they are used,
# in `data` and `benchmark`.
_LEFT_OUT = ("run", "logger", "folder", "benchmark_folder", "image")

# These two change others of the groups, in which it shows.
_FOUND = [group for group in GROUPS if group not in ("experiment", "debug")]
_AT_THE_TOP = ("scale", "seed", "mode", *PATHS)

# Groups that params.yaml does not choose from: each has one file for the graph.
_NOT_CHOSEN = ("datamodule", "trainer", "logger", "run")

_NULL = "tag:yaml.org,2002:null"
_AUTO = "auto"  # the machine decides


def result_relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a composed configuration that a result depends on."""
    return {key: value for key, value in config.items() if key not in _LEFT_OUT}


def choices_of(config: Mapping[str, Any], conf: Path = CONF) -> dict[str, Any]:
    """Find lines of params.yaml that compose to a configuration.

    For each group that file of conf/ is taken which comes nearest; what differs then stands under
    ``set``, but for what follows from that by an interpolation.

    Args:
        config: composed, by this version or an older one.
        conf: the folder with the groups.

    Raises:
        ConfigError: no lines do; the message names the key.
    """
    wanted = result_relevant(config)
    choices: dict[str, Any] = {
        key: config[key] for key in _AT_THE_TOP if config.get(key) is not None
    }
    for group in _FOUND:
        if wanted.get(group) is not None:
            choices[group] = _nearest(group, wanted, choices, conf)
    return _completed(choices, wanted, conf)


def choices_made(
    params: Mapping[str, Any], overrides: Sequence[str], config: Mapping[str, Any]
) -> dict[str, Any]:
    """The lines of params.yaml that say what was chosen for a run, as it was chosen.

    ``auto`` stays, and so does what follows from another value. What the lines do not come to, for
    conf/ has changed since, is added under ``set``.

    Args:
        params: the content of params.yaml that the run read; empty for a run called by hand.
        overrides: of Hydra's command line.
        config: the run's composed configuration, in which ``auto`` may be decided.

    Raises:
        ConfigError: params.yaml cannot say it: see :func:`choices_of`.
    """
    choices = {key: value for key, value in params.items() if value is not None}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_delete() or override.package is not None:
            raise ConfigError(f"{override.input_line}: params.yaml has no line for this")
        _choose(choices, override.key_or_group, override.value())
    choices |= {key: config[key] for key in PATHS if config.get(key) is not None}
    if config.get("init_from") is None:
        choices.pop("init_from", None)
    refuse_contradictions(choices)
    wanted = _undecided(result_relevant(config), _compose(choices, CONF))
    return _completed(choices, wanted, CONF)


def _choose(choices: dict[str, Any], key: str, value: object) -> None:
    """Put one override where params.yaml has it."""
    if key in (*GROUPS, *_AT_THE_TOP):
        choices[key] = value
    elif key not in _NOT_CHOSEN and key.partition(".")[0] not in _LEFT_OUT:
        nested = OmegaConf.create(choices.get("set") or {})
        OmegaConf.update(nested, key, value)
        choices["set"] = OmegaConf.to_container(nested)


def _undecided(decided: Any, chosen: Any) -> Any:  # noqa: ANN401 (a value of a configuration)
    """A configuration with ``auto`` where that was chosen."""
    if isinstance(decided, Mapping) and isinstance(chosen, Mapping):
        return {key: _undecided(value, chosen.get(key)) for key, value in decided.items()}
    return _AUTO if chosen == _AUTO else decided


def _completed(choices: dict[str, Any], wanted: Mapping[str, Any], conf: Path) -> dict[str, Any]:
    """Choices and, under ``set``, what else it takes to come to a configuration.

    Raises:
        ConfigError: nothing does.
    """
    made = compose_choices(choices, conf)
    values = _without_derived(_difference(wanted, result_relevant(resolve(made))), made)
    # What follows from a value is now right, unless it was chosen apart from it.
    values = _merged(values, _difference(wanted, _compose(_with(choices, values), conf)))
    choices = _with(choices, values)
    composed = _compose(choices, conf)
    if left := _difference(wanted, composed) or _difference(composed, wanted):
        raise ConfigError(
            f"{_first_key(left)}: no lines of params.yaml compose to this configuration;"
            " the run used an override that they cannot say"
        )
    return choices


def _without_derived(values: Mapping[str, Any], made: DictConfig) -> dict[str, Any]:
    """Values without those for which the composed configuration has an interpolation."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if key in made and OmegaConf.is_interpolation(made, key):
            continue
        inner = made.get(key) if key in made else None
        if isinstance(value, Mapping) and isinstance(inner, DictConfig):
            value = _without_derived(value, inner)
            if not value:
                continue
        kept[key] = value
    return kept


def _with(choices: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = _merged(choices.get("set"), values)
    return {**choices, "set": merged} if merged else dict(choices)


def _merged(first: Mapping[str, Any] | None, second: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; the second counts where both have a value."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.merge(first or {}, second)))


def write_choices(params_file: Path, choices: Mapping[str, Any]) -> None:
    """Put choices into params.yaml, and null for all others; its comments stay.

    Args:
        params_file: the file.
        choices: see :func:`choices_of`.

    Raises:
        OSError: the file cannot be written; it is as it was.
    """
    yaml = YAML()
    yaml.representer.add_representer(  # which would leave the place of null empty
        type(None), lambda representer, _: representer.represent_scalar(_NULL, "null")
    )
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
    return result_relevant(resolve(compose_choices(choices, conf)))


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
