"""A user's scenes of four bands of 16 bits, from the folder to the report, the card and ONNX."""

import json

import numpy as np
import pytest
import tifffile

from drnsr.images.resize import upscale

PIXELS = {"bands": ["red", "green", "blue", "nir"], "range": [0, 10000]}
CHOICES = {
    **{"data": "folder", "folder": "own", "benchmark": "folder", "benchmark_folder": "test"},
    "set": {
        "data": {"pixels": PIXELS, "scales": [2]},
        "protocol": "bands",
        "model": {"network": {"channels": 4, "num_blocks": 1, "num_features": 8}},
        "trainer": {"max_steps": 4, "validate_every": 2, "accelerator": "cpu"},
        "datamodule": {"patch_size": 16, "batch_size": 4},
        "scheduler": {"warmup_steps": 1},
    },
}


def write(path, seed):
    coarse = np.random.default_rng(seed).integers(0, 10000, (40, 40, 4)).astype(float)
    pixels = upscale(coarse, 2).clip(0, 65535).astype(np.uint16)
    tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig")


@pytest.mark.slow
def test_scenes_of_bands_go_through_the_whole_graph(project):
    for folder, seeds in (("own", (0, 1, 2)), ("test", (3,))):
        (project.root / folder).mkdir(exist_ok=True)
        for seed in seeds:
            write(project.root / folder / f"scene{seed}.tif", seed)
    project.choose(**CHOICES)
    project.run_stages("fetch", "prepare", "train", "evaluate", "verify", "report")
    (found,) = json.loads((project.root / "metrics" / "benchmark.json").read_text()).values()
    assert found["protocol"] == "bands"
    assert set(found["model"]) == {"psnr", "ssim", "sam", "ergas"}
    header = (project.root / "metrics" / "per_image.csv").read_text().splitlines()[0].split(",")
    assert {"model_psnr_nir", "bicubic_ssim_red", "gain_sam"} < set(header)
    described = project.call("drnsr", "info", "models/model.safetensors").stdout
    assert "4 bands of 16 bits (red, green, blue, nir), black is 0 and white 10000" in described
    folder = ("--benchmark", "folder", "--folder", "test", "--protocol", "bands", "--json")
    evaluated = project.call("drnsr", "evaluate", "bicubic", "models/model.safetensors", *folder)
    rows = json.loads(evaluated.stdout)
    assert [row["psnr"] for row in rows] == [found["bicubic"]["psnr"], found["model"]["psnr"]]
    project.call("drnsr", "upscale", "test", "--model", "models/model.safetensors", "--out", "big")
    assert tifffile.imread(project.root / "big" / "scene3_x2.tif").shape == (160, 160, 4)
    project.call("drnsr", "register", "models/model.safetensors")
    project.call("drnsr", "promote", "models/model.safetensors")
    # A copy of a test scene among the training scenes, brighter, is found.
    leaked = tifffile.imread(project.root / "test" / "scene3.tif") // 2 + 1000
    tifffile.imwrite(
        project.root / "own" / "leak.tif", leaked, photometric="minisblack", planarconfig="contig"
    )
    refused = project.run_stages("fetch", "prepare", fails=True)
    assert "leak.tif is scene3.tif of folder" in refused.stderr
