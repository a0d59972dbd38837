"""A local web server with scripted failures."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Behaviour = Callable[[BaseHTTPRequestHandler, bytes], None]


class Server:
    """Serves ``files``; the next behaviour in ``script[path]`` answers instead, while there is one.

    ``requests`` lists the path and the header Range of what was asked.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.script: dict[str, list[Behaviour]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.released = threading.Event()  # ends the stalls
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append((self.path, self.headers["Range"]))
                planned = server.script.get(self.path)
                if planned:
                    planned.pop(0)(self, server.files.get(self.path, b""))
                elif self.path in server.files:
                    serve_ranges(self, server.files[self.path])
                else:
                    send(self, 404, b"")

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def stalls(self, count: int) -> Behaviour:
        """Send ``count`` bytes and no more."""

        def behave(handler: BaseHTTPRequestHandler, content: bytes) -> None:
            send(handler, 200, content[:count], length=len(content))
            handler.wfile.flush()
            self.released.wait(30)

        return behave


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    length: int | None = None,
    **headers: str,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def serve_ranges(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    if handler.headers["Range"] is None:
        return send(handler, 200, content)
    start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
    if start >= len(content):
        return send(handler, 416, b"", Content_Range=f"bytes */{len(content)}")
    where = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return send(handler, 206, content[start:], Content_Range=where)


def ignores_ranges(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, 200, content)


def answers(status: int, **headers: str) -> Behaviour:
    return lambda handler, _: send(handler, status, b"an error page", **headers)


def breaks_off(count: int) -> Behaviour:
    """Close the connection after ``count`` bytes of the whole file."""
    return lambda handler, content: send(handler, 200, content[:count], length=len(content))


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()
