"""A server on loopback that speaks as much of the hub's protocol as `snapshot_download` needs."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

LARGE = (".safetensors", ".pt", ".zip")
"""Kept by LFS on the hub, which lists their sha256."""


@dataclass
class Hub:
    """Repositories by ``models/owner/name`` and revision."""

    repos: dict[tuple[str, str], dict[str, bytes]]
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of each."""
    cut_after: int = 0
    """Bytes after which the first answer of a large file ends, as a lost connection does."""
    url: str = ""

    def downloaded(self) -> list[str]:
        """Names of the files that were sent, in order."""
        return [
            path.rsplit("/", 1)[1] for method, path, _ in self.requests if is_file(method, path)
        ]


def is_file(method: str, path: str) -> bool:
    return method == "GET" and "/resolve/" in path


class Handler(BaseHTTPRequestHandler):
    """Answers for the hub of its server."""

    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(send=False)

    def do_GET(self):
        self.answer(send=True)

    def answer(self, *, send: bool):
        path = unquote(self.path.partition("?")[0])
        self.hub.requests.append((self.command, path, self.headers.get("Range", "")))
        if found := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/(tree|revision)/([^/]+)/?", path):
            repo, what, revision = found.groups()
            self.listing(repo, revision, is_tree=what == "tree")
        elif found := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.file(*found.groups(), send=send)
        else:
            self.nothing("RepoNotFound")

    def listing(self, repo: str, revision: str, *, is_tree: bool):
        files = self.hub.repos.get((repo, revision))
        if files is None:
            known = any(name == repo for name, _ in self.hub.repos)
            self.nothing("RevisionNotFound" if known else "RepoNotFound")
            return
        rows = [entry(name, content) for name, content in files.items()]
        info = {"id": repo.partition("/")[2], "sha": revision}
        info["siblings"] = [{"rfilename": name} for name in files]
        body = json.dumps(rows if is_tree else info).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, repo: str, revision: str, name: str, *, send: bool):
        key = repo if repo.startswith("datasets/") else f"models/{repo}"
        content = self.hub.repos.get((key, revision), {}).get(name)
        if content is None:
            self.nothing("EntryNotFound")
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked.group(1)) if asked else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{etag(name, content)}"')
        self.send_header("X-Repo-Commit", revision)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", place)
        self.end_headers()
        if send:
            self.send(content, start, is_large=name.endswith(LARGE))

    def send(self, content: bytes, start: int, *, is_large: bool):
        cut, hub = len(content), self.hub
        if hub.cut_after and is_large and not start:
            cut, hub.cut_after = hub.cut_after, 0
            self.close_connection = True
        self.wfile.write(content[start:cut])

    def nothing(self, code: str):
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve until the block ends; ``hub.url`` is what HF_ENDPOINT wants."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = hub
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def entry(name: str, content: bytes) -> dict:
    """A row of the tree as the hub lists it."""
    row = {"type": "file", "path": name, "size": len(content), "oid": git_id(content)}
    if name.endswith(LARGE):
        digest = hashlib.sha256(content).hexdigest()
        row["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return row


def etag(name: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if name.endswith(LARGE) else git_id(content)


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
