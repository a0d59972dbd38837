"""Delivery to real stores and servers: locked, slow, unreachable, or reachable again."""

import json
import shutil
import socket
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.images.encoding import encode_png
from drnsr.networks import DRNSR
from drnsr.project import PARAMS
from drnsr.tracking.delivery import deliver, delivering
from drnsr.tracking.events import (
    CopyEvaluation,
    LogArtifact,
    LogMetrics,
    LogModel,
    Point,
    SetStatus,
    SetTags,
    now,
)
from drnsr.tracking.logger import CurveLogger
from drnsr.tracking.outbox import Cursor, Destination, Outbox, newest_outbox
from drnsr.tracking.runs import begin_run, describe_run, has_model
from drnsr.tracking.store import TrackingError, experiment_id, open_store
from drnsr.tracking.system_metrics import recording_system_metrics
from drnsr.weights.native import Origin, save_model
from tests.conftest import free_port, texture
from tests.tracking.services import mlflow_server

CONFIG = {
    "model": {"name": "drnsr"},
    "data": {"name": "sample"},
    "scale": 2,
    "seed": 0,
}


def begin(folder: Path, uri: str) -> Outbox:
    run = describe_run(CONFIG, {"train": "f" * 64}, "a training")
    return Outbox.begin(folder, Destination(uri, "test"), run)


def log_steps(outbox, steps):
    logger = CurveLogger(outbox)
    for step in steps:
        logger.log_metrics({"loss": 1 / step, "psnr": float(step)}, step)


def finish(outbox):
    outbox.add(SetStatus(status="FINISHED", time=now()))


