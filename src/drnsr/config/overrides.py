"""From a run back to the lines of params.yaml that compose to its configuration.

A choice is a line of params.yaml: a file of a group, a value at the top, or single values under
``set``.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel
from ruamel.yaml import YAML

from drnsr.atomic import atomic_path
from drnsr.config.compose import (
    FROM_SCRATCH,
    GROUPS,
    PATHS,
    compose_choices,
    load_option,
    refuse_contradictions,
    resolve,
)
from drnsr.config.errors import ConfigError, composition_errors
from drnsr.config.schema import Config
from drnsr.project import CONF
from drnsr.weights.hub import is_on_hub

log = logging.getLogger("drnsr")

# Where a run's files are and where it is tracked; and paths, which `data` and `benchmark` repeat.
_IRRELEVANT = ("run", "logger", "sweep", "lr_find", "folder", "benchmark_folder", "image")

# The groups to look for a file in: the other two only change values of these.
_SEARCHED = [group for group in GROUPS if group not in ("experiment", "debug")]
_AT_THE_TOP = ("scale", "seed", "mode", "extend", *PATHS)

# Groups without a line in params.yaml: each has one file for the graph.
_WITHOUT_LINE = ("datamodule", "trainer", "logger", "launcher", "run")

_NULL = "tag:yaml.org,2002:null"
_AUTO = "auto"  # a value that is chosen by the machine


def result_relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a composed configuration that a result depends on."""
    return {key: value for key, value in config.items() if key not in _IRRELEVANT}


def find_choices(config: Mapping[str, Any], conf: Path = CONF) -> dict[str, Any]:
    """Find choices that compose to a configuration.

    The file of each group is the one with the fewest differences. The remaining differences go
    under ``set``, except those that follow from it by an interpolation.

    Args:
        config: composed, by this version or an older one.
        conf: the folder with the groups.

    Raises:
        ConfigError: if there are none; the message names the key.
    """
    wanted = result_relevant(config)
    choices: dict[str, Any] = {
        key: config[key]
        for key in _AT_THE_TOP
        if config.get(key) is not None and not is_on_hub(config[key])
    }
    composed = compose_choices(choices, conf)
    OmegaConf.set_struct(composed, False)
    for group in _SEARCHED:
        if wanted.get(group) is not None:
            choices[group] = _nearest(group, wanted, composed, conf)
    return _complete(choices, wanted, conf)


