"""The server: its address, and requests that it rejects."""

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse

from drnsr.demo.protection import OwnOrigin
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


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("host", "origin", "accepted"),
    [
        ("127.0.0.1:7860", None, True),
        ("127.0.0.1:7860", "http://127.0.0.1:7860", True),
        ("localhost:7860", "http://localhost:7860", True),
        ("[::1]:7860", "http://[::1]:7860", True),
        ("127.0.0.1:7860", "http://evil.example", False),
        ("127.0.0.1:7860", "http://127.0.0.1:8000", False),
        ("127.0.0.1:7860", "null", False),
        ("evil.example:7860", "http://evil.example:7860", False),
        ("[", None, False),
    ],
)
def test_only_the_page_itself_is_answered(kind, host, origin, accepted):
    sent, reached = [], []

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        reached.append(scope)
        if kind == "http":  # as socket.io answers
            allowed = {"Access-Control-Allow-Origin": str(origin)}
            await PlainTextResponse("accepted", headers=allowed)(scope, receive, send)

    headers = [("host", host)] + ([("origin", origin)] if origin else [])
    scope = {
        "type": kind,
        "method": "GET",
        "headers": [(k.encode(), v.encode()) for k, v in headers],
    }
    hosts = ["127.0.0.1", "localhost", "::1"]
    asyncio.run(OwnOrigin(application, hosts)(scope, None, send))
    assert bool(reached) == accepted
    if kind == "websocket":
        assert [message["type"] for message in sent] == ([] if accepted else ["websocket.close"])
        return
    assert sent[0]["status"] == (200 if accepted else 403)
    names = {name.lower() for name, _ in sent[0]["headers"]}
    assert b"access-control-allow-origin" not in names
    if accepted:
        assert names >= {b"x-frame-options", b"content-security-policy"}
