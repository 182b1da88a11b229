"""Real servers on loopback that say their names, and do what a test tells them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.ports import LOOPBACK
from tests.support.proxy import RunningProxy


class Origin:
    """A server that says its name, and does what the test has told it.

    @ivar status: of every answer.
    @ivar health: of the answers to probes.
    @ivar ready: what these say in the field `X-Ready`; nothing where None.
    @ivar delay: seconds before each answer.
    @ivar gate: what is asked for below /hold is answered once it is set.
    @ivar seen: targets of the requests that came, probes aside.
    """

    def __init__(self, name: str, host: str = LOOPBACK, port: int = 0) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.status = 200
        self.health = 200
        self.ready: str | None = None
        self.delay = 0.0
        self.gate = threading.Event()
        self.seen: list[str] = []
        self.cookies: list[str | None] = []
        self._server: ThreadingHTTPServer | None = None
        self._connections: list[socket.socket] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        origin = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                probe = self.path == "/healthz"
                if not probe:
                    origin.seen.append(self.path)
                    origin.cookies.append(self.headers.get("Cookie"))
                    time.sleep(origin.delay)
                    if self.path.startswith("/hold"):
                        origin.gate.wait(10.0)
                body = origin.name.encode()
                with contextlib.suppress(OSError):
                    self.send_response(origin.health if probe else origin.status)
                    self.send_header("Content-Length", str(len(body)))
                    if probe and origin.ready is not None:
                        self.send_header("X-Ready", origin.ready)
                    if self.path == "/login":
                        self.send_header("Set-Cookie", f"sid=x{len(origin.seen)}.{origin.name}; Path=/; HttpOnly")
                    self.end_headers()
                    self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def process_request(self, request: Any, client_address: Any) -> None:
                origin._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None:
                """The proxy hangs up on whom it does not need."""

        self._server = Server((self.host, self.port), Answering)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """It dies: nobody listens there any more, and its connections close."""
        self.gate.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()


def answers(proxy: RunningProxy, count: int, path: bytes = b"/", *fields: bytes) -> list[str]:
    """Who answers each of so many requests, one after the other."""
    names = []
    with proxy.connect() as client:
        for number in range(count):
            answer = client.get(b"%b%d" % (path, number), *fields)
            assert answer.status == 200, answer
            names.append(answer.body.decode())
    return names


def asked(proxy: RunningProxy, count: int, path: bytes = b"/") -> Counter[str]:
    """Who answers how many of so many requests."""
    return Counter(answers(proxy, count, path))