def the_run(uri):
    """The only run of a store, and the steps of its curves."""
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("test").experiment_id])
    curves = {
        name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    return run, {name: sorted(points) for name, points in curves.items()}


def expected(steps):
    return {"loss": [(k, 1 / k) for k in steps], "psnr": [(k, float(k)) for k in steps]}


@pytest.fixture
def uri(tmp_path, monkeypatch, empty_database):
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / PARAMS).touch()
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_everything_arrives_once_however_often_it_is_delivered(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    log_steps(outbox, range(1, 8))
    deliver(outbox)
    cursor = outbox.cursor
    log_steps(outbox, range(5, 12))  # resumed from an earlier state
    finish(outbox)
    deliver(outbox)
    outbox.move_cursor(cursor)  # as if killed before it moved
    deliver(outbox)
    run, curves = the_run(uri)
    assert run.info.status == "FINISHED"
    assert curves == expected(range(1, 12))
    assert outbox.finished


def test_pictures_of_a_resumed_training_are_stored_once_and_shown_by_their_steps(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    picture = encode_png(texture(16, 16))
    # Step 0 comes with each; the second is from the state of step 0.
    for steps in ((0, 10, 0, 20), (0, 10, 0, 20, 0, 30)):
        logger = CurveLogger(outbox)
        for step in steps:
            logger.log_image("validation crop 1", picture, step)
        deliver(outbox)
    outbox.move_cursor(Cursor(outbox.cursor.run_id, 0))
    deliver(outbox)  # as if killed before it moved
    run, _ = the_run(uri)
    client = MlflowClient(uri)
    stored = [Path(file.path).name for file in client.list_artifacts(run.info.run_id, "images")]
    # The names by which MLflow's pages know the key, the step and the small copy.
    parts = sorted(name.replace(".png", "+.png").split("+") for name in stored)
    assert [part[:3] for part in parts] == [
        ["validation crop 1", "step", step] for step in ("0", "10", "20", "30") for _ in range(2)
    ]
    assert {part[-1] for part in parts} == {".png", "compressed.webp"}
    assert run.data.tags["mlflow.loggedImages"] == "True"
    whole = next(name for name in stored if name.endswith(".png"))
    assert (
        Path(client.download_artifacts(run.info.run_id, f"images/{whole}")).read_bytes() == picture
    )


def test_system_metrics_go_through_the_outbox_and_on_after_a_resume(tmp_path, uri, monkeypatch):
    outbox = begin(tmp_path / "runs/a", uri)
    for _ in range(2):
        with recording_system_metrics(outbox):
            log_steps(outbox, [1, 2])
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    with recording_system_metrics(outbox):
        log_steps(outbox, [1, 2])
    deliver(outbox)
    _, curves = the_run(uri)
    shares = curves["system/system_memory_usage_percentage"]
    assert [step for step, _ in shares] == [0, 1]
    memory = psutil.virtual_memory()
    assert shares[1][1] == pytest.approx(100 * memory.used / memory.total, abs=20)
    assert curves["loss"] == expected([1, 2])["loss"]


def test_a_line_that_is_being_written_is_not_an_event(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    log_steps(outbox, [1, 2])
    with (outbox.folder / "entries.jsonl").open("ab") as file:
        file.write(b'{"do": "metrics", "poi')
    deliver(outbox)
    again = newest_outbox(tmp_path / "runs/a", Destination(uri, "test"))
    log_steps(again, [2, 3])
    deliver(again)
    assert the_run(uri)[1] == expected([1, 2, 3])


def test_a_store_that_lost_the_run_gets_it_again(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    log_steps(outbox, [1, 2])
    deliver(outbox)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    log_steps(outbox, [3])
    run = json.loads((outbox.folder / "run.json").read_text())
    run["destination"]["uri"] = other
    (outbox.folder / "run.json").write_text(json.dumps(run))
    deliver(outbox)
    assert the_run(other)[1] == expected([1, 2, 3])


def test_what_was_deleted_in_the_meantime_is_named_with_what_to_do(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    log_steps(outbox, [1, 2])
    deliver(outbox)
    log_steps(outbox, [3])
    client, run_id = MlflowClient(uri), outbox.cursor.run_id
    experiment = client.get_run(run_id).info.experiment_id
    client.delete_run(run_id)
    with pytest.raises(TrackingError, match=f"deleted .*`mlflow runs restore --run-id {run_id}`"):
        deliver(outbox)
    client.restore_run(run_id)
    client.delete_experiment(experiment)
    with pytest.raises(TrackingError, match=f"test was deleted .* --experiment-id {experiment}`"):
        deliver(outbox)
    client.restore_experiment(experiment)
    deliver(outbox)
    assert the_run(uri)[1] == expected([1, 2, 3])


def test_a_kept_copy_does_not_change_and_is_removed_when_delivered(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    (tmp_path / "table.csv").write_text("as it was")
    outbox.add(LogArtifact(kept=outbox.keep_copy(tmp_path / "table.csv"), to="evaluation"))
    (tmp_path / "table.csv").write_text("as it is later")
    deliver(outbox)
    run, _ = the_run(uri)
    client = MlflowClient(uri)
    copy = client.download_artifacts(run.info.run_id, "evaluation/table.csv", str(tmp_path))
    assert Path(copy).read_text() == "as it was"
    assert list((outbox.folder / "files").iterdir()) == []


def test_a_store_that_cannot_be_reached_stops_nothing_and_sync_reports_it(
    tmp_path, uri, caplog, capsys, monkeypatch
):
    secret = "http://me:s3cret@127.0.0.1:9"  # nobody listens there
    monkeypatch.setenv("MLFLOW_TRACKING_URI", secret)
    outbox = begin(tmp_path / "runs/a", secret)
    assert outbox.destination.address == secret
    with delivering(outbox):
        log_steps(outbox, [1, 2])
        finish(outbox)
    assert "`drnsr sync` delivers it" in caplog.text
    with pytest.raises(SystemExit, match=r"error: MLflow at http://\*\*\*@127.0.0.1:9: ") as caught:
        main(["sync"])
    assert "s3cret" not in caplog.text + str(caught.value)
    run = json.loads((outbox.folder / "run.json").read_text())  # its patch may have this line
    assert run["destination"]["uri"] == "http://***@127.0.0.1:9"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(SystemExit, match="the password is not kept; set MLFLOW_TRACKING_URI"):
        main(["sync"])
    assert "\n" not in str(caught.value)
    assert outbox.undelivered == 4
    # The run itself, its two points and its end.
    run = json.loads((outbox.folder / "run.json").read_text())
    run["destination"]["uri"] = None  # the project's own
    (outbox.folder / "run.json").write_text(json.dumps(run))
    main(["sync"])
    assert "4 entries delivered" in capsys.readouterr().out
    assert the_run(uri)[1] == expected([1, 2])
    main(["sync"])
    assert "MLflow has everything" in capsys.readouterr().out


def test_a_run_does_not_wait_for_a_locked_database(tmp_path, uri):
    deliver(begin(tmp_path / "runs/before", uri))  # has the database open
    outbox = begin(tmp_path / "runs/a", uri)
    locked = sqlite3.connect(tmp_path / "mlflow.db")
    locked.execute("BEGIN EXCLUSIVE")
    with delivering(outbox):
        log_steps(outbox, range(1, 20))  # it returns although the database is locked
        time.sleep(3)  # meanwhile a delivery is tried
        locked.rollback()
        finish(outbox)
    client = MlflowClient(uri)
    assert outbox.undelivered == 0
    run_id = outbox.cursor.run_id
    assert len(client.get_metric_history(run_id, "loss")) == 19


@pytest.mark.slow  # SQLite waits for 20 s
def test_a_database_that_stays_locked_is_reported_in_one_line(tmp_path, uri, capfd):
    deliver(begin(tmp_path / "runs/before", uri))  # has the database open
    locked = sqlite3.connect(tmp_path / "mlflow.db")
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TrackingError, match="database is locked") as caught:
        deliver(begin(tmp_path / "runs/a", uri))
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err


def test_a_full_disk_is_reported_with_the_file_and_loses_no_event(tmp_path, uri, small_disk):
    outbox = begin(tmp_path / "runs/a", uri)
    log_steps(outbox, [1])
    with pytest.raises(OSError, match="File too large") as caught:
        outbox.add(SetTags(tags={"note": "x" * 60_000}))
    assert caught.value.filename == str(outbox.folder / "entries.jsonl")
    again = Outbox(outbox.folder)
    log_steps(again, [2])
    assert [event.points[0].step for _, event in again.events()] == [1, 2]


def test_an_outbox_of_an_earlier_version_is_delivered(tmp_path, uri):
    """``recorded_outbox`` was written before events had types."""
    folder = tmp_path / "runs/0123456789abcdef/mlflow/001"
    shutil.copytree(Path(__file__).with_name("recorded_outbox"), folder)
    main(["sync"])
    run, curves = the_run(uri)
    assert run.info.run_name == "vdsr-x2-sample-seed0"
    assert (run.info.status, run.info.end_time) == ("FINISHED", 1764000001000)
    assert curves["loss"] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert str(curves["psnr"]) == "[(1, nan), (2, 32.0), (3, 33.0)]"
    assert curves["set5/model/psnr"] == [(0, 37.0)]
    assert run.data.tags["drnsr.protocol.set5"] == "paper_y"
    assert run.data.tags["mlflow.drnsr.journal"] == "86ef2c81887e46bb92af8748fd3c38d4"
    assert run.data.tags["drnsr.model_sha256"].startswith("539b56f25ad066c3")
    stored = {file.path for file in MlflowClient(uri).list_artifacts(run.info.run_id, "evaluation")}
    assert stored == {"evaluation/benchmark.json"}
    outbox = newest_outbox(folder.parents[1], Destination(None, "test"))
    assert outbox.finished
    assert outbox.undelivered == 0
    assert list((folder / "files").iterdir()) == []


def test_a_delivery_of_an_earlier_version_goes_on(tmp_path, uri):
    folder = tmp_path / "runs/0123456789abcdef/mlflow/001"
    shutil.copytree(Path(__file__).with_name("recorded_outbox"), folder)
    client = open_store(uri)
    outbox = Outbox(folder)
    run_id = begin_run(client, experiment_id(client, "test"), outbox.description)
    first = (folder / "entries.jsonl").read_bytes().index(b"\n") + 1
    delivered = json.dumps({"run_id": run_id, "position": first})
    (folder / "delivered.json").write_text(delivered)
    log_steps(outbox, [2, 3, 4])  # the training is resumed after a part of it
    deliver(outbox)
    run, curves = the_run(uri)
    assert run.info.run_id == run_id
    assert curves["loss"] == [(2, 0.5), (3, 1 / 3), (4, 1 / 4)]


def test_an_event_of_a_later_version_is_named_and_waits_for_it(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    log_steps(outbox, [1])
    with (outbox.folder / "entries.jsonl").open("ab") as file:
        file.write(b'{"do": "dance"}\n')
    with pytest.raises(TrackingError, match=r'entries.jsonl: .* does not know: {"do": "dance"}'):
        deliver(outbox)
    assert outbox.undelivered == 2


def test_one_process_delivers_at_a_time(tmp_path, uri):
    outbox = begin(tmp_path / "runs/a", uri)
    with outbox.lock(), pytest.raises(TrackingError, match="another process delivers it"):
        deliver(Outbox(outbox.folder))


def server(folder, port):
    """A real MLflow server with its files in a folder."""
    return mlflow_server(port, f"sqlite:///{folder / 'server.db'}", str(folder / "artifacts"))


@contextmanager
def slow_proxy(port, delay):
    """A proxy that delays the answers of another port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink, wait):
        try:
            while data := source.recv(65536):
                time.sleep(wait)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(client, upstream, 0), daemon=True).start()
            threading.Thread(target=pump, args=(upstream, client, delay), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


@pytest.mark.slow
def test_a_server_that_is_down_at_the_start_and_again_in_the_middle(tmp_path, uri):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    outbox = begin(tmp_path / "runs/a", address)
    with delivering(outbox):
        log_steps(outbox, [1, 2])
        with server(tmp_path, port):
            deadline = time.monotonic() + 90
            while outbox.undelivered:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        log_steps(outbox, [3, 4])
        (tmp_path / "table.csv").write_text("a table")
        outbox.add(LogArtifact(kept=outbox.keep_copy(tmp_path / "table.csv"), to="evaluation"))
        finish(outbox)
    assert outbox.undelivered > 0
    with server(tmp_path, port):
        main(["sync"])
        run, curves = the_run(address)
        assert run.info.status == "FINISHED"
        assert curves == expected([1, 2, 3, 4])
        client = MlflowClient(address)
        (table,) = client.list_artifacts(run.info.run_id, "evaluation")
        assert table.path == "evaluation/table.csv"


@pytest.mark.slow
def test_each_of_two_stores_has_its_own_place_for_artifacts(tmp_path, uri, monkeypatch):
    """A server decides where it keeps them; it cannot write to the project's folder."""
    port = free_port()
    local, remote = open_store(uri), f"http://127.0.0.1:{port}"
    with server(tmp_path, port):
        for named in (None, uri, remote):  # the store that the user's environment names
            monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
            if named is not None:
                monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
            folders = {
                client.get_experiment(experiment_id(client, f"named {named}")).artifact_location
                for client in (local, open_store(remote))
            }
            project, servers = sorted(folders)
            assert project == (tmp_path / "mlruns").as_uri()
            assert servers.startswith("mlflow-artifacts:/")


@pytest.mark.slow
def test_a_run_waits_for_a_slow_server_only_at_its_end(tmp_path, uri):
    port = free_port()
    with server(tmp_path, port), slow_proxy(port, delay=0.5) as slow:
        outbox = begin(tmp_path / "runs/a", f"http://127.0.0.1:{slow}")
        with delivering(outbox):
            log_steps(outbox, range(1, 200))
            assert outbox.undelivered  # the run did not wait
            finish(outbox)
        assert outbox.undelivered == 0
        run, curves = the_run(f"http://127.0.0.1:{port}")
        assert run.info.status == "FINISHED"
        assert curves == expected(range(1, 200))


@pytest.fixture
def lossy_store(monkeypatch):
    """The first answer to each kind of request is lost, after the store has done what it asks."""
    lost = set()

    def losing(name):
        original = getattr(MlflowClient, name)

        def call(self, *arguments, **named):
            result = original(self, *arguments, **named)
            kind = (name, len(arguments), *named)
            if kind not in lost:
                lost.add(kind)
                raise MlflowException("the connection was closed without an answer")
            return result

        monkeypatch.setattr(MlflowClient, name, call)

    for name in (
        *("create_experiment", "create_run", "log_batch", "set_tag", "update_run"),
        *("log_dict", "log_text", "log_artifact", "log_artifacts", "create_logged_model"),
        *("log_outputs", "log_model_artifacts", "set_terminated"),
    ):
        losing(name)
    return lost


@pytest.mark.slow
def test_everything_arrives_once_if_answers_are_lost(tmp_path, uri, lossy_store):
    model = tmp_path / "m.safetensors"
    save_model(model, DRNSR(scale=2, num_blocks=1), Origin("a", "b", "c"))
    evaluated = begin(tmp_path / "runs/a", uri)
    outbox = begin(tmp_path / "runs/b", uri)
    for each in (evaluated, outbox):
        log_steps(each, [1, 2, 3])
        copy = each.keep_copy(model)
        each.add(LogModel(kept=copy, example=encode_png(texture(8, 8))))
    evaluated.add(LogMetrics(points=(Point("set5/model/psnr", 37.0, now(), 0),)))
    table = tmp_path / "table.csv"
    table.write_text("a table")
    evaluated.add(LogArtifact(kept=evaluated.keep_copy(table), to="evaluation"))
    outbox.add(CopyEvaluation(model_sha256=file_sha256(model)))
    for each in (evaluated, outbox):
        finish(each)
        failures = 0
        while each.undelivered:
            try:
                deliver(each)
            except TrackingError:
                failures += 1
                assert failures < 50
    assert len(lossy_store) >= 13
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("test").experiment_id
    assert len(client.search_runs([experiment])) == 2
    for each in (evaluated, outbox):
        run = client.get_run(each.cursor.run_id)
        assert run.info.status == "FINISHED"
        points = client.get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in points] == [1, 2, 3]
        assert len(client.get_metric_history(run.info.run_id, "set5/model/psnr")) == 1
        listed = client.list_artifacts(run.info.run_id, "evaluation")
        assert [file.path for file in listed] == ["evaluation/table.csv"]
        (output,) = run.outputs.model_outputs
        assert client.get_logged_model(output.model_id).status == "READY"
        assert has_model(client, run.info.run_id, file_sha256(model))
    assert len(client.search_logged_models([experiment])) == 2
