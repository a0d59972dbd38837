"""Curves in TensorBoard's and W&B's files: complete, no point twice, and no change of the model."""

import csv
import json
import shutil
import struct

import pytest

from drnsr.tracking.loggers import MissingLoggerError, check_loggers, further_loggers

CONFIG = {"model": {"name": "net"}, "scale": 2, "data": {"name": "some"}, "seed": 7}


def tensorboard_points(folder):
    """Read event files, which are TFRecords (length, checksum, event, checksum)."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    points, tags = [], []
    for file in folder.rglob("events.out.tfevents.*"):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = event_pb2.Event.FromString(content[12 : 12 + length])
            content = content[12 + length + 4 :]
            points += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
            tags += [v.tag for v in event.summary.value]
    return points, tags


def wandb_records(folder):
    """Read a run's file: records in blocks of 32 KiB, as LevelDB's log format has them."""
    pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    content, place, record = file.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # the whole, or its last part
            yield pb.Record.FromString(record)
            record = b""


def log(folder, names, steps):
    with further_loggers(names, folder, CONFIG) as loggers:
        for step in steps:
            for logger in loggers:
                logger.log_metrics({"train_loss": step / 8}, step=step)


def test_a_resumed_training_writes_each_point_once_and_the_parameters_once(tmp_path):
    pytest.importorskip("tensorboardX")
    log(tmp_path, ["tensorboard"], [4])
    log(tmp_path, ["tensorboard"], [2, 4, 6])
    points, tags = tensorboard_points(tmp_path / "tensorboard")
    assert [point for point in points if point[0] == "train_loss"] == [
        ("train_loss", step, step / 8) for step in (2, 4, 6)
    ]
    assert len([tag for tag in tags if "session_start_info" in tag]) == 1
    assert (tmp_path / "tensorboard/net-x2-some-seed7").is_dir()


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("drnsr.tracking.loggers.find_spec", lambda name: None)
    with pytest.raises(MissingLoggerError, match=r"logger.wandb: wandb is .* '\.\[wandb\]'"):
        check_loggers(["wandb"])
    with pytest.raises(MissingLoggerError, match=r"tensorboardX is .* '\.\[tensorboard\]'"):
        check_loggers(["tensorboard"])
    check_loggers([])


@pytest.mark.slow
def test_they_neither_reach_for_the_network_nor_change_the_model(another):
    pytest.importorskip("tensorboardX")
    pytest.importorskip("wandb")
    small = [
        *("pipelines.train", "experiment=smoke", "logger.experiment=null", "trainer.max_steps=4"),
        *("model.network.num_features=8", "model.network.num_blocks=1", "trainer.log_every=1"),
        *("trainer.validate_every=2", "run.evaluate_after_training=false"),
        *("checkpoints.seconds=0", "scheduler.warmup_steps=2"),
    ]
    another.call(*small, "hydra.run.dir=plain")
    (run,) = (each.parent for each in (another.root / "runs").glob("*/last-00000004-*"))
    more = ("logger.tensorboard=true", "logger.wandb=true", "hydra.run.dir=logged")
    command = ["python", "-m", *small, *more]
    if shutil.which("strace"):  # wandb writes by a program in Go, which no patch of Python sees
        command = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", "trace", *command]
    assert "resuming after step" in another.run(*command).stdout
    models = [another.root / name / "models/model.safetensors" for name in ("plain", "logged")]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert not another.reached_for()
    if shutil.which("strace"):
        trace = (another.root / "trace").read_text().splitlines()
        reached = [line for line in trace if "sa_family" in line and "AF_UNIX" not in line]
        assert not [line for line in reached if "127.0.0.1" not in line and "::1" not in line]

    with (another.root / "logged/metrics/curves/training_loss.csv").open() as file:
        expected = {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
    assert list(expected) == [1, 2, 3, 4]
    points, _ = tensorboard_points(run / "tensorboard")
    losses = [(step, value) for tag, step, value in points if tag == "train_loss"]
    assert [step for step, _ in losses] == [1, 2, 3, 4]
    assert dict(losses) == pytest.approx(expected, rel=1e-6)

    records = list(wandb_records(run))
    rows = [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in r.history.item}
        for r in records
        if r.WhichOneof("record_type") == "history"
    ]
    losses = [
        (row["trainer/global_step"], row["train_loss"]) for row in rows if "train_loss" in row
    ]
    assert losses == list(expected.items())
    configured = [r for r in records if r.WhichOneof("record_type") == "config"]
    keys = [each.key for r in configured for each in r.config.update]
    assert keys.count("optimizer.lr") == 1
