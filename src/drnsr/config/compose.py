"""The configuration: its shape, its composition from params.yaml and conf/, and its checks."""

import collections.abc
import inspect
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, cast, get_type_hints

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from drnsr.config.limits import rehearse, wrong_number, wrong_value
from drnsr.errors import UserError
from drnsr.evaluation.protocol import get_protocol
from drnsr.project import CONF, missing_in_copy

# The lines of params.yaml that choose a file of conf/.
GROUPS = (
    *("experiment", "debug", "data", "benchmark", "model"),
    *("loss", "gan", "optimizer", "scheduler", "clipping"),
)

# On what these name, stages depend; DVC reads them in params.yaml itself, at the top.
PATHS = ("folder", "benchmark_folder", "image", "init_from")

# The file that `init_from` names for random weights: what DVC depends on must exist.
_FROM_SCRATCH = "conf/from_scratch"

Node = dict[str, Any]
"""A node with a ``_target_``: the class or function there says which keys it takes."""


class ConfigError(UserError):
    """A choice, key or value that the configuration does not know; the message names it."""


@dataclass
class Fetch:
    """How files are brought here."""

    connections: int = MISSING
    max_unpacked: int = MISSING


@dataclass
class Prepare:
    """What pictures must be to be used, and what becomes of the others."""

    bad_images: str = MISSING
    max_pixels: int = MISSING
    min_side: int = MISSING
    max_shift: float = MISSING


@dataclass
class Single:
    """One picture, a part of which is trained on and another measured on."""

    image: str | None = MISSING
    mode: str = MISSING
    scale: int = MISSING


@dataclass
class Data:
    """A data set to train on.

    Registries of files, the user's folder (of pairs, perhaps), or a part of one picture.
    """

    name: str = MISSING
    registries: list[str] = MISSING
    folder: str | None = None
    pairs: bool = False
    single: Single | None = None
    exclude: list[str] = MISSING
    scales: list[int] = MISSING
    validation_fraction: float = MISSING
    licences: dict[str, str] = MISSING


@dataclass
class Benchmark:
    """A data set to measure on, and its published name.

    A registry, the user's folder, or neither: what the data set `single` withholds.
    """

    registry: str | None = None
    folder: str | None = None
    published: str | None = None
    licences: dict[str, str] = MISSING


@dataclass
class Model:
    """A network, what the tables call it, and its name in the published ones."""

    name: str = MISSING
    published: str | None = None
    network: Node = MISSING


@dataclass
class LossWeights:
    """What each term counts in the loss of a network that trains against a discriminator."""

    pixel: float = MISSING
    perceptual: float = MISSING
    adversarial: float = MISSING


@dataclass
class Features:
    """What a perceptual loss compares: a network, and its weights.

    These are a registry's or the user's file, or null, random.
    """

    network: Node = MISSING
    weights: str | None = MISSING


@dataclass
class GAN:
    """A discriminator to train against."""

    discriminator: Node = MISSING
    weights: LossWeights = MISSING
    features: Features = MISSING


@dataclass
class DataModule:
    """How training samples are drawn."""

    scales: list[int] = MISSING
    patch_size: int | None = MISSING
    hr_patch_size: int | None = None
    batch_size: int = MISSING
    validation_crop: int = MISSING
    workers: int = MISSING


@dataclass
class Trainer:
    """How long and how exactly to train."""

    max_steps: int = MISSING
    validate_every: int = MISSING
    log_every: int = MISSING
    accelerator: str = MISSING
    precision: str = MISSING
    channels_last: bool = MISSING
    threads: int = MISSING
    nonfinite_loss: str = MISSING
    ema_decay: float = MISSING
    deterministic: bool = MISSING
    compile: Any = MISSING  # true or false, or "auto"


@dataclass
class Checkpoints:
    """How often the state of a run is written, and how many of them are kept."""

    seconds: float = MISSING
    keep: int = MISSING


@dataclass
class Logger:
    """Where a run is tracked: an MLflow experiment, or nowhere."""

    experiment: str | None = MISSING


@dataclass
class Run:
    """Where data and outputs stand, and what a training does before and after."""

    output: str = MISSING
    data: str = MISSING
    prepare_before_training: bool = MISSING
    evaluate_after_training: bool = MISSING


