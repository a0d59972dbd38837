"""The experiment `through_plane`: is a network trained on a volume's own slices worth it?

    python benchmarks/through_plane.py MIRROR --scale 2

Each volume of the registry `open_medical`, whose slices are as thin as its pixels, is made coarse:
the mean of each 2, 3 or 4 slices is a slice, in its middle, of 112 mm a side. The commands of
docs/volumes.md train on the coarse volume alone and enlarge it, and the result is compared with the
thin slices, which were never seen. PSNR is that where the volume is above zero; the peak is the
brightest value there but for one in a thousand.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from measuring import ROOT, arguments, fetched, show, training_cost
from numpy.typing import NDArray
from scipy.ndimage import zoom

Volume = NDArray[np.float64]

_SIDE = 112  # voxels of 1 mm


def coarse(volume: Path, path: Path, scale: int) -> Volume:
    """Write the middle of the volume with thick slices, and return the thin ones of it."""
    image = nibabel.load(volume)
    thin = np.asarray(image.dataobj)
    side = _SIDE // scale * scale
    starts = [(length - side) // 2 for length in thin.shape]
    thin = thin[tuple(slice(start, start + side) for start in starts)]
    thick = thin.reshape(*thin.shape[:2], -1, scale).mean(axis=3)
    places = np.diag([1.0, 1, scale, 1])
    places[2, 3] = (scale - 1) / 2
    nibabel.save(nibabel.Nifti1Image(thick.astype(np.float32), places), path)
    return thin.astype(np.float64)


def enlarged(path: Path, out: Path, scale: int, *options: str) -> Volume:
    """Enlarge the volume along its third axis with `drnsr upscale`."""
    call = ["upscale", str(path), "--out", str(out), "--axes", "through-plane"]
    program = "from drnsr.cli import main; import sys; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *call, "--scale", str(scale), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return np.asarray(nibabel.load(out / f"{path.stem}_x{scale}z.nii").dataobj, np.float64)


def psnr(made: Volume, thin: Volume) -> float:
    """Compare where there is a brain."""
    inside = thin > 0
    error = (made - thin)[inside]
    peak = np.percentile(thin[inside], 99.9)
    return float(10 * np.log10(peak**2 / (error**2).mean()))


def measure(volume: Path, scale: int, folder: Path, steps: int | None) -> dict[str, object]:
    """Train on a coarse volume, enlarge it, and compare."""
    path = folder / "coarse.nii"
    thin = coarse(volume, path, scale)
    run = folder / "run"
    command = [sys.executable, "-m", "pipelines.train", "experiment=through_plane", "logger=none"]
    command += [f"image={path}", f"scale={scale}", f"hydra.run.dir={run}"]
    command += [f"trainer.max_steps={steps}"] if steps else []
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    model = run / "models" / "model.safetensors"
    cubic = zoom(
        nibabel.load(path).get_fdata(), (1, 1, scale), order=3, mode="grid-constant", grid_mode=True
    )
    return {
        "volume": volume.name[:2],
        "scale": scale,
        "cubic dB": round(psnr(cubic, thin), 2),
        f"drnsr-x{scale} dB": round(psnr(enlarged(path, folder / "a", scale), thin), 2),
        "trained dB": round(
            psnr(enlarged(path, folder / "b", scale, "--model", str(model)), thin), 2
        ),
        "training s": round(training_cost(model)["seconds"]),
    }


def main() -> None:
    """Measure every volume, and print."""
    parser = arguments(__doc__)
    parser.add_argument("mirror", nargs="?", metavar="MIRROR")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 3, 4))
    parser.add_argument("--steps", type=int, help="of the training (default: the experiment's)")
    parsed = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for volume in fetched("open_medical", parsed.mirror, Path(name)):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(volume, parsed.scale, Path(folder), parsed.steps))
    show(rows, parsed.json)


if __name__ == "__main__":
    main()
