import errno
import os
import socket
import subprocess
import sys

import pytest
import requests

from drnsr.errors import SignalError, UserError, exit_on_error, network_reason, printable
from tests.conftest import free_port


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("a.png: not a picture"), 1, "a.png: not a picture"),
        (SignalError("SIGTERM after step 4", 15), 143, "SIGTERM after step 4"),
        (KeyboardInterrupt(), 130, "ended by Ctrl-C"),
        (OSError(13, "Permission denied", "a.png"), 1, "a.png: Permission denied"),
        (
            OSError(28, "No space left on device", "/a.png"),
            1,
            "/a.png: No space left on device: free some of the disk at /, and run the same"
            " command again",
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_that_the_user_can_correct_is_one_line(error, code, message, capsys):
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise error
    if isinstance(caught.value.code, str):  # which Python prints, and exits with 1
        assert (caught.value.code, code) == (f"error: {message}", 1)
    else:
        assert caught.value.code == code
        assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize("error", [ValueError("a defect"), OSError(32, "Broken pipe")])
def test_a_defect_keeps_its_traceback(error):
    with pytest.raises(type(error)) as caught, exit_on_error():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:s3cret@host:5000/a",
        "https://s3cret@host",
        "postgresql://me:s3/cret@host/db",
        "mysql+pymysql://me:s3@cret@host/db",
        "https://host/a?user=me&access_token=s3cret",
        "https://host/a?X-Amz-Signature=s3cret#end",
    ],
)
def test_credentials_of_a_uri_are_not_printed(uri):
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise UserError(f"{uri}: no answer from '{uri}'")
    assert "s3" not in caught.value.code
    assert "cret" not in caught.value.code
    assert caught.value.code.count("***") == 2
    assert "host" in caught.value.code


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////home/me@work/mlflow.db",
        "https://host:8080/a@1.0.zip",
        "wheel://scikit-image/data/a@b.png",
        "error at https://host: me@work",
        "https://host/a?page=2",
    ],
)
def test_a_uri_without_credentials_is_printed_as_it_is(uri):
    assert printable(uri) == uri


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_has_enough_ends_the_program_without_a_word(buffered):
    program = (
        "from drnsr.errors import exit_on_error\n"
        "with exit_on_error():\n"
        "    for number in range(100_000): print(number)\n"
    )
    ended = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": buffered},
    )
    ended.stdout.readline()
    ended.stdout.close()
    assert ended.stderr.read() == b""
    assert ended.wait() == 141
    ended.stderr.close()


def test_why_a_server_cannot_be_reached_is_in_the_words_of_the_system():
    with pytest.raises(requests.RequestException) as refused:
        requests.get(f"http://127.0.0.1:{free_port()}", timeout=5)
    assert network_reason(refused.value) == os.strerror(errno.ECONNREFUSED)
    with pytest.raises(requests.RequestException) as unknown:
        requests.get("http://no.such.host.invalid", timeout=5)
    assert network_reason(unknown.value) == "its name is not known"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(requests.RequestException) as late:
            requests.get(address, timeout=0.1)
    assert "timed out" in network_reason(late.value)
    assert network_reason(ValueError("some\nother")) == "some other"