@dataclass
class Config:
    """Everything a stage may read; conf/ holds the values and their reasons."""

    seed: int = MISSING
    scale: int = MISSING
    folder: str | None = None
    benchmark_folder: str | None = None
    image: str | None = None
    mode: str = MISSING
    fetch: Fetch = MISSING
    prepare: Prepare = MISSING
    init_from: str | None = None
    protocol: Any = MISSING  # a name, or the fields of one's own
    data: Data = MISSING
    benchmark: dict[str, Benchmark] = MISSING
    model: Model = MISSING
    loss: Node = MISSING
    gan: GAN | None = None
    optimizer: Node = MISSING
    scheduler: Node = MISSING
    clipping: Node | None = None
    datamodule: DataModule = MISSING
    trainer: Trainer = MISSING
    checkpoints: Checkpoints = MISSING
    logger: Logger = MISSING
    run: Run = MISSING


def compose_graph(params_file: Path, conf: Path = CONF) -> DictConfig:
    """Compose what params.yaml chose into the configuration of the DVC graph.

    Args:
        params_file: choices of groups and values, single values under ``set``.
        conf: the folder with the groups.

    Returns:
        The composed and checked configuration.

    Raises:
        ConfigError: an unknown choice, key or value, or one that contradicts the experiment.
    """
    params = _read_params(params_file)
    chosen = {key: value for key, value in params.items() if value is not None}
    refuse_contradictions(chosen, conf)
    return check(compose_choices(params, conf))


def compose_choices(choices: Mapping[str, Any], conf: Path = CONF) -> DictConfig:
    """Compose the graph's configuration from choices as they stand in params.yaml, unchecked.

    Raises:
        ConfigError: an unknown choice or key.
    """
    chosen = {key: value for key, value in choices.items() if value is not None and key != "set"}
    groups = [f"{key}={value}" for key, value in chosen.items() if key in GROUPS]
    # Values are merged, not overridden: a folder's name may hold what Hydra's grammar reads.
    values = {key: value for key, value in chosen.items() if key not in GROUPS}
    if values.get("init_from") == _FROM_SCRATCH:
        values["init_from"] = None
    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            composed = compose("config", overrides=["run=graph", *groups])
        OmegaConf.set_struct(composed, True)
        merged = OmegaConf.merge(composed, values, choices.get("set") or {})
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_line(error)) from error
    return cast(DictConfig, merged)


def check(config: DictConfig) -> DictConfig:
    """Resolve a composed configuration and check every key, type and target.

    Raises:
        ConfigError: names the first key at fault.
    """
    plain = resolve(config)
    _check_nodes(plain)
    for name, node in _targets(plain, ""):
        _check_target(name, node)
    checked = OmegaConf.create(plain)
    _check_values(checked)
    _check_network(checked)
    _check_steps(checked)
    return checked


