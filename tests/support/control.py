"""The control site of a running proxy, asked over its UNIX socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, target: str, value: Any = None) -> tuple[int, Any]:
    """The status and the JSON value that the site at the socket `path` answers."""
    connection = _Connection(path)
    try:
        body = json.dumps(value) if method == "POST" else None
        connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
