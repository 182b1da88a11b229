"""This program as its users run it: `twistd -n reverseproxy` with a file of routes."""

import json
import os
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess
from tests.support.raw import RawClient

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

REACTOR = [f"--reactor={name}"] if (name := os.environ.get("REVERSEPROXY_REACTOR")) else []
"""Which reactor the tested proxies run on: the one they take by themselves, or the one of REVERSEPROXY_REACTOR."""


def console_script(name: str) -> str:
    """The path of a command of the environment that runs the tests."""
    path = Path(sys.executable).with_name(name)
    assert path.exists(), f"{name} is not installed beside {sys.executable}"
    return str(path)


class RunningProxy:
    """A reverse proxy in a process of its own, accepting on `port`."""

    def __init__(self, process: RunningProcess, port: int, config: Path) -> None:
        self.process = process
        self.port = port
        self.config = config

    def __repr__(self) -> str:
        return f"<reverse proxy on {self.url}, {self.process!r}>"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> str:
        return self.process.log

    def connect(self, timeout: float = 10.0) -> RawClient:
        """A raw connection to it."""
        return RawClient(self.port, timeout=timeout)

    def access_log(self) -> list[dict[str, Any]]:
        """The JSON lines of the log so far, one for each finished exchange."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


def start_proxy(
    park: ProcessPark,
    config: str,
    *options: str,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
) -> RunningProxy:
    """
    Start the proxy on `port` (one of its own when None) with the text of a configuration, and wait for it.

    The text is dedented and needs no `listen`: the port is given on the command line. `options` are
    further words after it; one that names a reactor counts more than REVERSEPROXY_REACTOR.
    """
    reactor = [word for word in options if word.startswith("--reactor=")]
    port = free_port() if port is None else port
    path = park.directory / f"routes-{port}.yaml"
    path.write_text(textwrap.dedent(config))
    process = park.start(
        console_script("twistd"),
        *(reactor or REACTOR),
        "-n",
        "--pidfile=",
        "reverseproxy",
        "--config",
        path,
        "--listen",
        f"tcp:{port}:interface={LOOPBACK}",
        *(word for word in options if word not in reactor),
        env=env,
        cwd=park.directory,
    )
    process.wait_for_port(port)
    process.wait_for_text("listening on")  # told when all doors are open, that of the admin too
    return RunningProxy(process, port, path)