def resolve(config: DictConfig) -> dict[str, Any]:
    """Every key of a composed configuration with its value, where types and names are right.

    Raises:
        ConfigError: names the first key that is unknown, missing or of another type.
    """
    if wrong := wrong_number(config):
        raise ConfigError(wrong)
    try:
        plain: Any = config
        # What an interpolation stands for is of some type once it is resolved, and not before.
        for _ in range(2):
            shaped = OmegaConf.merge(OmegaConf.structured(Config), plain)
            plain = OmegaConf.to_container(shaped, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    return cast(dict[str, Any], plain)


def _check_values(config: DictConfig) -> None:
    """What types do not say."""
    if wrong := wrong_value(config):
        raise ConfigError(wrong)
    _check_scales(config)
    _check_crops(config.datamodule)
    get_protocol(config.protocol)  # which says what is wrong with it
    _check_schedule(config)


def _check_steps(config: DictConfig) -> None:
    """Let the libraries say now, and not at the first step, which numbers they do not take."""
    from hydra.utils import instantiate

    failed = rehearse(lambda name: instantiate(config[name]))
    if failed is not None:
        name, error = failed
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise ConfigError(f"{name}: {one_line(cause)}") from error


# Schedules that end with the run, and what each calls its steps. The others have no end: what they
# do at some step they do there, or the run is over before.
_SCHEDULE_STEPS = {
    "drnsr.training.schedules.warmup_cosine": "total_steps",
    "drnsr.training.schedules.warmup_linear": "total_steps",
    "torch.optim.lr_scheduler.CosineAnnealingLR": "T_max",
    "torch.optim.lr_scheduler.OneCycleLR": "total_steps",
    "torch.optim.lr_scheduler.PolynomialLR": "total_iters",
}


def _check_schedule(config: DictConfig) -> None:
    """A schedule is as long as the run: after a shorter one, the rate stays 0."""
    key = _SCHEDULE_STEPS.get(config.scheduler["_target_"])
    steps = config.scheduler.get(key) if key is not None else None
    if steps is not None and steps != config.trainer.max_steps:
        raise ConfigError(
            f"scheduler.{key}: {steps} is not trainer.max_steps, {config.trainer.max_steps}, but"
            f" this schedule ends with the run; give scheduler.{key} as ${{trainer.max_steps}},"
            " which follows by itself"
        )


def _check_scales(config: DictConfig) -> None:
    """What is measured and what is trained must have been prepared."""
    prepared = list(config.data.scales)
    for name in ("data.scales", "datamodule.scales"):
        scales = list(_select(config, name))
        numbers = all(isinstance(scale, int) for scale in scales)
        if not numbers or not scales or len(set(scales)) < len(scales) or min(scales) < 2:
            raise ConfigError(f"{name}: {scales} is not different whole numbers from 2")
    single = [] if config.data.single is None else [config.data.single.scale]
    for scale in (config.scale, *config.datamodule.scales, *single):
        if scale not in prepared:
            raise ConfigError(
                f"scale {scale} is not among data.scales {prepared};"
                " add it there, for instance with -S '++set.data.scales=[2,3,4,8]'"
            )


def _check_crops(datamodule: DictConfig) -> None:
    """The size of a training crop is said once, and leaves a pixel at every scale."""
    sizes = {"patch_size": 1, "hr_patch_size": max(datamodule.scales)}
    given = {name: smallest for name, smallest in sizes.items() if datamodule[name] is not None}
    if len(given) != 1:
        raise ConfigError("datamodule: give patch_size or hr_patch_size, and set the other to null")
    for name, smallest in given.items():
        if datamodule[name] < smallest:
            raise ConfigError(f"datamodule.{name}: {datamodule[name]} is not {smallest} or more")


def _select(config: DictConfig, name: str) -> Any:  # noqa: ANN401 (whatever stands there)
    return OmegaConf.select(config, name)


def _check_network(config: DictConfig) -> None:
    """Build the network without its weights: not every scale and protocol suits every family."""
    network = _without_weights("model.network", config.model.network)
    for scale in (config.scale, *config.datamodule.scales):
        try:
            network.check_scale(scale)
        except ValueError as error:
            raise ConfigError(f"model.network: {one_line(error)}") from error
    protocol = get_protocol(config.protocol)
    colour = network.descriptor.colour
    if protocol.computed_on == "y" and colour == "RGB":
        raise ConfigError(
            f"protocol: {protocol.name} makes LR of luma alone, and model {config.model.name} takes"
            " RGB; measure it with paper_y"
        )
    if config.gan is not None:
        if colour != "RGB":
            raise ConfigError(
                f"gan: needs a network on RGB, and {config.model.name} is on {colour}"
            )
        _check_discriminator(config)


def _check_discriminator(config: DictConfig) -> None:
    """Show it crops of the size that it is to judge: some judge one size alone."""
    import torch

    from drnsr.data.draws import lr_patch_sizes

    data = config.datamodule
    lr_sides = lr_patch_sizes(data.scales, data.patch_size, data.hr_patch_size)
    discriminator = _without_weights("gan.discriminator", config.gan.discriminator)
    for scale, side in lr_sides.items():
        try:
            discriminator(torch.empty(2, 3, scale * side, scale * side, device="meta"))
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"gan.discriminator: {one_line(error)}") from error


