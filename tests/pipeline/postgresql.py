"""A PostgreSQL server of the test's own, on the loopback address."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port

PASSWORD = "not-to-be-printed"


def binaries() -> Path | None:
    """The folder of the newest installed server; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def served() -> Iterator[str]:
    """Yield the URL of a server, with its password; as root, it is run by the user `postgres`."""
    folder = Path(tempfile.mkdtemp())
    binary, port, user = binaries(), free_port(), []
    assert binary is not None
    (folder / "password").write_text(PASSWORD)
    if os.getuid() == 0:
        user = ["runuser", "-u", "postgres", "--"]
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")

    def call(program: str, *arguments: str) -> None:
        command = [*user, str(binary / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        call("initdb", "-U", "owner", "-A", "scram-sha-256", "--pwfile", str(folder / "password"))
        listens = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", listens, "start")
        try:
            yield f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
