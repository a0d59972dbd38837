"""Findings about the tracking store and the outboxes, each really made."""

import json
import shutil
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from drnsr.doctor import store
from drnsr.doctor.store import check_outboxes, check_store
from drnsr.tracking.events import SetTags
from drnsr.tracking.outbox import Destination, Outbox
from tests.conftest import free_port


@pytest.fixture
def database(tmp_path, monkeypatch, empty_database):
    """The store of a project, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    return shutil.copy(empty_database, tmp_path / "mlflow.db")


def the_finding():
    (finding,) = check_store()
    return finding


def change(database, statement):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


def test_a_current_store_is_well_and_a_missing_one_is_made_later(database):
    assert the_finding().level == "ok"
    assert "its tables are current" in the_finding().text
    database.unlink()
    assert the_finding().text.endswith("not there yet; the first run makes it")
    assert not database.exists()


@pytest.mark.parametrize(
    ("version", "advice"),
    # The first tables of MLflow, and those of no version that is known.
    [("451aebb31d03", "mlflow db upgrade sqlite:///"), ("ffffffffffff", "pip install --upgrade")],
)
def test_tables_of_another_version_are_an_error(database, version, advice):
    change(database, f"UPDATE alembic_version SET version_num = '{version}'")
    assert the_finding().level == "error"
    assert advice in the_finding().advice


def test_a_damaged_a_locked_and_a_read_only_store_are_errors(database, monkeypatch):
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in the_finding().text
        assert "drnsr sync" in the_finding().advice
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{database}?mode=ro&uri=true")
    assert "readonly" in the_finding().text
    assert "make it writable" in the_finding().advice
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    database.write_bytes(b"no database" * 100)
    assert the_finding().level == "error"
    assert "not a database" in the_finding().text
    assert str(database) in the_finding().advice


@pytest.mark.parametrize("uri", ["runs", "s3://bucket/x", "postgresql+nodriver://host/x"])
def test_a_wrong_address_is_an_error(database, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert the_finding().level == "error"
    assert the_finding().advice


class Version(BaseHTTPRequestHandler):
    """A server that says its version, as MLflow does."""

    def do_GET(self):
        self.send_response(200 if self.path == "/version" else 404)
        self.end_headers()
        self.wfile.write(b"1.30.0")

    def log_message(self, *_):
        pass


def test_a_server_is_asked_for_its_version_and_one_that_is_down_is_an_error(database, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
    assert the_finding().level == "error"
    assert "secret" not in the_finding().text + the_finding().advice
    server = HTTPServer(("127.0.0.1", 0), Version)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}/")
        assert the_finding().level == "note"
        assert "the server has MLflow 1.30.0" in the_finding().text
    finally:
        server.shutdown()
        server.server_close()


def test_what_waits_for_mlflow_and_a_damaged_record_are_found(database, tmp_path):
    assert [each.text for each in check_outboxes()] == ["nothing waits for MLflow"]
    outbox = Outbox.begin(tmp_path / "runs/a", Destination(None, "drnsr"), {})
    outbox.add(SetTags(tags={"a": "b"}))
    (finding,) = check_outboxes()
    assert finding.text.startswith("2 entries wait")  # the run itself is one
    assert finding.advice.startswith("drnsr sync")
    (entries,) = outbox.folder.glob("*.jsonl")
    entries.write_text(json.dumps({"do": "what no version knows"}) + "\n")
    levels = {each.level: each for each in check_outboxes()}
    assert str(outbox.folder) in levels["error"].text
