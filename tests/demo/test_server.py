"""The server: its address, and requests that it rejects."""

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse

from drnsr.demo.server import BodyLimit, check_address, is_loopback
from drnsr.errors import UserError


def test_a_port_that_is_in_use_is_an_error():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"^127\.0\.0\.1:{port}: .+; take another --port"):
            check_address("127.0.0.1", port)
    check_address("127.0.0.1", port)


def test_an_address_of_another_machine_is_an_error():
    # TEST-NET-1 (RFC 5737) belongs to no machine.
    with pytest.raises(UserError, match=r"^192\.0\.2\.1:7860: .+ or --host"):
        check_address("192.0.2.1", 7860)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("gpu.example.org", False),
    ],
)
def test_is_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": "100"}, 200),
        ({"content-length": "101"}, 413),
        ({"transfer-encoding": "chunked"}, 411),
        ({}, 200),
    ],
)
def test_requests_that_are_too_large_are_rejected(headers, status):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(BodyLimit(PlainTextResponse("accepted"), limit=100)(scope, None, send))
    assert sent[0]["status"] == status
