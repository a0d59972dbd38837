"""Steps that a GPU takes as one graph, here without it: what they do, and in which order."""

import logging
from functools import partial

import pytest
import torch

from drnsr.training.callbacks.nonfinite import NonfiniteLossError
from drnsr.training.clipping import clip_adjustably, clip_norm
from drnsr.training.module import SRModule
from drnsr.training.trainer import PlatformError
from tests.training.callbacks.test_nonfinite import Spoil, Watch
from tests.training.runs import made, train

fused = partial(torch.optim.Adam, lr=5e-3, fused=True)


@pytest.fixture
def whole_steps(monkeypatch):
    """Steps are taken whole, on the CPU; kernels are not written anew, which takes long."""
    monkeypatch.setattr("drnsr.training.module.is_capturable", lambda optimizer: True)
    monkeypatch.setattr("drnsr.training.module.compiled", lambda loss, graphs: loss)
    monkeypatch.setattr("drnsr.training.callbacks.nonfinite._is_slow_to_ask", lambda device: True)
    return partial(SRModule, compiled=True)


@pytest.mark.parametrize(
    "clipping",
    [None, partial(clip_norm, max_norm=1e-3), partial(clip_adjustably, theta=1e-5)],
    ids=["none", "norm", "adjustable"],
)
def test_a_step_taken_whole_is_the_step_taken_by_lightning(
    dataset, tmp_path, whole_steps, clipping
):
    common = {"optimizer": fused, "clipping": clipping}
    ours = train(dataset, tmp_path / "whole", training=whole_steps, **common)
    theirs = train(dataset, tmp_path / "parts", **common)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert (tmp_path / "whole" / "validation_psnr.csv").stat().st_size > 20


def test_a_bad_loss_changes_nothing_and_is_named_later(dataset, tmp_path, whole_steps, caplog):
    watch = Watch()
    with caplog.at_level(logging.WARNING, "drnsr"):
        train(
            *(dataset, tmp_path),
            training=whole_steps,
            optimizer=fused,
            callbacks=[Spoil(4), watch],
            nonfinite_loss="skip",
        )
    assert "the loss of step 4 is nan (samples 12 to 15): skipped" in caplog.text
    same = [torch.equal(a, b) for a, b in zip(watch.after[3], watch.after[4], strict=True)]
    assert all(same)
    assert not torch.equal(watch.after[4][0], watch.after[5][0])
    assert "nan" not in (tmp_path / "training_loss.csv").read_text()


def test_a_bad_loss_that_ends_the_run_is_found_before_a_state_is_written(
    dataset, tmp_path, whole_steps
):
    """The losses would be looked at after step 6; states are written after each."""
    with pytest.raises(NonfiniteLossError, match=r"the loss of step 4 is nan \(samples 12 to 15\)"):
        train(
            *(dataset, tmp_path),
            training=whole_steps,
            optimizer=fused,
            callbacks=[Spoil(4)],
            seconds_between_states=0,
        )
    states = sorted(path.name[:13] for path in (tmp_path / "states").glob("step-*"))
    assert states == ["step-00000002", "step-00000003"]


def test_whole_steps_are_gone_on_with_to_the_same_bits(dataset, tmp_path, whole_steps):
    from tests.training.callbacks.test_checkpoint import End, EndedError

    common = {"training": whole_steps, "optimizer": fused, "seconds_between_states": 0}
    whole = made(train(dataset, tmp_path / "whole", **common), tmp_path / "whole")
    for step in (4, 7):
        folder = tmp_path / str(step)
        with pytest.raises(EndedError):
            train(dataset, folder, callbacks=[End("train_batch_end", step)], **common)
        assert made(train(dataset, folder, **common), folder) == whole


def test_a_compiler_that_fails_is_told_in_one_line(dataset, tmp_path, monkeypatch):
    def fails(graph, inputs):
        raise RuntimeError("there is no C++ compiler")

    monkeypatch.setattr(
        "drnsr.training.module.compiled", lambda loss, graphs: torch.compile(loss, backend=fails)
    )
    with pytest.raises(PlatformError, match=r"no C\+\+ compiler.*compile=false") as caught:
        train(dataset, tmp_path, training=partial(SRModule, compiled=True))
    assert "\n" not in str(caught.value)
