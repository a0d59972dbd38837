"""The processor time of published networks over that of the network of drnsr-x2, -x3 and -x4.

    python benchmarks/published_costs.py [--rounds N]

Each network of conf/model with published results upscales zeros of 48 x 48 pixels in fp32 on one
thread, in turn with the network of the shipped model of its scale; random weights take as long as
trained ones. Processor time is counted, which other work on the machine hardly changes. The ratios
replace those in ``published_costs.csv``, from which the report takes the cost of published
networks. The rows with other sources stay.
"""

import csv
import time
from statistics import median

import numpy as np
import torch
import yaml
from measuring import ROOT, arguments, show

from drnsr.evaluation.cost import reference_network
from drnsr.evaluation.published import REFERENCE, published_rows
from drnsr.images.picture import from_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import ARCHITECTURES, Network

SOURCE = "measured by benchmarks/published_costs.py"
COSTS = ROOT / "src" / "drnsr" / "evaluation" / "published_costs.csv"
SIDE = 48
LEAST_SECONDS = 0.5  # of processor time, for each measurement of a small network


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


def processor_seconds(tiling: Tiling) -> float:
    """Return the processor time of one upscaling, averaged over half a second."""
    picture = from_array(np.zeros((SIDE, SIDE, 3), np.uint8))
    calls, start = 0, time.process_time()
    while time.process_time() - start < LEAST_SECONDS:
        tiling.upscale(picture)
        calls += 1
    return (time.process_time() - start) / calls


def main() -> None:
    """Measure, print the table and write the file."""
    parsed = arguments(__doc__, rounds=3).parse_args()
    torch.set_num_threads(1)
    published = {(row.method, row.scale) for row in published_rows()}
    rows = []
    for scale in (2, 3, 4):
        candidates = {REFERENCE: reference_network(scale)} | {
            name: network for name, network in networks(scale).items() if (name, scale) in published
        }
        tilings = {
            name: Tiling(TorchEngine(network, scale, "cpu", "fp32"), tile="off")
            for name, network in candidates.items()
        }
        measured = [
            {name: processor_seconds(tiling) for name, tiling in tilings.items()}
            for _ in range(parsed.rounds)
        ]
        ratios = {
            name: median(each[name] / each[REFERENCE] for each in measured) for name in tilings
        }
        rows += [
            {
                "method": name,
                "scale": scale,
                "seconds_ratio": f"{float(f'{ratios[name]:.2g}'):g}",
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
