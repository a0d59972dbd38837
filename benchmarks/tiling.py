"""What tiles cost: seconds for a picture in tiles over those for the whole picture at once.

    python benchmarks/tiling.py drnsr-x2 drnsr-x3 drnsr-x4

Both are measured in turn, several times, in one process; the ratio is that of the fastest of each.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from drnsr import pretrained
from drnsr.checkpoints.loading import load_network
from drnsr.formats.picture import of_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import EDSR, Network

_SIDE = 1280  # LR pixels: two tiles by two


def measure(name: str, network: Network, rounds: int) -> dict[str, object]:
    """Time both ways in turn."""
    engine = TorchEngine(network)
    picture = of_array(np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8))
    ways = {"whole": Tiling(engine, tile="off"), "tiles": Tiling(engine)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, tiling in ways.items():
            start = time.perf_counter()
            tiling.whole(picture)
            seconds[way].append(time.perf_counter() - start)
    best = {way: min(each) for way, each in seconds.items()}
    return {
        "model": name,
        "whole_s": round(best["whole"], 2),
        "tiles_s": round(best["tiles"], 2),
        "ratio": round(best["tiles"] / best["whole"], 3),
        "megapixels_per_s": round(_SIDE**2 / 1e6 / best["tiles"], 2),
    }


def main() -> None:
    """Print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="by default all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="to write the rows into")
    parsed = parser.parse_args()
    networks = {name: load_network(pretrained.model_file(name)) for name in pretrained.NAMES}
    networks["edsr-baseline-x2"] = EDSR(scale=2)
    rows = [
        measure(name, networks[name], parsed.rounds) for name in parsed.models or list(networks)
    ]
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if parsed.json:
        parsed.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
