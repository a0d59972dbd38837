"""The store of MLflow's runs: a server, or a SQLite file in the project's folder."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from drnsr.atomic import temporary_folder
from drnsr.errors import UserError, network_reason, without_credentials
from drnsr.project import tracking_artifacts, tracking_database
from drnsr.verbosity import is_verbose

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Without this, MLflow reports usage to its makers when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The progress bars are for copies of a few files on one disk.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# In seconds. What cannot be delivered is tried again later, so one request is not
# repeated for minutes, as MLflow would.
_PATIENCE = 15
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_PATIENCE))
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
# The names of environment variables are nobody's business.
os.environ.setdefault("MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING", "false")

# The user's choice of a store.
URI_VARIABLE = "MLFLOW_TRACKING_URI"

_DATABASE_SERVERS = ("postgresql", "mysql", "mssql")

_IMPORTING = threading.Lock()


class TrackingError(UserError):
    """The tracking store cannot be reached."""


def project_store() -> str:
    """Return the URI of the SQLite file in the project's folder."""
    return f"sqlite:///{tracking_database()}"


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the URI of the project's own store."""
    return with_driver(os.environ.get(URI_VARIABLE) or project_store())


def with_driver(uri: str) -> str:
    """Return a URI that names psycopg2 for PostgreSQL, if it names no driver.

    Versions of SQLAlchemy differ in the one that they choose themselves.
    """
    return uri.replace("postgresql://", "postgresql+psycopg2://", 1)


def store_exists() -> bool:
    """Return whether there is a store, without making one."""
    return URI_VARIABLE in os.environ or tracking_database().is_file()


def import_mlflow() -> None:
    """Import MLflow in one thread at a time.

    Its modules import each other, so that two threads that import it at once wait for each other:
    Python then gives one of them modules that are not complete, and MLflow is lost to the process.
    """
    with _IMPORTING:
        import mlflow  # noqa: F401 (the others find it complete)


@contextmanager
def tracking_errors(uri: str | None = None) -> Iterator[None]:
    """Report in one line that a store cannot be reached or written to.

    Args:
        uri: the store; None for :func:`tracking_uri`.

    Raises:
        TrackingError: instead of what MLflow, its database or its connection raised.
    """
    import_mlflow()
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, RequestException, OSError) as error:
        reason = without_credentials(network_reason(error.__cause__ or error))
        reason = reason if len(reason) <= 200 else f"{reason[:200]}..."
        store = without_credentials(uri or tracking_uri())
        raise TrackingError(f"MLflow at {store}: {reason}") from error


def open_store(uri: str | None = None) -> "MlflowClient":
    """Return a client of the store, which is made if it does not exist yet.

    Args:
        uri: the store; None for :func:`tracking_uri`.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    import_mlflow()
    from mlflow import MlflowClient, set_tracking_uri

    if not is_verbose():
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # reports each table that it makes
    # This one also prints the traceback of what it raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    uri = with_driver(uri) if uri else tracking_uri()
    with tracking_errors(uri):
        if uri.startswith("sqlite:///"):
            _create_database(Path(uri.removeprefix("sqlite:///")))
        elif uri.startswith(_DATABASE_SERVERS):
            _check_connection(uri)
        with _restored_variable(URI_VARIABLE):
            set_tracking_uri(uri)
        return MlflowClient(uri)


def _check_connection(uri: str) -> None:
    """Connect to a database once; MLflow would try again for an hour, and say nothing.

    Raises:
        TrackingError: if its driver is not installed.
        sqlalchemy.exc.SQLAlchemyError: if it cannot be reached.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    seconds = {"connect_timeout": _PATIENCE} if uri.startswith("postgresql") else {}
    try:
        create_engine(uri, connect_args=seconds, poolclass=NullPool).connect().close()
    except ModuleNotFoundError as error:
        extra = ": pip install 'drnsr[postgresql]'" if error.name == "psycopg2" else ""
        store = without_credentials(uri)
        raise TrackingError(f"MLflow at {store}: {error.name} is not installed{extra}") from error


@contextmanager
def _restored_variable(name: str) -> Iterator[None]:
    """Restore an environment variable after the block.

    MLflow sets the one that stands for the user's choice of a store.
    """
    before = os.environ.get(name)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def experiment_name(configured: str) -> str:
    """Return ``MLFLOW_EXPERIMENT_NAME``, or else the experiment of the configuration."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or configured


def experiment_id(client: "MlflowClient", name: str) -> str:
    """Return the id of an experiment, which is made if it does not exist yet.

    Args:
        client: see :func:`open_store`.
        name: of the experiment.

    Raises:
        TrackingError: if it was deleted.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # A server decides where artifacts are kept; beside a local database it is decided here.
        local = client.tracking_uri.startswith("sqlite:///")
        artifacts = tracking_artifacts().as_uri() if local else None
        try:
            return str(client.create_experiment(name, artifact_location=artifacts))
        except MlflowException:
            # Another process made it in the meantime.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the experiment {name} was deleted in MLflow: `mlflow experiments restore"
            f" --experiment-id {found.experiment_id}` restores it; or choose another by"
            " MLFLOW_EXPERIMENT_NAME or logger.experiment"
        )
    return str(found.experiment_id)


def _create_database(path: Path) -> None:
    """Make the database if it does not exist.

    Several processes that find no database would each build its tables and leave it broken. So one
    of them makes it in a temporary folder, and renames it.
    """
    if path.exists():
        return
    from mlflow import MlflowClient

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            return
        with temporary_folder(path) as folder:
            database = folder / path.name
            MlflowClient(f"sqlite:///{database}").search_experiments(max_results=1)
            database.replace(path)
