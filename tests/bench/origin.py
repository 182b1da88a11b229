"""The upstream of every proxy: nginx with fixed bodies, and a WebSocket server that echoes."""

import http.client
import os
import re
import sys
from pathlib import Path

from tests.bench.install import find_program
from tests.bench.machine import LOOPBACK, BenchError, Program

BODIES = {"0b": 0, "1k": 1024, "64k": 64 * 1024, "10m": 10 * 1024 * 1024}
POST_ANSWER = "taken"
"""What `POST /post` is answered with, after the whole body was read."""

# `return` alone would answer before the body has come, and early answers are a test of their own. Mirroring makes
# nginx read the body first; the static module then refuses the POST, and error_page turns that into the answer.
_CONFIGURATION = """\
{user}
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events {{ worker_connections 30000; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16;
    open_file_cache_valid 600s;
    server {{
        listen {host}:{port} backlog=4096;
        root {directory};
        location /status {{ stub_status; }}
        location ~ /0b$ {{ return 200 ""; }}
        location ~ /1k$ {{ return 200 "{kibibyte}"; }}
        location ~ /64k$ {{ try_files /64k =404; }}
        location ~ /10m$ {{ try_files /10m =404; }}
        location ~ /post$ {{
            client_body_buffer_size 64k;
            mirror /sink;
            error_page 405 =200 /taken;
            try_files /0b =404;
        }}
        location = /sink {{ internal; return 204; }}
        location = /taken {{ internal; return 200 "{post_answer}"; }}
    }}
}}
"""


class HttpOrigin:
    """The nginx that serves the bodies; it counts what reaches it."""

    def __init__(self, directory: Path, port: int, core: int) -> None:
        program = find_program("nginx")
        if program is None:
            raise BenchError("no nginx: it is the origin of every row (Debian: nginx-light)")
        directory.mkdir(parents=True)
        for name, size in BODIES.items():
            (directory / name).write_bytes(b"x" * size)
        configuration = directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                # As root, a worker of another user could not read the folder.
                user="user root;" if os.geteuid() == 0 else "",
                directory=directory,
                host=LOOPBACK,
                port=port,
                kibibyte="x" * BODIES["1k"],
                post_answer=POST_ANSWER,
            )
        )
        self.port = port
        self._asked = 0
        self.program = Program([program, "-p", directory, "-c", configuration], core, directory / "out.log")
        self.program.wait_for_port(port)

    def requests(self) -> int:
        """How many requests it has served, the calls of this method left out."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/status", headers={"Connection": "close"})
            text = connection.getresponse().read().decode("ascii")
        finally:
            connection.close()
        self._asked += 1
        return parse_stub_status(text) - self._asked

    def stop(self) -> None:
        self.program.stop()


def parse_stub_status(text: str) -> int:
    """The number of requests since the start in nginx's stub_status page."""
    found = re.search(r"^ \d+ \d+ (\d+) $", text, re.MULTILINE)
    if found is None:
        raise BenchError(f"not a stub_status page: {text!r}")
    return int(found[1])


class WebSocketOrigin:
    """The echo server, a Python program on uvloop."""

    def __init__(self, directory: Path, port: int, core: int) -> None:
        directory.mkdir(parents=True)
        script = Path(__file__).with_name("scripts") / "websocket_origin.py"
        self.port = port
        self.program = Program([sys.executable, script, str(port)], core, directory / "out.log")
        self.program.wait_for_port(port)

    def stop(self) -> None:
        self.program.stop()
