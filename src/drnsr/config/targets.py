"""Nodes with a ``_target_``: what their calls take, and whether they can be built."""

import collections.abc
import inspect
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from drnsr.config.errors import ConfigError, one_line
from drnsr.evaluation.protocol import get_protocol
from drnsr.project import CONF

if TYPE_CHECKING:
    from drnsr.config.schema import Config, DataModule
    from drnsr.config.values import Node
    from drnsr.networks import Network


def instantiate(node: "Node | None") -> Any:  # noqa: ANN401 (what the target returns)
    """Call a node's target, or return the partial function for ``_partial_``; None for no node."""
    from hydra.utils import instantiate as call

    return call(node, _convert_="all")


def check_targets(node: object, key: str = "") -> None:
    """Check every node below ``node`` against the signature of its target.

    Raises:
        ConfigError: if a target cannot be imported, or does not take a key or a value.
    """
    for name, found in _targets(node, key):
        _check_target(name, found)


def unknown_targets(config: Mapping[str, Any], conf: Path = CONF) -> list[str]:
    """Return the functions and classes that a configuration calls and no file of conf/ does."""
    known = {
        name
        for file in conf.rglob("*.yaml")
        for name in re.findall(r"_target_:\s*([\w.]+)", file.read_text(encoding="utf-8"))
    }
    return sorted({str(node["_target_"]) for _, node in _targets(config, "")} - known)


def check_networks(config: "Config") -> None:
    """Build the networks without weights: not every scale and protocol suits every family.

    Raises:
        ConfigError: if a network cannot be built, or does not suit the rest.
    """
    network = _without_weights("model.network", config.model.network)
    for scale in (config.scale, *config.datamodule.scales):
        try:
            network.check_scale(scale)
        except ValueError as error:
            raise ConfigError(f"model.network: {one_line(error)}") from error
    _check_channels(config, network)
    protocol, colour = get_protocol(config.protocol), network.descriptor.colour
    if protocol.computed_on == "y" and colour == "RGB":
        raise ConfigError(
            f"protocol: {protocol.name} makes LR of luma alone, and model {config.model.name} takes"
            " RGB; measure it with paper_y"
        )
    if config.loss.get("luma_weight") and colour != "RGB":
        raise ConfigError(
            f"loss.luma_weight: is for a network on RGB, and {config.model.name} is on {colour};"
            " take 0"
        )
    if config.gan is None:
        return
    if colour != "RGB":
        raise ConfigError(f"gan: needs a network on RGB, and {config.model.name} is on {colour}")
    _call_on_crops("gan.discriminator", config.gan.discriminator, config.datamodule)
    if config.gan.weights.perceptual == 0:
        return
    features = config.gan.features
    layers = _call_on_crops("gan.features.network", features.network, config.datamodule)
    if len(layers) != len(features.layer_weights):
        raise ConfigError(
            f"gan.features.layer_weights: {len(features.layer_weights)} weights, and the network"
            f" gives {len(layers)} layers"
        )


def _check_channels(config: "Config", network: "Network") -> None:
    pixels, channels = config.data.pixels, network.descriptor.channels
    if pixels is not None and network.descriptor.colour == "Y":
        raise ConfigError(
            f"model.network.colour: {config.model.name} is on the luma of RGB, and data.pixels has"
            f" {', '.join(pixels.bands)}; take bands"
        )
    if pixels is not None and get_protocol(config.protocol).computed_on != "bands":
        name = get_protocol(config.protocol).name
        raise ConfigError(f"protocol: {name} is for 8-bit RGB, and not for data.pixels; take bands")
    if pixels is not None and channels != len(pixels.bands):
        raise ConfigError(
            f"model.network.channels: {config.model.name} has {channels}, but data.pixels.bands has"
            f" {len(pixels.bands)} ({', '.join(pixels.bands)})"
        )


def _call_on_crops(key: str, node: "Node", datamodule: "DataModule") -> Any:  # noqa: ANN401
    """Call a network on crops of the training's sizes, and return its last result.

    Some discriminators accept one size only, and the layers of a deep network need a size.
    """
    import torch

    from drnsr.data.draws import lr_patch_sizes

    network, result = _without_weights(key, node), None
    sizes = lr_patch_sizes(datamodule.scales, datamodule.patch_size, datamodule.hr_patch_size)
    for scale, side in sizes.items():
        try:
            result = network(torch.empty(2, 3, scale * side, scale * side, device="meta"))
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"{key}: {one_line(error)}") from error
    return result


def _without_weights(key: str, node: "Node") -> Any:  # noqa: ANN401 (what the target builds)
    import torch

    from drnsr.networks.base import LARGEST_HYPER_PARAMETER, out_of_range

    arguments = dict(node)
    build = resolve_name(arguments.pop("_target_"))
    if found := out_of_range(arguments):
        name, number = found
        raise ConfigError(f"{key}.{name}: {number} is not in 0..{LARGEST_HYPER_PARAMETER}")
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about layers of size 0
            network = build(**arguments)
        if empty := [name for name, p in network.named_parameters() if p.numel() == 0]:
            raise ValueError(f"{empty[0]} has no size; one of these numbers is too small")
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ConfigError(f"{key}: {one_line(error)}") from error
    return network


def _targets(node: object, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every node with a ``_target_``, with its full key."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield key, node
        for name, value in node.items():
            yield from _targets(value, f"{key}.{name}" if key else str(name))


def _check_target(key: str, node: "Node") -> None:
    try:
        target = resolve_name(node["_target_"])
    except Exception as error:  # whatever importing the module raises
        raise ConfigError(f"{key}._target_: cannot import {node['_target_']!r}") from error
    if not callable(target):
        raise ConfigError(f"{key}._target_: {node['_target_']} is not a class or function")
    call = target.__init__ if inspect.isclass(target) else target
    known = inspect.signature(call).parameters
    # Some libraries import the names of their hints for type checkers alone.
    hints = get_type_hints(call, localns=vars(collections.abc))
    for name, value in node.items():
        if name in ("_target_", "_partial_"):
            continue
        if name not in known:
            raise ConfigError(
                f"{key}.{name}: {node['_target_']} takes no such key"
                f" (it takes: {', '.join(each for each in known if each != 'self')})"
            )
        if name in hints:
            _check_type(f"{key}.{name}", value, hints[name])


def _check_type(key: str, value: object, hint: Any) -> None:  # noqa: ANN401 (a type, or a Union)
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, TypeError):
        return  # a type that only its own library understands
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        wanted = getattr(hint, "__name__", str(hint))
        reason = error.errors()[0]["msg"]
        raise ConfigError(f"{key}: {value!r} is not {wanted} ({reason})") from error
