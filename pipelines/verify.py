"""Stage `verify`: our results beside the published ones; those of bicubic must agree."""

import json

from rich.console import Console

from drnsr.config.schema import Config
from drnsr.evaluation.published import find_published
from drnsr.evaluation.verify import (
    PublishedComparison,
    check_bicubic,
    compare_bicubic,
    write_comparisons,
)
from drnsr.reporting.table import comparison_table
from pipelines.app import run_stage
from pipelines.paths import Outputs
from pipelines.prepared import open_benchmark


def verify(config: Config) -> None:
    """Compare, print, write; fail if bicubic does not have its published numbers."""
    outputs = Outputs.of(config)
    rows = [row for name in config.benchmark for row in _compare(config, outputs, name)]
    for name, benchmark in config.benchmark.items():
        if not any(row.benchmark == name for row in rows):
            known = f" at scale {config.scale}" if benchmark.published else ""
            Console().print(f"{name}: nothing is published for it{known}, so nothing is verified")
    if rows:
        Console().print(comparison_table(rows))
    for row in rows:
        if row.method == "bicubic":
            check_bicubic(row)
    write_comparisons(outputs.verification, rows)


def _compare(config: Config, outputs: Outputs, name: str) -> list[PublishedComparison]:
    """Compare bicubic, and the model if its paper has numbers for this benchmark."""
    dataset = config.benchmark[name].published
    if dataset is None:
        return []
    rows = []
    if row := compare_bicubic(name, open_benchmark(config, name), dataset, config.scale):
        rows.append(row)
    published = config.model.published
    if published and (found := find_published(published, dataset, config.scale)):
        result = json.loads(outputs.summary.read_text(encoding="utf-8"))[name]
        ours = (name, config.model.name, result["protocol"], result["model"])
        rows.append(PublishedComparison(*ours, found))
    return rows


if __name__ == "__main__":
    run_stage(verify)
