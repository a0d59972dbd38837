"""The model card: what a user must know of a model before using it, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from drnsr.data.patterns import value_for
from drnsr.data.registry import flat_name, read_registry
from drnsr.evaluation.metrics import Metric, Values, headings, known_metrics, values_text
from drnsr.evaluation.protocol import Protocol, get_protocol
from drnsr.evaluation.published import published_rows
from drnsr.evaluation.verify import PublishedComparison
from drnsr.project import CONF

# The published methods that the card shows beside ours, with the protocol of their papers: methods
# on luma are measured by the older one. See drnsr/evaluation/protocol.py.
_PUBLISHED = {
    "Bicubic": "classic_y",
    "SRCNN": "classic_y",
    "VDSR": "classic_y",
    "CARN": "paper_y",
    "IMDN": "paper_y",
}

_LIMITS = """\
- The detail that it adds is invented: it is plausible for the pictures that it was trained on, but
  it is not what was there. It is no evidence: do not read faces, numbers, text or findings from it.
- It is not for diagnosis, nor for measurements on the upscaled pixels.
- PSNR and SSIM say how close the pixels are on average; they say nothing about a single detail.
"""
_DEGRADED_LIMIT = """\
- It was trained on pictures with the degradation `{name}`, and estimates them without it: it can
  remove fine texture and film grain as if they were noise, and soften what was sharp. Degradations
  that it was not trained on, such as motion blur, are upscaled with the rest.
"""
_BICUBIC_LIMIT = """\
- It was trained on pictures that bicubic interpolation made smaller. It enlarges noise, blur and
  JPEG artefacts with the rest.
"""


_ADVERSARIAL_LIMIT = """\
- It was trained against a discriminator: it invents texture, and its PSNR and SSIM are lower on
  purpose. Judge it by eye, and by a perceptual metric.
