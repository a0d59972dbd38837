"""Real services on the loopback address: MLflow's server, PostgreSQL, and one that speaks S3."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from mlflow import MlflowClient

from tests.conftest import free_port

# What the S3 server of the tests takes for an account; any will do.
S3_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "someone",
    "AWS_SECRET_ACCESS_KEY": "anything",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def wait_until(happened: Callable[[], object], seconds: float = 120) -> None:
    """Wait until a condition holds; an exception counts as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if happened():
                return
        except Exception as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s") from error
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def mlflow_server(
    port: int, store: str, artifacts: str, variables: dict[str, str] | None = None
) -> Iterator[None]:
    """A real MLflow server, which is killed at the end as by `kill -9`."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    places = ["--backend-store-uri", store, "--artifacts-destination", artifacts]
    process = subprocess.Popen(
        [*command, *places, "--port", str(port)],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(variables or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    client = MlflowClient(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        assert process.poll() is None, "the server ended"
        client.search_experiments()
        return True

    try:
        wait_until(answers)
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server with an empty database; its URI."""
    psycopg2 = pytest.importorskip("psycopg2")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parts[-2])
    programs = os.pathsep.join([os.environ["PATH"], *map(str, reversed(installed))])
    found = [shutil.which(name, path=programs) for name in ("initdb", "postgres")]
    if None in found:
        pytest.skip("no PostgreSQL here")
    initdb, postgres = map(str, found)
    # It refuses to run as root.
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    port = free_port()
    uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user["user"], user["group"])
        data = Path(folder) / "data"
        make = [initdb, "-D", str(data), "-U", "mlflow", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*make, "--no-locale"], check=True, capture_output=True, cwd="/", **user)
        options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        process = subprocess.Popen(
            [postgres, "-D", str(data), "-p", str(port)]
            + [argument for option in options for argument in ("-c", option)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **user,
        )
        try:
            wait_until(lambda: psycopg2.connect(uri.replace("+psycopg2", "")).close() is None)
            yield uri
        finally:
            process.terminate()
            process.wait()


@contextmanager
def s3_bucket(name: str) -> Iterator[str]:
    """A server that speaks S3, with one empty bucket; its URL. It keeps everything in memory."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        # Its memory is that of the process, in which another test may have had a server.
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=S3_ACCOUNT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=S3_ACCOUNT["AWS_SECRET_ACCESS_KEY"],
            region_name=S3_ACCOUNT["AWS_DEFAULT_REGION"],
        )
        client.create_bucket(Bucket=name)
        yield url
    finally:
        server.stop()
