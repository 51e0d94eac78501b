"""A hub on this machine: as much of the Hugging Face hub's protocol as its client needs.

Repositories are made, files go up as LFS objects or within the commit, and come down by revision.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = ".safetensors"


class Hub(ThreadingHTTPServer):
    """What the server was told: repositories, the files of each, and the requests in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.visible: dict[str, str] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        """Nothing: the test asserts on what was kept."""

    def do_POST(self) -> None:
        body = self._body()
        self.server.tokens.add(self.headers["Authorization"])
        path = urlsplit(self.path).path
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in self.server.files:
                return self._send(409, {"error": "exists", "url": f"{self.server.url}/{name}"})
            self.server.visible[name], self.server.files[name] = asked["visibility"], {}
            return self._send(200, {"url": f"{self.server.url}/{name}"})
        if path.endswith("/preupload/main"):
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return self._send(200, {"files": modes})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self._send(200, {"transfer": "basic", "objects": objects})
        if path.endswith("/commit/main"):
            return self._commit(_repository(path), body)
        return self._send(404, {"error": path})

    def do_PUT(self) -> None:
        oid, content = self.path.removeprefix("/lfs/"), self._body()
        if hashlib.sha256(content).hexdigest() != oid:
            return self._send(422, {"error": "another object"})
        self.server.blobs[oid] = content
        return self._send(200, {})

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        name = _repository(path)
        if name not in self.server.files:
            return self._send(404, {"error": "no such repository"}, "RepoNotFound")
        files = self.server.files[name]
        if path.startswith("/api/models/") and "/tree/" in path:
            return self._send(200, [_entry(*file) for file in files.items()])
        if path.startswith("/api/models/"):
            return self._send(200, {"id": name, "sha": _revision(files), "siblings": []})
        content = files.get(path.split("/resolve/", 1)[1].split("/", 1)[1])
        if content is None:
            return self._send(404, {"error": "no such file"}, "EntryNotFound")
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", _revision(files))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
        return None

    do_HEAD = do_GET

    def _commit(self, name: str, body: bytes) -> None:
        files = self.server.files[name]
        for line in filter(None, body.splitlines()):
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
        oid = _revision(files)
        self._send(200, {"commitUrl": f"{self.server.url}/{name}/commit/{oid}", "commitOid": oid})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, tree: object, code: str = "") -> None:
        content = json.dumps(tree).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _repository(path: str) -> str:
    """``owner/name`` of a path of the API, or of a file's address."""
    owner, name = path.removeprefix("/api/models").strip("/").split("/")[:2]
    return f"{owner}/{name.removesuffix('.git')}"


def _revision(files: dict[str, bytes]) -> str:
    """A commit's name: forty digits that say what the files are."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path, content in sorted(files.items()):
        digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def _entry(path: str, content: bytes) -> dict:
    digest = hashlib.sha256(content).hexdigest()
    entry = {"type": "file", "path": path, "size": len(content), "oid": digest[:40]}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
    return entry
