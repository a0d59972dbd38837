"""Checks of the tracking store and of what waits for it.

MLflow is not imported: that takes seconds.
"""

import os
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from drnsr.doctor.finding import Finding
from drnsr.errors import network_reason, printable, without_credentials
from drnsr.project import tracking_database

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ABOUT = "MLflow"
PATIENCE = 3
"""In seconds: how long a server or a lock is waited for."""


def check_store() -> Iterator[Finding]:
    """Look whether the store can be reached and written to, and whether its tables are current."""
    from drnsr.tracking.store import URI_VARIABLE, tracking_uri

    uri = tracking_uri()
    shown = without_credentials(uri)
    if uri.startswith(("http://", "https://")):
        yield _check_server(uri, shown)
    elif uri.startswith("sqlite:///") and not _is_there(uri):
        named = URI_VARIABLE in os.environ
        text = f"{shown}: not there yet; the first run makes it"
        yield Finding("note" if named else "ok", _ABOUT, text)
    elif uri.partition(":")[0].partition("+")[0] in ("sqlite", "postgresql", "mysql", "mssql"):
        yield _check_database(uri, shown)
    else:
        advice = f"set {URI_VARIABLE} to sqlite:///FILE, postgresql://... or http(s)://..."
        yield Finding("error", _ABOUT, f"{shown}: not a store of MLflow with a database", advice)


def _is_there(uri: str) -> bool:
    path = uri.removeprefix("sqlite:///")
    return path.startswith("file:") or Path(path).is_file()


def _check_server(uri: str, shown: str) -> Finding:
    import requests

    try:
        answer = requests.get(f"{uri.rstrip('/')}/version", timeout=PATIENCE)
        answer.raise_for_status()
    except (requests.RequestException, ValueError) as error:
        why = without_credentials(network_reason(error))
        advice = "start the server, or unset MLFLOW_TRACKING_URI; runs are kept until then"
        return Finding("error", _ABOUT, printable(f"{shown}: {why[:200]}"), advice)
    there, here = answer.text.strip()[:20], version("mlflow")
    if there.split(".")[0] != here.split(".")[0]:
        text = f"{shown}: the server has MLflow {there}, and here is {here}"
        return Finding("note", _ABOUT, printable(text), "install the same major version on both")
    return Finding("ok", _ABOUT, printable(f"{shown}: answers, MLflow {there}"))


def _check_database(uri: str, shown: str) -> Finding:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    seconds = {"sqlite": "timeout", "postgresql": "connect_timeout"}
    limit = {name: PATIENCE for kind, name in seconds.items() if uri.startswith(kind)}
    try:
        with create_engine(uri, connect_args=limit, poolclass=NullPool).connect() as connection:
            return _check_tables(connection, uri, shown)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = getattr(error, "orig", None) or error
        why = without_credentials(" ".join(str(cause).split()))[:200]
        return Finding("error", _ABOUT, printable(f"{shown}: {why}"), _advice(why, uri))


def _advice(why: str, uri: str) -> str:
    if "readonly" in why or "permission" in why:
        return "make it writable for you, or set MLFLOW_TRACKING_URI to another store"
    if "locked" in why:
        return "another program writes to it; what is missed is delivered by `drnsr sync`"
    if "not a database" in why or "malformed" in why:
        return f"restore {uri.removeprefix('sqlite:///')} from a copy, or move it away"
    if "No module named" in why:
        return "pip install 'drnsr[postgresql]', or the driver of another database"
    return "start the database, or set MLFLOW_TRACKING_URI to another store"


def _check_tables(connection: "Connection", uri: str, shown: str) -> Finding:
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("alembic_version"):
        return Finding("note", _ABOUT, f"{shown}: empty; the first run makes its tables")
    # It changes nothing, and needs the right and the lock to change something.
    connection.execute(text("UPDATE experiments SET name = name WHERE 1 = 0"))
    connection.rollback()
    current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    known, head = _schema_versions()
    if current not in known:
        text_ = f"{shown}: made by a later MLflow than {version('mlflow')}"
        return Finding("error", _ABOUT, text_, "pip install --upgrade mlflow")
    if current != head:
        text_ = f"{shown}: its tables are those of an earlier MLflow"
        advice = f"make a copy of it, then: mlflow db upgrade {without_credentials(uri)}"
        return Finding("error", _ABOUT, text_, advice)
    return Finding("ok", _ABOUT, f"{shown}: can be written to, and its tables are current")


def _schema_versions() -> tuple[set[str], str | None]:
    """Return the versions of the tables that the installed MLflow knows, and the newest."""
    from alembic.script import ScriptDirectory

    spec = find_spec("mlflow")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name="mlflow")
    folder = Path(spec.submodule_search_locations[0]) / "store" / "db_migrations"
    scripts = ScriptDirectory(str(folder))
    return {each.revision for each in scripts.walk_revisions()}, scripts.get_current_head()


def check_outboxes() -> Iterator[Finding]:
    """Look for what has not been delivered to MLflow, and for damaged records of it."""
    from drnsr.tracking.outbox import all_outboxes
    from drnsr.tracking.store import TrackingError

    waiting = 0
    for outbox in all_outboxes():
        try:
            waiting += outbox.undelivered
            for _ in outbox.events(outbox.cursor.position):
                pass  # each can be read
        except (OSError, ValueError, TypeError, KeyError, TrackingError) as error:
            text = f"{outbox.folder}: cannot be read: {' '.join(str(error).split())[:200]}"
            yield Finding("error", "outbox", printable(text), f"move {outbox.folder} away")
    if waiting:
        text = f"{waiting} entries wait in runs/ for MLflow"
        yield Finding("note", "outbox", text, "drnsr sync, when no training runs")
    elif tracking_database().exists():
        yield Finding("ok", "outbox", "nothing waits for MLflow")
