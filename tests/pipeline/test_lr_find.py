"""The learning-rate finder: its suggestion, the rates that it tries, and what it leaves alone."""

import pytest

from drnsr.config.errors import ConfigError
from drnsr.training import muon
from pipelines.lr_find import largest_stable, lr_find
from tests.conftest import with_values
from tests.pipeline.experiments import composed


def test_the_largest_stable_rate_is_the_last_one_before_the_loss_grows():
    noisy = [9.0] * 10 + [1.0, 1.05, 1.0, 0.9, 0.95, 0.9, 1.5, 4.0]
    assert largest_stable(noisy) == 15
    falling = [9.0] * 10 + [8.0, 6.0, 3.0, 1.0, 1.05, float("nan"), float("nan")]
    assert largest_stable(falling) == 14
    with pytest.raises(ConfigError, match="max_lr: the loss grows at no rate"):
        largest_stable([1.0] * 30)
    with pytest.raises(ConfigError, match="min_lr"):
        largest_stable([1.0] * 10 + [1.0, 2.0, 3.0])


def test_muons_rates_keep_their_ratio_and_nothing_but_the_curve_is_written(
    prepared, monkeypatch, caplog, tmp_path
):
    monkeypatch.chdir(prepared)
    caplog.set_level("INFO", logger="drnsr")
    config = with_values(
        composed("optimizer=muon", "optimizer.lr=0.06", "optimizer.adam_lr=0.02"),
        {
            "model.network.num_features": 8,
            "model.network.num_blocks": 1,
            "datamodule.batch_size": 2,
            "datamodule.patch_size": 12,
            "trainer.accumulate_grad_batches": 2,
            "lr_find.min_lr": 1e-4,
            "lr_find.max_lr": 1e3,
            "lr_find.num_training": 40,
            "run.output": str(tmp_path),
        },
    )
    rates = []

    def step(self, closure=None):
        rates.append((self.param_groups[0]["lr"], self.param_groups[1]["lr"]))
        return original(self, closure)

    original = muon.Muon.step
    monkeypatch.setattr(muon.Muon, "step", step)
    before = sorted(prepared.rglob("*"))
    lr_find(config)
    assert sorted(prepared.rglob("*")) == before
    assert [file.name for file in tmp_path.iterdir()] == ["lr_find.png"]
    assert rates[0][0] == pytest.approx(1e-4)
    assert all(hidden == pytest.approx(3 * other) for hidden, other in rates)
    line = next(each.getMessage() for each in caplog.records if "suggested" in each.getMessage())
    hidden, other = (float(word.split("=")[1]) for word in line.split() if "lr=" in word)
    assert hidden == pytest.approx(3 * other, rel=0.01)
    assert 1e-4 < hidden < 1e3
    with pytest.raises(ConfigError, match="gan: a training against a discriminator has two"):
        lr_find(composed("experiment=esrgan_x4"))
    with pytest.raises(ConfigError, match=r"trainer.devices: .* in one process"):
        lr_find(composed("trainer=ddp_cpu"))