"""


def model_card(
    name: str,
    *,
    config: Mapping[str, Any],
    recipe: Mapping[str, Any],
    summary: Mapping[str, Any],
    comparisons: Sequence[PublishedComparison],
    cost: Mapping[str, str],
    lineage: Mapping[str, str],
    others: Mapping[str, Mapping[str, Values]] | None = None,
    inherited: Mapping[str, int] | None = None,
    example: str = "",
    on_licences: str = "",
    name_files: bool = False,
) -> str:
    """Render the card of a model.

    Args:
        name: the name of the model.
        config: the composed configuration that it was trained with.
        recipe: the part of it that says how: see :func:`drnsr.config.schema.recipe`.
        summary: the content of ``metrics/benchmark.json``.
        comparisons: the content of ``metrics/verify.json``; empty if it is not known.
        cost: from :func:`drnsr.reporting.costs.describe_costs`.
        lineage: the commit and the hashes that it was made from, by name.
        others: the means of other models on the benchmarks of the summary, by model and benchmark.
        inherited: the licences in the model file, which has those of the model that it started
            from as well; None if the file is not at hand.
        example: Markdown that shows a picture; empty for none.
        on_licences: Markdown beside the licences of the training pictures; empty for none.
        name_files: whether each picture is named with its licence; MLflow's store has no room for
            it (5000 characters).
    """
    config, recipe = _without_folders(config), _without_folders(recipe)
    network, scale = config["model"]["network"], config["scale"]
    arguments = _yaml({key: value for key, value in network.items() if key != "_target_"})
    sections = {
        f"# {name}": f"A network that upscales pictures by a factor of {scale}, trained by drnsr"
        " with the data and the recipe below.\n",
        "## Results": _results(name, config, summary, comparisons, others or {}),
        "## Limits": _LIMITS
        + _degradation_limit(config)
        + _ADVERSARIAL_LIMIT * (config.get("gan") is not None),
        "## Network": f"`{network['_target_']}`\n\n{arguments}",
        "## Cost": "Seconds and memory are those of the machine that measured.\n\n" + _list(cost),
        "## Training pictures": _data(config["data"], name_files=name_files)
        + _inherited(config, inherited)
        + (f"\n{on_licences}\n" if on_licences else ""),
        "## Recipe": _yaml(recipe),
        "## Where it comes from": _list(lineage),
    }
    if example:
        sections = {
            heading: text + f"\n{example}\n" * (heading == "## Results")
            for heading, text in sections.items()
        }
    return "\n".join(f"{heading}\n\n{text}" for heading, text in sections.items())


def _degradation_limit(config: Mapping[str, Any]) -> str:
    if config["data"]["pairs"]:
        return ""
    degradation = config.get("degradation") or {"rounds": []}  # a run of an older version
    return _DEGRADED_LIMIT.format_map(degradation) if degradation["rounds"] else _BICUBIC_LIMIT


def _without_folders(value: Any) -> Any:  # noqa: ANN401 (any value of a configuration)
    """Replace absolute paths by the names of the files: a card is read on other machines."""
    if isinstance(value, Mapping):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _results(
    name: str,
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    comparisons: Sequence[PublishedComparison],
    others: Mapping[str, Mapping[str, Values]],
) -> str:
    """Render the table of the means, and the protocols and sources of its rows."""
    protocol = _protocol(config, summary)
    metrics = known_metrics(next(iter(summary.values()))["model"])
    rows = {
        (f"**{name}**", protocol.name, "measured"): _cells(summary, "model", metrics),
        **{
            (other, protocol.name, "measured"): {
                benchmark: values_text(values, metrics) for benchmark, values in means.items()
            }
            for other, means in others.items()
        },
        ("bicubic", protocol.name, "measured"): _cells(summary, "bicubic", metrics),
    }
    for each in comparisons:
        if each.method == "bicubic":
            cells = rows.setdefault(("bicubic", each.protocol, "measured"), {})
            cells[each.benchmark] = values_text(each.ours, metrics)
    sources: list[str] = []
    rows |= _published(config, summary, metrics, sources)
    pictures = [
        f"{benchmark}, {result['images']} pictures" for benchmark, result in summary.items()
    ]
    lines = [
        ["method", "protocol", *pictures, "source"],
        ["---"] * (len(pictures) + 3),
        *(
            [method, by, *(cells.get(benchmark, "-") for benchmark in summary), source]
            for (method, by, source), cells in rows.items()
        ),
    ]
    protocols = {protocol.name: protocol} | {
        by: get_protocol(by) for _, by, _ in rows if by != protocol.name
    }
    return "\n".join(
        [
            f"{headings(metrics)}, the mean over each set.\n",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            *(f"- `{by}`: {each.description}." for by, each in protocols.items()),
            *(
                f"- `{benchmark}`: LR is degraded, by `{result['degradation']}`."
                for benchmark, result in summary.items()
                if "degradation" in result
            ),
            "- Beside a published row stands the protocol that was usual at its time.",
            *(f"- [{number}] {source}" for number, source in enumerate(sources, start=1)),
            "",
        ]
    )


def _protocol(config: Mapping[str, Any], summary: Mapping[str, Any]) -> Protocol:
    """Return the protocol of the summary; a later evaluation may have used another than config."""
    name = next(iter(summary.values()))["protocol"]
    own = config["protocol"]
    return get_protocol(own if isinstance(own, Mapping) and own["name"] == name else name)


def _published(
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    metrics: Sequence[Metric],
    sources: list[str],
) -> dict[tuple[str, str, str], dict[str, str]]:
    """Return the cells of the published rows; each source is appended to ``sources`` once."""
    # A later evaluation may have measured other benchmarks than those of the configuration.
    known = {name: config["benchmark"].get(name, {}).get("published") for name in summary}
    benchmarks = {dataset: name for name, dataset in known.items()}
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in published_rows():
        if row.method in _PUBLISHED and row.scale == config["scale"] and row.dataset in benchmarks:
            if row.source not in sources:
                sources.append(row.source)
            key = (row.method, _PUBLISHED[row.method], f"[{sources.index(row.source) + 1}]")
            cells = rows.setdefault(key, {})
            cells[benchmarks[row.dataset]] = values_text(row.values, metrics)
    return rows


def _cells(summary: Mapping[str, Any], method: str, metrics: Sequence[Metric]) -> dict[str, str]:
    return {name: values_text(result[method], metrics) for name, result in summary.items()}


def _data(data: Mapping[str, Any], *, name_files: bool) -> str:
    parts = data["parts"].values()
    known = {
        "data set": data["name"],
        "files": _named(registry for part in parts for registry in part["registries"]),
        "left out": _named(name for part in parts for name in part["exclude"]),
        "downscaled before": ", ".join(
            f"`{names}` by {factor}" for part in parts for names, factor in part["shrink"].items()
        ),
        "withheld for validation": ", ".join(
            f"{part['validation_fraction']:.1%}" for part in parts
        ),
        "drawn in proportion to": data["weight_by"],
        "crops begin at": "any HR pixel" if data.get("crop_grid") == "hr" else None,
    }
    return (
        _list({key: value for key, value in known.items() if value})
        + "\nTheir licences, which whoever uses the weights should keep to as well:\n\n"
        + (_licences(data, name_files=name_files) or "- all: not stated\n")
    )


def _inherited(config: Mapping[str, Any], inherited: Mapping[str, int] | None) -> str:
    """Render the licences of the model that the training started from."""
    if not config.get("init_from"):
        return ""
    begin = f"\nIts training started from the model `{config['init_from']}`"
    if inherited is None:
        return f"{begin}; `drnsr info MODEL --credits` has the licences of its pictures as well.\n"
    own = {each for part in config["data"]["parts"].values() for each in part["licences"].values()}
    further = [licence for licence in inherited if licence not in own]
    if not further:
        return f"{begin}, whose pictures have these licences as well.\n"
    return f"{begin}, whose pictures have further ones:\n\n" + "".join(
        f"- {licence}\n" for licence in further
    )


def _licences(data: Mapping[str, Any], *, name_files: bool) -> str:
    """Render a line for each licence, with the names of its pictures or their pattern."""
    lines = []
    for name, part in data["parts"].items():
        everything = "all" if len(data["parts"]) == 1 else f"all of {name}"
        for pattern, licence in part["licences"].items():
            names = everything if pattern == "*" else f"`{pattern}`"
            if name_files and (files := _files(part, pattern)) not in ([], [pattern]):
                names += f" ({len(files)}: {', '.join(files)})"
            lines.append(f"- {names}: {licence}\n")
    return "".join(lines)


def _files(part: Mapping[str, Any], pattern: str) -> list[str]:
    """Return the names of the pictures in the registries of a part that have a licence."""
    names = [
        flat_name(entry.name)
        for registry in part["registries"]
        for entry in read_registry(CONF.parent / registry)
    ]
    left_out = dict.fromkeys(part["exclude"], True)
    return [
        name
        for name in names
        if value_for(name, {each: each for each in part["licences"]}, "") == pattern
        and not value_for(name, left_out, default=False)
    ]


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _list(items: Mapping[str, str]) -> str:
    return "".join(f"- {key}: {value}\n" for key, value in items.items())


def _yaml(content: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True)
    return f"```yaml\n{text}```\n"
