"""From params.yaml and conf/, by Hydra, to the typed and checked configuration."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from drnsr.config.errors import ConfigError, composition_errors, describe, one_line
from drnsr.config.rehearsal import check_steps
from drnsr.config.schema import Benchmark, ComposedConfig, Config
from drnsr.config.targets import check_networks, check_targets
from drnsr.evaluation.metrics import get_metrics
from drnsr.project import CONF, missing_in_copy
from drnsr.weights.hub import PREFIX, is_on_hub

_Kind = TypeVar("_Kind", bound=ComposedConfig)

# The lines of params.yaml that choose a file of conf/.
GROUPS = (
    *("experiment", "debug", "data", "degradation", "benchmark", "model"),
    *("loss", "gan", "optimizer", "scheduler", "clipping"),
)

# Stages depend on the files that these name; DVC reads them in params.yaml itself, at the top.
PATHS = ("folder", "benchmark_folder", "image", "init_from")

# The file that `init_from` names for random weights: what DVC depends on must exist.
FROM_SCRATCH = "conf/from_scratch"

_PINNED = re.compile(rf"{PREFIX}[^@]+@[0-9a-f]{{40}}")  # by a commit, which never changes


def compose_graph(params_file: Path, conf: Path = CONF) -> Config:
    """Compose what params.yaml chooses into the configuration of the DVC graph.

    Args:
        params_file: choices of groups and values, single values under ``set``.
        conf: the folder with the groups.

    Raises:
        UserError: if a choice, key or value is unknown, or contradicts the experiment.
    """
    params = _read_params(params_file)
    refuse_contradictions(params, conf)
    return validate(compose_choices(params, conf))


def compose_choices(choices: Mapping[str, Any], conf: Path = CONF) -> DictConfig:
    """Compose the graph's configuration from choices as they are in params.yaml, unchecked.

    Raises:
        ConfigError: if a choice or key is unknown.
    """
    chosen = {key: value for key, value in choices.items() if value is not None and key != "set"}
    groups = [f"{key}={value}" for key, value in chosen.items() if key in GROUPS]
    # Values are merged, not overridden: Hydra's grammar would read some names of folders.
    values = {key: value for key, value in chosen.items() if key not in GROUPS}
    if values.get("init_from") == FROM_SCRATCH:
        values["init_from"] = None
    with composition_errors():
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            composed = compose("config", overrides=["run=graph", *groups])
        OmegaConf.set_struct(composed, True)
        for part in composed.data.parts.values():
            for by_name in {"shrink", "licences"} & part.keys():  # any picture's name is a key
                OmegaConf.set_struct(part[by_name], False)
        merged = OmegaConf.merge(composed, values, choices.get("set") or {})
    return cast(DictConfig, merged)


def compose_benchmarks(choice: str, scale: int, conf: Path = CONF) -> dict[str, Benchmark]:
    """Return the benchmarks of a file of conf/benchmark, by name, at a scale.

    Raises:
        ConfigError: if there is no such file.
    """
    resolved = resolve(compose_choices({"benchmark": choice, "scale": scale}, conf))
    return {name: Benchmark(**content) for name, content in resolved["benchmark"].items()}


def load_option(group: str, option: str, conf: Path = CONF) -> DictConfig:
    """Return the content of a file of a group as Hydra composes it, with interpolations.

    Raises:
        ConfigError: if there is no such file, or it cannot be composed.
    """
    with composition_errors():
        content = OmegaConf.load(conf / group / f"{option}.yaml")
        if "defaults" in content:  # the others need no Hydra, which takes fifty times as long
            with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
                content = compose(f"{group}/{option}")[group]
    return cast(DictConfig, content)


def validate(composed: DictConfig, *, train_steps: bool = True) -> Config:
    """Resolve a composed configuration, and check every key, value and target.

    Args:
        composed: the configuration.
        train_steps: check what a run needs too: the packages of the metrics, and the values of the
            training by steps of a tiny network, which imports torch.compile and takes a second.

    Raises:
        UserError: if something is wrong; the message names the first key at fault.
    """
    resolved = resolve(composed)
    check_targets(resolved)
    config = _parse(Config, resolved)
    check_networks(config)
    if train_steps:
        get_metrics(config.metrics)
        check_steps(config)
    return config


def resolve(composed: DictConfig) -> dict[str, Any]:
    """Return a composed configuration with each value in its type, without interpolations.

    The values of different keys may still contradict each other.

    Raises:
        UserError: if a key is unknown or missing, or a value is not allowed.
    """
    with composition_errors():
        written = OmegaConf.to_container(composed)
        plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
        typed = _parse(ComposedConfig, plain).model_dump()
        # An interpolation takes its value over as it was written, such as 1e3. Take it over again
        # in its type, such as 1000.
        again = OmegaConf.create(_with_interpolations(typed, written))
        plain = OmegaConf.to_container(again, resolve=True)
    return _parse(ComposedConfig, plain).model_dump()


def read_resolved(file: Path) -> Config:
    """Read a configuration that :func:`to_yaml` wrote.

    Raises:
        ConfigError: if the file is damaged, or was written by another version.
        OSError: if it cannot be read.
    """
    content = _load(file)
    try:
        return _parse(Config, content)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}; `dvc repro config` writes it anew") from error


def to_yaml(config: Config) -> str:
    """Return a configuration as YAML, its keys in the order of the schema."""
    return OmegaConf.to_yaml(OmegaConf.create(config.model_dump()))


def _parse(kind: type[_Kind], content: object) -> _Kind:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(describe(error)) from error


def _with_interpolations(typed: Any, written: Any) -> Any:  # noqa: ANN401 (any value)
    """Return the typed values, with the interpolations that were written in their places."""
    if isinstance(written, dict) and isinstance(typed, dict):
        return {key: _with_interpolations(value, written.get(key)) for key, value in typed.items()}
    if isinstance(written, list) and isinstance(typed, list):
        return [_with_interpolations(*pair) for pair in zip(typed, written, strict=True)]
    return written if isinstance(written, str) and "${" in written else typed


def _load(file: Path) -> object:
    """Read a file of YAML.

    Raises:
        ConfigError: if it is damaged.
        OSError: if it cannot be read.
    """
    try:
        return OmegaConf.to_container(OmegaConf.load(file))
    except Exception as error:  # those of the parser, and OSError for a file of one number
        if isinstance(error, OSError) and error.filename is not None:
            raise
        raise ConfigError(f"{file}: not readable as YAML: {one_line(error)}") from error


def _read_params(params_file: Path) -> dict[str, Any]:
    params = _load(params_file)
    if not isinstance(params, dict):
        raise ConfigError(f"{params_file}: expected keys and values")
    known = {*GROUPS, *PATHS, "extend", "mode", "scale", "seed", "set"}
    for key in params:
        if key not in known:
            raise ConfigError(
                f"{params_file}: unknown key {key!r} (known: {', '.join(sorted(known))});"
                " single values go under `set`"
            )
    if not isinstance(params.get("set") or {}, dict):
        raise ConfigError(f"{params_file}: set: expected keys and values, such as optimizer: ...")
    for key in (*GROUPS, *PATHS, "extend"):
        if not isinstance(params.get(key), str | None):
            raise ConfigError(f"{params_file}: {key}: {params[key]!r} is not a name")
    values = params.get("set") or {}
    for key in PATHS:
        if key in values and not is_on_hub(values[key]):
            raise ConfigError(
                f"{params_file}: set: {key} stands at the top, where DVC sees what it names"
            )
    _check_start(params_file, params.get("init_from"), values.get("init_from"))
    return cast(dict[str, Any], params)


def _check_start(params_file: Path, start: str | None, on_hub: str | None) -> None:
    """Check what the training starts from: a file, or a model on the Hub that never changes."""
    if on_hub is not None and not _PINNED.fullmatch(on_hub):
        raise ConfigError(
            f"{params_file}: set: init_from: {on_hub}: DVC cannot see when this model changes; name"
            " its commit, hf://USER/NAME@COMMIT, which `drnsr info` prints"
        )
    if start is None or (params_file.parent / start).is_file():
        return
    if is_on_hub(start):
        raise ConfigError(
            f"{params_file}: init_from: {start} is no file, which DVC needs there; write"
            f" `init_from: {FROM_SCRATCH}` and `set: {{init_from: {start}}}`"
        )
    reason = missing_in_copy(Path(start))
    raise ConfigError(f"{params_file}: init_from: there is no file {start}{reason}")


def refuse_contradictions(chosen: Mapping[str, Any], conf: Path = CONF) -> None:
    """Refuse a choice that differs from the one of the experiment.

    Args:
        chosen: lines of params.yaml; null counts as no choice.
        conf: the folder with the groups.

    Raises:
        ConfigError: if one does; the message names it.
    """
    experiment = conf / "experiment" / f"{chosen.get('experiment')}.yaml"
    if not experiment.is_file():
        return  # none is chosen, or Hydra will report it and list the known ones
    for key, choice in _choices_in(experiment).items():
        other = chosen.get(key)
        if other is not None and other != choice:
            raise ConfigError(
                f"params.yaml: {key}: {other} contradicts experiment {experiment.stem},"
                f" which has {key}: {choice}; set one of them to null"
            )


def _choices_in(experiment: Path) -> dict[str, Any]:
    """Return the groups, scale and seed that an experiment chooses, or one that it is based on."""
    content = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(experiment)) or {})
    chosen: dict[str, Any] = {}
    for entry in content.get("defaults", []):
        if isinstance(entry, str):
            chosen |= _choices_in(experiment.with_name(f"{entry}.yaml"))
        else:
            for group, choice in entry.items():
                chosen[group.removeprefix("override").strip().lstrip("/")] = choice
    return chosen | {key: content[key] for key in ("scale", "seed") if key in content}
