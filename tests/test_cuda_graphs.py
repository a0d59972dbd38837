"""Steps that a GPU replays as one graph, here on the CPU: what they compute, and in which order."""

import logging
from functools import partial

import pytest
import torch

from drnsr.training.callbacks.nonfinite import NonfiniteLossError
from drnsr.training.clipping import clip_adjustably, clip_norm
from drnsr.training.module import SRModule
from drnsr.training.trainer import PlatformError
from tests.training.runs import End, EndedError, NaNLoss, WeightsRecorder, run_outputs, train

fused = partial(torch.optim.Adam, lr=5e-3, fused=True)


@pytest.fixture
def whole_steps(monkeypatch):
    """Whole steps, on the CPU; without compilation, which takes long."""
    monkeypatch.setattr("drnsr.training.module.is_capturable", lambda optimizer: True)
    monkeypatch.setattr("drnsr.training.module.compile_loss", lambda loss, graphs: loss)
    monkeypatch.setattr("drnsr.training.callbacks.nonfinite.is_asynchronous", lambda device: True)
    return partial(SRModule, compiled=True)


@pytest.mark.parametrize(
    "clipping",
    [None, partial(clip_norm, max_norm=1e-3), partial(clip_adjustably, theta=1e-5)],
    ids=["none", "norm", "adjustable"],
)
def test_a_captured_step_equals_lightnings_step(dataset, tmp_path, whole_steps, clipping):
    common = {"optimizer": fused, "clipping": clipping}
    ours = train(dataset, tmp_path / "whole", training=whole_steps, **common)
    theirs = train(dataset, tmp_path / "parts", **common)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert (tmp_path / "whole" / "validation_psnr.csv").stat().st_size > 20


def test_a_nan_loss_changes_nothing_and_is_reported_later(dataset, tmp_path, whole_steps, caplog):
    recorder = WeightsRecorder()
    with caplog.at_level(logging.WARNING, "drnsr"):
        train(
            *(dataset, tmp_path),
            training=whole_steps,
            optimizer=fused,
            loss=NaNLoss(4),
            callbacks=[recorder],
            nonfinite_loss="skip",
        )
    assert "the loss of step 4 is nan (samples 12 to 15): skipped" in caplog.text
    same = [torch.equal(a, b) for a, b in zip(recorder.after[3], recorder.after[4], strict=True)]
    assert all(same)
    assert not torch.equal(recorder.after[4][0], recorder.after[5][0])
    assert "nan" not in (tmp_path / "training_loss.csv").read_text()


def test_a_nan_loss_ends_the_run_before_a_state_is_saved(dataset, tmp_path, whole_steps):
    """The losses would be checked after step 6; states are written after each step."""
    with pytest.raises(NonfiniteLossError, match=r"the loss of step 4 is nan \(samples 12 to 15\)"):
        train(
            *(dataset, tmp_path),
            training=whole_steps,
            optimizer=fused,
            loss=NaNLoss(4),
            seconds_between_states=0,
        )
    states = sorted(path.name[:13] for path in (tmp_path / "states").glob("step-*"))
    assert states == ["step-00000002", "step-00000003"]


def test_captured_steps_resume_to_the_same_bits(dataset, tmp_path, whole_steps):
    common = {"training": whole_steps, "optimizer": fused, "seconds_between_states": 0}
    whole = run_outputs(train(dataset, tmp_path / "whole", **common), tmp_path / "whole")
    for step in (4, 7):
        folder = tmp_path / str(step)
        with pytest.raises(EndedError):
            train(dataset, folder, callbacks=[End("train_batch_end", step)], **common)
        assert run_outputs(train(dataset, folder, **common), folder) == whole


def test_a_failing_compiler_is_an_error_of_one_line(dataset, tmp_path, monkeypatch):
    def fails(graph, inputs):
        raise RuntimeError("there is no C++ compiler")

    monkeypatch.setattr(
        "drnsr.training.module.compile_loss",
        lambda loss, graphs: torch.compile(loss, backend=fails),
    )
    with pytest.raises(PlatformError, match=r"no C\+\+ compiler.*compile=false") as caught:
        train(dataset, tmp_path, training=partial(SRModule, compiled=True))
    assert "\n" not in str(caught.value)
