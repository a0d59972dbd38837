"""The seconds of published networks, over those of the network of drnsr-x2, -x3 and -x4.

    python benchmarks/published_costs.py [--rounds N]

Each network of conf/model with published results upscales zeros of 64 x 64 pixels in fp32, in
turn with the network of the shipped model of its scale; random weights take as long as trained
ones. The ratios replace those in ``published_costs.csv``, from which the report takes the cost of
published networks. The rows with other sources stay.
"""

import csv
from functools import partial

import numpy as np
import torch
import yaml
from measuring import ROOT, arguments, in_turn, show

from drnsr.evaluation.cost import reference_network
from drnsr.evaluation.published import REFERENCE
from drnsr.images.picture import from_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import ARCHITECTURES, Network

SOURCE = "measured by benchmarks/published_costs.py"
COSTS = ROOT / "src" / "drnsr" / "evaluation" / "published_costs.csv"
SIDE = 64


def networks(scale: int) -> dict[str, Network]:
    """Return the networks of conf/model that have published results and this scale."""
    found: dict[str, Network] = {}
    for file in sorted((ROOT / "conf" / "model").glob("*.yaml")):
        model = yaml.safe_load(file.read_text(encoding="utf-8"))
        if model["published"] is None:
            continue
        network = model["network"] | ({"scale": scale} if "scale" in model["network"] else {})
        architecture = ARCHITECTURES[network.pop("_target_").rpartition(".")[2]]
        try:
            found[model["published"]] = architecture(**network).eval()
        except ValueError:  # DBPN and RRDBNet have no scale 3
            continue
    return found


def upscale(tiling: Tiling) -> None:
    """Upscale a picture of zeros."""
    tiling.upscale(from_array(np.zeros((SIDE, SIDE, 3), np.uint8)))


def main() -> None:
    """Measure, print the table and write the file."""
    parsed = arguments(__doc__, rounds=2).parse_args()
    torch.set_num_threads(2)
    rows = []
    for scale in (2, 3, 4):
        candidates = {REFERENCE: reference_network(scale), **networks(scale)}
        ways = {
            name: partial(upscale, Tiling(TorchEngine(network, scale, "cpu", "fp32"), tile="off"))
            for name, network in candidates.items()
        }
        seconds = in_turn(ways, parsed.rounds)
        rows += [
            {
                "method": name,
                "scale": scale,
                "seconds_ratio": f"{seconds[name] / seconds[REFERENCE]:.3g}",
                "precision": "fp32",
                "set5_psnr_db": "",
                "source": SOURCE,
            }
            for name in candidates
            if name != REFERENCE
        ]
    with COSTS.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["source"] != SOURCE]
    with COSTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted([*rows, *kept], key=lambda row: int(row["scale"])))
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
