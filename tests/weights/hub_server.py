"""A server that speaks the part of the Hugging Face Hub's API that models need.

The answers follow huggingface_hub's own client: `file_download.py`, `_commit_api.py` and `lfs.py`.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

TOKEN = "hf_anything"


@dataclass
class Repository:
    """A repository: the files of each commit, the newest last."""

    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    private: bool = False
    gated: bool = False

    def files(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and files of a revision."""
        if revision == "main" and self.commits:
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def commit(self, files: dict[str, bytes]) -> str:
        """Add a commit with other contents of some files."""
        before = self.commits[-1][1] if self.commits else {}
        commit = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits.append((commit, before | files))
        return commit


@dataclass
class Hub:
    """The server, to be looked at and prepared by a test."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    status: int | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, content: object, status: int = 200) -> None:
        self._answer(status, json.dumps(content).encode(), Content_Type="application/json")

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append((self.command, self.path))
        self.hub.agents.add(self.headers.get("User-Agent", ""))
        authorized = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if self.hub.status is not None:
            return self._answer(self.hub.status)
        if self.command in ("HEAD", "GET"):
            return self._resolve(authorized)
        if self.path.startswith("/lfs/"):  # a signed URL
            self.hub.objects[self.path.removeprefix("/lfs/")] = body
            return self._answer(200)
        if self.path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if not authorized:
            return self._json({"error": "Invalid username or password."}, 401)
        return self._write(body)

    do_HEAD = do_GET = do_POST = do_PUT = _handle  # noqa: N815

    def _resolve(self, authorized: bool) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        repository = self.hub.repositories.get(found[1]) if found else None
        if repository is None or (repository.private and not authorized):
            return self._answer(404 if authorized else 401, X_Error_Code="RepoNotFound")
        if repository.gated:
            return self._answer(403, X_Error_Code="GatedRepo")
        at = repository.files(found[2])
        if at is None:
            return self._answer(404, X_Error_Code="RevisionNotFound")
        commit, files = at
        if found[3] not in files:
            return self._answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        content = files[found[3]]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self._answer(200, content, X_Repo_Commit=commit, ETag=etag)

    def _write(self, body: bytes) -> None:
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if asked["organization"] != "me":
                return self._json({"error": "you cannot write there"}, 403)
            exists = name in self.hub.repositories
            private = asked.get("visibility") == "private"
            self.hub.repositories.setdefault(name, Repository(private=private))
            return self._json({"url": f"{self.hub.url}/{name}"}, 409 if exists else 200)
        if found := re.fullmatch(r"/api/models/(.+)/preupload/main", self.path):
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return self._json({"files": modes})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            return self._json({"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            files = {}
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.hub.objects[value["oid"]]
            commit = self.hub.repositories[found[1]].commit(files)
            url = f"{self.hub.url}/{found[1]}/commit/{commit}"
            return self._json({"success": True, "commitOid": commit, "commitUrl": url})
        return self._answer(404)


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Serve an empty Hub on the loopback address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def reached_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty Hub that this process reaches, and an empty cache; the client reads its variables
    at import.
    """
    from huggingface_hub import constants

    with hub_server() as hub:
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        for name, value in {
            "ENDPOINT": hub.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(cache),
            "HF_TOKEN_PATH": str(cache.with_name("no-token")),
            "HF_HUB_DISABLE_XET": True,
        }.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub
