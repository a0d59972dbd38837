"""EDSR-baseline on whole images: the speed of bf16 and channels-last over plain fp32.

    python benchmarks/inference.py MIRROR [--model FILE]

It measures the seconds for the five images of Set5 at scale 2 and for one of 640 x 640 pixels, in
turn, on two threads, and the PSNR (`paper_y`) of both on Set5. The weights are those of FILE, any
checkpoint of EDSR-baseline x2. Without one the network is first trained on BSDS500 for STEPS steps,
because the PSNR of an untrained network means nothing.
"""

import copy
import tempfile
from pathlib import Path

import numpy as np
import torch
from measuring import arguments, fetched, in_turn, show
from torch import Tensor
from trainings import train

from drnsr.data.prepare import Part, prepare_benchmark, prepare_training_set
from drnsr.evaluation.benchmark import Method, measure
from drnsr.evaluation.protocol import PROTOCOLS
from drnsr.images.picture import from_array
from drnsr.inference.engine import TorchEngine
from drnsr.inference.tiling import Tiling
from drnsr.networks import EDSR, Network
from drnsr.training.muon import Muon
from drnsr.training.precision import choose_precision
from drnsr.weights.loading import load_network

STEPS = 300


def trained(mirror: str | None, folder: Path) -> Network:
    """Return EDSR-baseline after a short training."""
    network = EDSR(scale=2)
    photographs = fetched("bsds500_test", mirror, folder)
    dataset = prepare_training_set(
        [Part(photographs, 0.01)], folder / "dataset", name="b", scales=[2]
    )
    train(
        network,
        dataset,
        folder,
        steps=STEPS,
        patch_size=24,
        precision=choose_precision("cpu")[0],
        optimizer=lambda parameters: Muon(parameters, lr=5e-3, adam_lr=1e-4),
    )
    return network


@torch.no_grad()
def plain(network: Network, lr: np.ndarray) -> Tensor:
    """Upscale as a plain program does."""
    sr: Tensor = network(torch.from_numpy(lr))
    return sr


def method(name: str, engine: TorchEngine) -> Method:
    """Return the method of an engine on whole images."""
    tiling = Tiling(engine, tile="off")
    return Method(name, lambda lr: tiling.upscale(from_array(lr)), "rgb")


def compare(
    title: str, pictures: list[np.ndarray], network: Network, low: TorchEngine, rounds: int
) -> dict[str, object]:
    """Measure the seconds of both ways."""
    seconds = in_turn(
        {
            "plain": lambda: [plain(network, each) for each in pictures],
            "ours": lambda: [low(each) for each in pictures],
        },
        rounds,
    )
    return {
        "images": title,
        "plain fp32 s": round(seconds["plain"], 3),
        "ours bf16 s": round(seconds["ours"], 3),
        "speed over plain": round(seconds["plain"] / seconds["ours"], 2),
    }


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parser.add_argument("--model", type=Path)
    parsed = parser.parse_args()
    torch.set_num_threads(2)
    paper_y = PROTOCOLS["paper_y"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network = load_network(parsed.model) if parsed.model else trained(parsed.mirror, folder)
        set5 = prepare_benchmark(
            fetched("set5_x2", parsed.mirror, folder), folder / "s", name="set5"
        )
        low = TorchEngine(copy.deepcopy(network), 2, precision="bf16")
        methods = [method("fp32", TorchEngine(network, 2)), method("bf16", low)]
        found = list(measure(set5, methods, scale=2, protocol=paper_y))
        lrs = [paper_y.prepare(set5.hr(number), 2)[0] for number in range(len(set5.images))]
    for name in ("fp32", "bf16"):
        psnr = np.mean([each.results[name].values["psnr"] for each in found])
        print(f"Set5 paper_y in {name}: {psnr:.4f} dB")
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    pictures = {
        "Set5": [np.ascontiguousarray(lr.transpose(2, 0, 1)[None] / 255, np.float32) for lr in lrs],
        "640 x 640": [np.random.default_rng(0).random((1, 3, 640, 640), np.float32)],
    }
    rows = [compare(title, each, network, low, parsed.rounds) for title, each in pictures.items()]
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
