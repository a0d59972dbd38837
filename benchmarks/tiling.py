"""The speed on an image in tiles, compared with that on the whole image.

    python benchmarks/tiling.py drnsr-x2 drnsr-x3 drnsr-x4

Both run in turn, several times, in one process; the fastest runs are compared.
"""

import numpy as np
from measuring import arguments, in_turn, show

from drnsr import pretrained
from drnsr.images.picture import from_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import EDSR, Network
from drnsr.weights.loading import load_network

_SIDE = 1280  # LR pixels: two tiles by two


def measure(name: str, network: Network, rounds: int) -> dict[str, object]:
    """Measure both ways in turn."""
    engine = TorchEngine(network)
    picture = from_array(np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8))
    whole, tiles = Tiling(engine, tile="off"), Tiling(engine)
    best = in_turn(
        {"whole": lambda: whole.upscale(picture), "tiles": lambda: tiles.upscale(picture)}, rounds
    )
    return {
        "model": name,
        "whole_s": round(best["whole"], 2),
        "tiles_s": round(best["tiles"], 2),
        "speed over whole": round(best["whole"] / best["tiles"], 3),
        "megapixels_per_s": round(_SIDE**2 / 1e6 / best["tiles"], 2),
    }


def main() -> None:
    """Measure each model, and print the table."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="shipped models (default: all)")
    parsed = parser.parse_args()
    names = pretrained.SCALES.values()
    networks = {name: load_network(pretrained.model_file(name)) for name in names}
    networks["edsr-baseline-x2"] = EDSR(scale=2)
    rows = [
        measure(name, networks[name], parsed.rounds) for name in parsed.models or list(networks)
    ]
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
