"""What the server lets in."""

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse

from drnsr.demo.server import BodyLimit, check_address, is_loopback
from drnsr.errors import UserError


def test_a_port_that_is_taken_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"^127\.0\.0\.1:{port}: .+; take another --port"):
            check_address("127.0.0.1", port)
    check_address("127.0.0.1", port)


def test_a_host_that_is_not_here_is_told():
    # TEST-NET-1 (RFC 5737), which no machine has.
    with pytest.raises(UserError, match=r"^192\.0\.2\.1:7860: .+ or --host"):
        check_address("192.0.2.1", 7860)


@pytest.mark.parametrize(
    ("host", "alone"),
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
def test_who_can_reach_an_address(host, alone):
    assert is_loopback(host) is alone


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": "100"}, 200),
        ({"content-length": "101"}, 413),
        ({"transfer-encoding": "chunked"}, 411),
        ({}, 200),
    ],
)
def test_requests_that_are_too_large_are_refused(headers, status):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(BodyLimit(PlainTextResponse("taken"), limit=100)(scope, None, send))
    assert sent[0]["status"] == status
