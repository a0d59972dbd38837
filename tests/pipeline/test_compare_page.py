"""MLflow's pages of the runs of a sweep, in a real browser."""

import json

import pytest

from tests.demo.browser import CHROMEDRIVER, CHROMIUM
from tests.pipeline.mlflow_screenshots import take_screenshots


@pytest.mark.slow
@pytest.mark.skipif(
    not (CHROMIUM.exists() and CHROMEDRIVER.exists()), reason=f"needs {CHROMIUM} and {CHROMEDRIVER}"
)
def test_they_show_the_jobs_of_a_sweep_with_what_differs_and_the_benchmark(another, tmp_path):
    another.call(
        *("pipelines.train", "-m", "experiment=smoke", "seed=1,2", "trainer.max_steps=2"),
        *("model.network.num_features=8", "model.network.num_blocks=1"),
    )
    jobs = [run for run in another.mlflow_runs() if "mlflow.parentRunId" in run.data.tags]
    ids = [run.info.run_id for run in jobs]
    pages = take_screenshots(f"sqlite:///{another.root / 'mlflow.db'}", jobs, tmp_path)

    columns = {"model.name", "scale", "data.name", "cost/seconds_per_megapixel"}
    columns |= {"sample_test/model/psnr", "sample_test/gain/psnr"}
    assert columns <= set(pages["runs"].splitlines())
    assert "Judges" not in pages["runs"]  # of language models

    run = pages["run"]
    assert f"drnsr reproduce {ids[0]}" in run
    assert "5 pictures are too few to prove a difference" in run
    assert "sample (" in run.partition("Datasets")[2]  # with the digest
    assert "pipelines.train" in run.partition("Source")[2]
    assert "No description" not in run
    assert jobs[0].data.tags["mlflow.drnsr.training"] not in run

    text = pages["compare"]
    assert "Comparing 2 Runs from 1 Experiment" in text
    assert all(run_id in text for run_id in ids)
    parameters, _, metrics = text.partition("Run details")[2].partition("Metrics\nShow diff only")
    rows = parameters.partition("Show diff only\n")[2].splitlines()
    assert [row.split()[0] for row in rows] == ["run.output", "seed"]
    assert sorted(rows[1].split()[1:]) == ["1", "2"]
    for summary in another.root.glob("multirun/*/*/[01]/metrics/benchmark.json"):
        psnr = json.loads(summary.read_text())["sample_test"]["model"]["psnr"]
        assert f"{psnr:.2f}".rstrip("0") in metrics.split()
    for picture in ("runs", "run", "compare"):
        assert 5_000 < (tmp_path / f"mlflow_{picture}.webp").stat().st_size < 100_000
