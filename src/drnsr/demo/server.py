"""The server of the page: where it listens, what it lets in, and what it leaves behind."""

import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from signal import SIGTERM

from nicegui import app, ui
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from drnsr.demo.page import open_page
from drnsr.demo.work import MAX_BYTES
from drnsr.demo.worker import Worker
from drnsr.errors import UserError
from drnsr.signals import handle_signals
from drnsr.upscale.models import Models

_FORM = 10_000  # bytes, more than what a form adds to a file

# How long a page may be silent before it is over. It is over at once where the browser says so.
_SILENCE = 15.0


def serve(models: Mapping[str, Models], host: str, port: int) -> None:
    """Serve the page until Ctrl-C; nothing of what was uploaded is left behind.

    Args:
        models: by the names that the page shows.
        host: an address of this machine.
        port: of it; that it can be had, see :func:`check_address`.
    """
    address = f"[{host}]" if ":" in host else host
    with tempfile.TemporaryDirectory(prefix="drnsr-demo-") as folder:
        tempfile.tempdir = folder  # for what NiceGUI keeps of an upload while it comes in
        worker = Worker(models, Path(folder))
        ui.page("/")(partial(open_page, worker))
        app.add_static_files("/shown", worker.shown, max_cache_age=0)
        app.add_middleware(BodyLimit, limit=MAX_BYTES + _FORM)
        if is_loopback(host):
            # Against pages of other sites whose names were made to point to this machine.
            names = [address, "localhost", "127.0.0.1"]
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=names)
        app.on_startup(lambda: print(f"http://{address}:{port} (Ctrl-C ends it)", flush=True))
        app.on_shutdown(worker.close)
        with handle_signals(_end, [SIGTERM]), suppress(KeyboardInterrupt):  # how it is ended
            _run(host, port)


def _run(host: str, port: int) -> None:
    ui.run(
        host=host,
        port=port,
        title="drnsr",
        favicon=_ICON,
        dark=None,  # as the browser has it
        language="en-US",
        reconnect_timeout=_SILENCE,
        gzip_middleware_factory=None,  # pictures are packed already
        show=False,
        reload=False,
        tailwind=False,
        show_welcome_message=False,
        timeout_graceful_shutdown=1,
    )


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(host: str, port: int) -> None:
    """Find out whether an address can be had.

    Raises:
        UserError: it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"{host}:{port}: {error.strerror}; take another --port or --host"
        ) from error


class BodyLimit:
    """Refuses requests that are too large, before they are read.

    Args:
        app: what answers the others.
        limit: in bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        answer = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            # The server lets no more through than the header says.
            if int(headers.get("content-length", 0)) > self._limit:
                answer = PlainTextResponse("too large", status_code=413)
            elif "transfer-encoding" in headers:
                answer = PlainTextResponse("say its length", status_code=411)
        await answer(scope, receive, send)


def _end(number: int) -> None:
    sys.exit(128 + number)  # by an exception, which removes the folder


_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="3" fill="#2b6a94"/>
<path d="M3 3h4v4H3zM7 7h6v6H7z" fill="#fff"/></svg>"""