def recorded_choices(
    params: Mapping[str, Any], overrides: Sequence[str], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the choices that were made for a run.

    They keep ``auto``, and values that follow from others. If conf/ has changed since, the values
    that it had then are added under ``set``.

    Args:
        params: the content of the params.yaml that the run read; empty for a run by hand.
        overrides: the arguments of Hydra's command line.
        config: the run's composed configuration, maybe with a value in place of ``auto``.

    Raises:
        ConfigError: if params.yaml cannot express them: see :func:`find_choices`.
    """
    choices = {key: value for key, value in params.items() if value is not None}
    with composition_errors():
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    for override in parsed:
        if override.is_delete() or override.package is not None:
            raise ConfigError(f"{override.input_line}: params.yaml has no line for this")
        _add_override(choices, override.key_or_group, override.value())
    choices |= {key: config[key] for key in PATHS if config.get(key) is not None}
    if config.get("init_from") is None or is_on_hub(config["init_from"]):  # that goes under `set`
        choices.pop("init_from", None)
    refuse_contradictions(choices)
    wanted = _with_auto(result_relevant(config), _compose(choices, CONF))
    return _complete(choices, wanted, CONF)


def _add_override(choices: dict[str, Any], key: str, value: object) -> None:
    """Add one override at its place in params.yaml."""
    if key in (*GROUPS, *_AT_THE_TOP):
        choices[key] = value
    elif key not in _WITHOUT_LINE and key.partition(".")[0] not in _IRRELEVANT:
        nested = OmegaConf.create(choices.get("set") or {})
        OmegaConf.update(nested, key, value)
        choices["set"] = OmegaConf.to_container(nested)


def _with_auto(decided: Any, chosen: Any) -> Any:  # noqa: ANN401 (a value of a configuration)
    """Return a configuration with ``auto`` wherever that was chosen."""
    if isinstance(decided, Mapping) and isinstance(chosen, Mapping):
        return {key: _with_auto(value, chosen.get(key)) for key, value in decided.items()}
    return _AUTO if chosen == _AUTO else decided


def _complete(choices: dict[str, Any], wanted: Mapping[str, Any], conf: Path) -> dict[str, Any]:
    """Add to choices, under ``set``, the values that make them compose to a configuration.

    Raises:
        ConfigError: if no values do.
    """
    composed = compose_choices(choices, conf)
    now = result_relevant(resolve(composed))
    wanted = _with_new_keys(wanted, now, Config)
    values = _without_derived(_difference(wanted, now), composed)
    # A value that follows from another is right now, unless it was chosen independently.
    values = _merged(values, _difference(wanted, _compose(_with_values(choices, values), conf)))
    choices = _with_values(choices, values)
    found = _compose(choices, conf)
    if left := _difference(wanted, found) or _difference(found, wanted):
        raise ConfigError(
            f"{_first_key(left)}: no lines of params.yaml compose to this configuration;"
            " the run used an override that they cannot express"
        )
    return choices


def _with_new_keys(
    wanted: Mapping[str, Any], found: Mapping[str, Any], section: type[BaseModel], prefix: str = ""
) -> dict[str, Any]:
    """Return a configuration of an older version with the keys of the schema that it lacks.

    Args:
        wanted: the older configuration, or a part of it.
        found: has the values that they get.
        section: the schema of both.
        prefix: of the keys.
    """
    filled = dict(wanted)
    for name, field in section.model_fields.items():
        value = found.get(name)
        if name not in found or name in _IRRELEVANT:
            continue
        if name not in wanted:
            # What the older version did, whatever a file of conf says now.
            if not field.is_required():
                value = field.get_default(call_default_factory=True)
            log.info("%s%s: not known when this was run; it is now %s", prefix, name, value)
            filled[name] = value
        elif isinstance(wanted[name], Mapping) and isinstance(value, Mapping):
            for inner in (field.annotation, *get_args(field.annotation)):
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    filled[name] = _with_new_keys(wanted[name], value, inner, f"{prefix}{name}.")
    return filled


def _without_derived(values: Mapping[str, Any], composed: DictConfig) -> dict[str, Any]:
    """Return values without those for which the composed configuration has an interpolation."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if key in composed and OmegaConf.is_interpolation(composed, key):
            continue
        inner = composed.get(key) if key in composed else None
        if isinstance(value, Mapping) and isinstance(inner, DictConfig):
            value = _without_derived(value, inner)
            if not value:
                continue
        kept[key] = value
    return kept


def _with_values(choices: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = _merged(choices.get("set"), values)
    return {**choices, "set": merged} if merged else dict(choices)


def _merged(first: Mapping[str, Any] | None, second: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings; the second wins."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.merge(first or {}, second)))


def write_choices(params_file: Path, choices: Mapping[str, Any]) -> None:
    """Write choices into params.yaml, and null for all others; its comments stay.

    Args:
        params_file: the file to change.
        choices: see :func:`find_choices`.

    Raises:
        OSError: if the file cannot be written; it is unchanged then.
    """
    yaml = YAML()
    yaml.representer.add_representer(  # its default writes nothing for null
        type(None), lambda representer, _: representer.represent_scalar(_NULL, "null")
    )
    content = yaml.load(params_file.read_text(encoding="utf-8"))
    for key in content:
        if key in choices:
            content[key] = choices[key]
        elif key == "init_from":
            content[key] = FROM_SCRATCH
        elif key not in PATHS:  # DVC needs a path there
            content[key] = {} if key == "set" else None
    for key in choices:
        if key not in content:  # a group that the file does not name yet
            content.insert(list(content).index("model") + 1, key, choices[key])
    with atomic_path(params_file) as partial, partial.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def _nearest(group: str, wanted: Mapping[str, Any], composed: DictConfig, conf: Path) -> str:
    """Return the file of a group with the fewest differences, and put it into ``composed``."""
    distances, nodes = {}, {}
    for option in sorted(path.stem for path in (conf / group).glob("*.yaml")):
        composed[group] = nodes[option] = load_option(group, option, conf)
        try:
            found = {group: resolve(composed)[group]}
        except ConfigError:
            continue  # it does not suit the other choices
        missing, extra = _difference({group: wanted[group]}, found), _difference(found, wanted)
        distances[option] = _count(missing) + _count(extra)
    if not distances:
        raise ConfigError(f"{group}: no file of conf/{group} suits the other values")
    nearest = min(distances, key=lambda option: distances[option])
    composed[group] = nodes[nearest]
    return nearest


def _compose(choices: dict[str, Any], conf: Path) -> dict[str, Any]:
    return result_relevant(resolve(compose_choices(choices, conf)))


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``wanted`` that ``found`` lacks or has otherwise, in their nesting."""
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
