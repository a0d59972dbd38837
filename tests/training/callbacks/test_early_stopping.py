"""A training that stops early has the bits of a whole one at that step, also after a resume."""

import csv
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.optim.lr_scheduler import StepLR

from drnsr.training.callbacks.early_stopping import has_stopped
from drnsr.training.continuing import take_over
from drnsr.weights.native import EarlierPart
from tests.conftest import make_dataset, make_pictures
from tests.training.runs import End, EndedError, WeightsRecorder, run_outputs, train

# Validations are after steps 5, 10 and 12. The first is better than nothing, and none is a
# thousand dB better than that.
NEVER_BETTER = SimpleNamespace(patience=1, min_delta=1000.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    return make_dataset(make_pictures(folder / "pictures"), folder / "dataset")


def test_it_stops_at_the_step_of_a_whole_run_and_resumes_to_the_same_bits(
    dataset, tmp_path, caplog
):
    caplog.set_level("INFO", logger="drnsr")
    recorder = WeightsRecorder()
    train(dataset, tmp_path / "whole", ema_decay=0, callbacks=[recorder])
    stops = {"ema_decay": 0, "early_stopping": NEVER_BETTER, "seconds_between_states": 0}
    network = train(dataset, tmp_path / "stopped", **stops)
    assert "stopped early after step 10" in caplog.text
    parameters = list(network.parameters())
    for mine, other in zip(parameters, recorder.after[10], strict=False):
        torch.testing.assert_close(mine.detach(), other, rtol=0, atol=0)
    stopped = run_outputs(network, tmp_path / "stopped")
    for number, (hook, step) in enumerate([("validation_end", 5), ("validation_start", 10)]):
        folder = tmp_path / str(number)
        with pytest.raises(EndedError):
            train(dataset, folder, callbacks=[End(hook, step)], **stops)
        assert run_outputs(train(dataset, folder, **stops), folder) == stopped
    (state,) = (tmp_path / "stopped/states").glob("last-*.ckpt")
    assert state.name.startswith("last-00000010")
    assert has_stopped(state)


def test_improvements_start_the_count_again_and_the_rest_can_be_trained_without_it(
    dataset, tmp_path
):
    scheduler = partial(StepLR, step_size=4, gamma=0.5)  # a schedule that no length changes
    whole = run_outputs(train(dataset, tmp_path / "w", scheduler=scheduler), tmp_path / "w")
    with (tmp_path / "w/validation_psnr.csv").open() as file:
        psnrs = [float(row["psnr_db"]) for row in csv.DictReader(file)]
    assert psnrs == sorted(psnrs)  # each is an improvement
    patient = SimpleNamespace(patience=1, min_delta=0.0)
    network = train(dataset, tmp_path / "p", scheduler=scheduler, early_stopping=patient)
    assert run_outputs(network, tmp_path / "p") == whole
    (last,) = (tmp_path / "p/states").glob("last-*.ckpt")
    assert not has_stopped(last)

    train(dataset, tmp_path / "s", scheduler=scheduler, early_stopping=NEVER_BETTER)
    (state,) = (tmp_path / "s/states").glob("last-*.ckpt")
    (tmp_path / "on/states").mkdir(parents=True)
    take_over(state, tmp_path / "on/states")
    before = EarlierPart("of this run", 10, "1 process of 2 threads", extended=True)
    network = train(
        dataset, tmp_path / "on", scheduler=scheduler, fingerprint="longer", before=before
    )
    found = run_outputs(network, tmp_path / "on")
    curve = "validation_psnr.csv"
    assert {k: v for k, v in found.items() if k != curve} == {
        k: v for k, v in whole.items() if k != curve
    }