def _without_weights(name: str, node: DictConfig) -> Any:  # noqa: ANN401 (what its target builds)
    import torch

    from drnsr.networks import LARGEST_HYPER_PARAMETER

    arguments = {str(key): value for key, value in node.items()}
    build = resolve_name(arguments.pop("_target_"))
    for key, value in arguments.items():
        if isinstance(value, int) and not 0 <= value <= LARGEST_HYPER_PARAMETER:
            raise ConfigError(f"{name}.{key}: {value} is not in 0..{LARGEST_HYPER_PARAMETER}")
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, on layers of no size
            network = build(**arguments)
        if empty := [each for each, p in network.named_parameters() if p.numel() == 0]:
            raise ValueError(f"{empty[0]} has no size; one of these numbers is too small")
        return network
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ConfigError(f"{name}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """What Hydra and OmegaConf say over several lines, in one."""
    text = str(error)
    key = getattr(error, "full_key", None)
    text = re.split(r"\n\s*(?:Config search path|full_key:|object_type=|reference_type=)", text)[0]
    told = f"{key}: {text}" if key and key not in text else text
    return " ".join(told.split())


def _read_params(params_file: Path) -> dict[str, Any]:
    try:
        params = OmegaConf.to_container(OmegaConf.load(params_file))
    except Exception as error:  # OmegaConf lets the YAML parser's own errors through
        raise ConfigError(f"{params_file}: not readable as YAML: {one_line(error)}") from error
    if not isinstance(params, dict):
        raise ConfigError(f"{params_file}: expected keys and values")
    known = {*GROUPS, *PATHS, "mode", "scale", "seed", "set"}
    for key in params:
        if key not in known:
            raise ConfigError(
                f"{params_file}: unknown key {key!r} (known: {', '.join(sorted(known))});"
                " single values go under `set`"
            )
    if not isinstance(params.get("set") or {}, dict):
        raise ConfigError(f"{params_file}: set: expected keys and values, such as optimizer: ...")
    for key in (*GROUPS, *PATHS):
        if not isinstance(params.get(key), str | None):
            raise ConfigError(f"{params_file}: {key}: {params[key]!r} is not a name")
    for key in PATHS:
        if key in (params.get("set") or {}):
            raise ConfigError(
                f"{params_file}: set: {key} stands at the top, where DVC sees what it names"
            )
    start = params.get("init_from")
    if start is not None and not (params_file.parent / start).is_file():
        reason = missing_in_copy(Path(start))
        raise ConfigError(f"{params_file}: init_from: there is no file {start}{reason}")
    return cast(dict[str, Any], params)


def refuse_contradictions(chosen: Mapping[str, Any], conf: Path = CONF) -> None:
    """A choice that the experiment makes too must be the same.

    Args:
        chosen: lines of params.yaml; null is no choice.
        conf: the folder with the groups.

    Raises:
        ConfigError: names the choice.
    """
    experiment = conf / "experiment" / f"{chosen.get('experiment')}.yaml"
    if not experiment.is_file():
        return  # there is none, or Hydra will say so, and list those that there are
    for key, choice in _decided(experiment).items():
        made = chosen.get(key)
        if made is not None and made != choice:
            raise ConfigError(
                f"params.yaml: {key}: {made} contradicts experiment {experiment.stem},"
                f" which has {key}: {choice}; set one of them to null"
            )


def _decided(experiment: Path) -> dict[str, Any]:
    """The groups, scale and seed that an experiment chooses, or one that it is based on."""
    content = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(experiment)) or {})
    decided: dict[str, Any] = {}
    for entry in content.get("defaults", []):
        if isinstance(entry, str):
            decided |= _decided(experiment.with_name(f"{entry}.yaml"))
        else:
            for group, choice in entry.items():
                decided[group.removeprefix("override").strip().lstrip("/")] = choice
    return decided | {key: content[key] for key in ("scale", "seed") if key in content}


def _check_nodes(config: dict[str, Any]) -> None:
    """What is built from the configuration says what it is."""
    nodes = {name: config[name] for name in ("loss", "optimizer", "scheduler", "clipping")}
    nodes["model.network"] = config["model"]["network"]
    if config["gan"] is not None:
        nodes["gan.discriminator"] = config["gan"]["discriminator"]
        nodes["gan.features.network"] = config["gan"]["features"]["network"]
    for name, node in nodes.items():
        if node is not None and not isinstance(node.get("_target_"), str):
            raise ConfigError(f"{name}: expected _target_, the class or function that it is")


def _targets(node: object, name: str) -> Iterator[tuple[str, Node]]:
    """Every node with a ``_target_``, with its full key."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield name, node
        for key, value in node.items():
            yield from _targets(value, f"{name}.{key}" if name else str(key))


def _check_target(name: str, node: Node) -> None:
    """Check the keys of a node against its target's signature, and values against its types."""
    try:
        target = resolve_name(node["_target_"])
    except Exception as error:  # whatever importing the module raises
        raise ConfigError(f"{name}._target_: cannot import {node['_target_']!r}") from error
    if not callable(target):
        raise ConfigError(f"{name}._target_: {node['_target_']} is no class or function")
    call = target.__init__ if inspect.isclass(target) else target
    known = inspect.signature(call).parameters
    # Some libraries import the names of their hints for type checkers alone.
    hints = get_type_hints(call, localns=vars(collections.abc))
    for key, value in node.items():
        if key in ("_target_", "_partial_"):
            continue
        if key not in known:
            raise ConfigError(
                f"{name}.{key}: {node['_target_']} takes no such key"
                f" (it takes: {', '.join(k for k in known if k != 'self')})"
            )
        if key in hints:
            _check_type(f"{name}.{key}", value, hints[key])


def _check_type(name: str, value: object, hint: Any) -> None:  # noqa: ANN401 (a type, or a Union)
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, TypeError):
        return  # a type that only its own library understands
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        wanted = getattr(hint, "__name__", str(hint))
        reason = error.errors()[0]["msg"]
        raise ConfigError(f"{name}: {value!r} is not {wanted} ({reason})") from error
