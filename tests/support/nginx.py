"""Debian's nginx as an upstream that nobody of this project wrote."""

import os
from pathlib import Path

from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess, require_program

# One process without a master: its memory and CPU time are then those of the whole server.
_CONFIGURATION = """\
{user}
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 4096; }}
http {{
    access_log {directory}/access.log combined;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    types {{ text/html html; text/plain txt; }}
    server {{
        listen {host}:{port} backlog=4096;
        root {root};
{server}
    }}
}}
"""

# What a test of forwarding asks an origin most often.
DEFAULT_SERVER = """\
        location = / { default_type text/plain; return 200 "hello from nginx\\n"; }
        location = /host { default_type text/plain; return 200 "$http_host\\n"; }
        location = /forwarded {
            default_type text/plain;
            set $for "for=$http_x_forwarded_for proto=$http_x_forwarded_proto";
            return 200 "$for host=$http_x_forwarded_host via=$http_via\\n";
        }
        location = /no-content { return 204; }
        location = /not-found { return 404; }
        location /upload { client_max_body_size 0; return 200 "taken\\n"; }
"""


class Nginx:
    """A running nginx; files put into `root` are served, and requests appear in `access_log`."""

    def __init__(self, process: RunningProcess, port: int, root: Path, access_log: Path) -> None:
        self.process = process
        self.port = port
        self.root = root
        self.access_log = access_log

    def __repr__(self) -> str:
        return f"<nginx on {self.url}>"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def put(self, name: str, content: bytes) -> str:
        """Serve `content` at `/name`; returns that path."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return f"/{name}"

    def put_sparse(self, name: str, size: int) -> str:
        """Serve `size` zero bytes at `/name` without filling the disk; returns that path."""
        with (self.root / name).open("wb") as target:
            target.truncate(size)
        return f"/{name}"


def start_nginx(park: ProcessPark, server: str = DEFAULT_SERVER, port: int | None = None) -> Nginx:
    """
    Start nginx with the text of one `server` block and wait until it accepts.

    Skips the test where nginx is missing.
    """
    program = require_program("nginx", "nginx-light")
    port = free_port() if port is None else port
    directory = park.directory / f"nginx-{port}"
    root = directory / "root"
    root.mkdir(parents=True)
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            # As root, a worker of another user could not read the folder of the test.
            user="user root;" if os.geteuid() == 0 else "",
            directory=directory,
            root=root,
            host=LOOPBACK,
            port=port,
            server=server,
        )
    )
    process = park.start(program, "-p", directory, "-c", configuration, "-e", "stderr")
    process.wait_for_port(port)
    return Nginx(process, port, root, directory / "access.log")
