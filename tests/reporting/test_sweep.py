import csv

import numpy as np
import pytest
from PIL import Image

from drnsr.reporting.sweep import best_job, write_sweep
from drnsr.tracking.jobs import JobRecord, Result


def jobs():
    """Six jobs whose objective depends on the rate and not on the seed, and one that failed."""
    made = []
    for rate, value in (("1e-4", 30.0), ("1e-3", 33.0), ("1e-2", 31.0)):
        for seed in ("1", "2"):
            overrides = {"optimizer.lr": rate, "seed": seed, "trainer.max_steps": "10"}
            result = Result("/somewhere/else", value + int(seed) / 1000, {"set5/psnr": value})
            made.append(JobRecord(len(made), overrides, "finished", result=result))
    failed = {"optimizer.lr": "9", "seed": "1", "trainer.max_steps": "10"}
    return [*made, JobRecord(6, failed, "failed", error="the loss of step 3 is nan")]


def test_a_sweep_is_written_as_a_table_and_two_plots(tmp_path):
    pytest.importorskip("optuna")
    table, *plots = write_sweep(tmp_path, jobs(), "psnr")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["job"] for row in rows] == list("0123456")
    assert rows[6]["error"] == "the loss of step 3 is nan"
    assert (
        rows[2] | {"job": "2", "optimizer.lr": "1e-3", "seed": "1", "set5/psnr": "33.0"} == rows[2]
    )
    assert "trainer.max_steps" not in rows[0]  # all jobs have the same
    assert [plot.name for plot in plots] == [
        "parallel_coordinates.png",
        "parameter_importances.png",
    ]
    for plot in plots:
        assert np.asarray(Image.open(plot).convert("L")).std() > 5  # not an empty page
    best = best_job(jobs(), "psnr")
    assert best is not None
    assert best.number == 3


def test_a_sweep_in_which_nothing_differs_has_a_table_alone(tmp_path):
    assert [file.name for file in write_sweep(tmp_path, jobs()[:1], "psnr")] == ["results.csv"]
