"""A small Hub on this machine: the routes that reading a data set needs, over real HTTP."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COMMIT = "a" * 40
Files = dict[str, bytes]


@contextmanager
def hub(repositories: dict[str, Files]) -> Iterator[str]:
    """The address of a Hub that has these data sets: id -> path -> content."""

    class Handler(_Hub):
        sets = repositories

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sets: dict[str, Files] = {}  # noqa: RUF012

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def _route(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.unquote(self.path.split("?")[0])
        for name, files in self.sets.items():
            about = re.fullmatch(rf"/api/datasets/{name}(?:/revision/[^/]+)?", path)
            tree = re.fullmatch(rf"/api/datasets/{name}/tree/[^/]+(?:/(.*))?", path)
            asked = re.fullmatch(rf"/api/datasets/{name}/paths-info/[^/]+", path)
            file = re.fullmatch(rf"/datasets/{name}/resolve/[^/]+/(.*)", path)
            if about:
                return self._json(_about(name, files))
            if tree:
                return self._json(_listed(files, (tree[1] or "").strip("/")))
            if asked:
                wanted = json.loads(body).get("paths", []) if body.startswith(b"{") else []
                return self._json([_entry(one, files[one]) for one in wanted if one in files])
            if file and file[1] in files:
                return self._file(files[file[1]])
            if file:
                return self._json({"error": "no such file"}, 404, {"X-Error-Code": "EntryNotFound"})
        code = {"X-Error-Code": "RepoNotFound"} if "datasets/" in path else {}
        return self._json({"error": "not found"}, 404, code)

    def _file(self, content: bytes) -> None:
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            return self._send(content, 200, headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self._send(content[first : last + 1], 206, headers)

    def _json(self, value: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), code, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, body: bytes, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _listed(files: Files, folder: str) -> list[dict[str, Any]]:
    """What lies directly in a folder: its files and its folders."""
    inside = {path.removeprefix(folder).strip("/"): path for path in files if path.startswith(folder)}
    folders = {path.split("/")[0] for path in inside if "/" in path}
    found = [_entry(path, files[path]) for name, path in inside.items() if "/" not in name]
    return found + [{"type": "directory", "path": f"{folder}/{one}".strip("/"), "oid": "b" * 40} for one in folders]


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _about(name: str, files: Files) -> dict[str, Any]:
    return {
        "id": name, "_id": "0" * 24, "sha": COMMIT, "private": False, "gated": False, "disabled": False,
        "downloads": 0, "likes": 0, "tags": [], "lastModified": "2024-01-01T00:00:00.000Z",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "siblings": [{"rfilename": path, "size": len(content)} for path, content in files.items()],
    }  # fmt: skip
