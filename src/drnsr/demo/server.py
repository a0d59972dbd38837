"""The web server of the demo: its address, its limits, and the removal of all uploads."""

import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import partial
from ipaddress import ip_address
from signal import SIGTERM

from nicegui import app, ui
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from drnsr.demo.page import open_page
from drnsr.demo.pool import Pool
from drnsr.demo.protection import OwnOrigin
from drnsr.demo.session import Sessions
from drnsr.demo.tasks import MAX_BYTES
from drnsr.demo.upload_folder import upload_folder
from drnsr.errors import UserError
from drnsr.signals import handle_signals
from drnsr.upscale.models import Models

_FORM_BYTES = 10_000  # an upper limit of what the form adds to an upload

# Seconds without a connection after which a page counts as closed. Usually the browser reports it.
_RECONNECT_TIMEOUT = 15.0


def serve(models: Mapping[str, Models], host: str, port: int) -> None:
    """Serve the page until Ctrl-C or SIGTERM, then remove all uploads and results.

    Args:
        models: the models by the names that the page displays.
        host: an address of this machine.
        port: a free port; see :func:`check_address`.
    """
    address = f"[{host}]" if ":" in host else host
    scales = {name: each.scales for name, each in models.items()}
    # Ctrl-C is the usual way to stop the server.
    with handle_signals(_exit, [SIGTERM]), suppress(KeyboardInterrupt), upload_folder() as folder:
        # NiceGUI stores incomplete uploads in it, and the processes of the pool large pictures.
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        with closing(Sessions(Pool(models), folder)) as sessions:
            ui.page("/")(partial(open_page, scales, sessions))
            app.add_static_files("/public", sessions.public, max_cache_age=0)
            app.add_middleware(BodyLimit, limit=MAX_BYTES + _FORM_BYTES)
            names = [host, "localhost", "127.0.0.1", "::1"] if is_loopback(host) else None
            app.add_middleware(OwnOrigin, hosts=names)
            app.on_startup(lambda: print(f"http://{address}:{port} (Ctrl-C ends it)", flush=True))
            app.on_shutdown(sessions.close)
            _run(host, port)


def _run(host: str, port: int) -> None:
    ui.run(
        host=host,
        port=port,
        title="drnsr",
        favicon=_ICON,
        dark=None,  # the setting of the browser
        language="en-US",
        reconnect_timeout=_RECONNECT_TIMEOUT,
        gzip_middleware_factory=None,  # pictures are compressed already
        show=False,
        reload=False,
        tailwind=False,
        show_welcome_message=False,
        timeout_graceful_shutdown=1,
    )


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(host: str, port: int) -> None:
    """Check that the server can listen on an address.

    Raises:
        UserError: it cannot, for example because the port is in use.
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
    """ASGI middleware that rejects requests that are too large before they are read.

    Args:
        app: the application that answers the other requests.
        limit: of the body in bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        handler = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            # The server does not pass on more bytes than the header states.
            if int(headers.get("content-length", 0)) > self._limit:
                handler = PlainTextResponse("too large", status_code=413)
            elif "transfer-encoding" in headers:
                handler = PlainTextResponse("say its length", status_code=411)
        await handler(scope, receive, send)


def _exit(number: int) -> None:
    sys.exit(128 + number)  # an exception, so that the folder is removed


_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect width="16" height="16" rx="3" fill="#2b6a94"/>
<path d="M3 3h4v4H3zM7 7h6v6H7z" fill="#fff"/></svg>"""
