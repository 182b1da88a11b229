"""The program as people start and stop it: on the console, as a daemon, with mistakes, in the middle of a download."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sockets.stage import OK, Stage, eventually
from tests.support.origin import OriginConnection, answering
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import RunningProcess
from tests.support.proxy import REACTOR, RunningProxy, console_script
from tests.support.raw import RawClient

HELLO = "routes: [{respond: {body: hello}}]\n"


def twistd(folder: Path, *words: str, daemon: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `twistd` until it ends, or has gone into the background."""
    front = ["--pidfile=twistd.pid", "--logfile=twistd.log"] if daemon else ["-n", "--pidfile="]
    command = [console_script("twistd"), *REACTOR, *front, "reverseproxy", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_it_says_what_listens_where_and_which_reactor_runs(run_proxy: Callable[..., RunningProxy]) -> None:
    proxy = run_proxy(HELLO)
    match = proxy.process.wait_for_text(rf"listening on 127\.0\.0\.1:{proxy.port}, (\w+Reactor)")
    assert match[1]
    with proxy.connect() as client:
        assert client.get(b"/").body == b"hello"


def test_listen_replaces_what_the_configuration_says(tmp_path: Path, run_proxy: Callable[..., RunningProxy]) -> None:
    second, path = free_port(), tmp_path / "socket"
    proxy = run_proxy(
        f"listen: tcp:{free_port()}\n" + HELLO, "--listen", f"tcp:{second}:interface=127.0.0.1", "-l", f"unix:{path}"
    )
    for port in (proxy.port, second):
        with RawClient(port) as client:
            assert client.get(b"/").body == b"hello"
    eventually(path.exists)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert client.recv(4096).endswith(b"hello")


@pytest.mark.parametrize("daemon", [False, True])
@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, r"no-such-file\.yaml: .*"),
        ("routes: [{upstream: nobody}]\n", r"routes\.yaml:1:21: error: .*nobody.*"),
        ("routes: [\n", r"routes\.yaml:\d+:\d+: error: .*"),
        ("", r"routes\.yaml:.*error: .*"),
        ("routes: [{app: 'resource:no_such_module:x'}]\n", r".*no_such_module.*"),
        ("access_log: /no/such/folder/log\n" + HELLO, r".*/no/such/folder/log.*No such file.*"),
    ],
)
def test_a_configuration_that_does_not_work_is_told_on_the_console(
    tmp_path: Path, config: str | None, words: str, daemon: bool
) -> None:
    path = tmp_path / ("no-such-file.yaml" if config is None else "routes.yaml")
    if config is not None:
        path.write_text(config)
    done = twistd(tmp_path, "--config", str(path), "--listen", f"tcp:{free_port()}:interface=127.0.0.1", daemon=daemon)
    assert done.returncode == 1, done
    assert re.search(words, done.stdout + done.stderr), done
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("daemon", [False, True])
def test_a_port_that_is_taken_is_told_on_the_console(tmp_path: Path, taken_port: int, daemon: bool) -> None:
    (tmp_path / "routes.yaml").write_text(HELLO)
    done = twistd(
        tmp_path, "--config", "routes.yaml", "--listen", f"tcp:{taken_port}:interface=127.0.0.1", daemon=daemon
    )
    assert done.returncode == 1, done
    assert f"cannot listen on tcp:{taken_port}:interface=127.0.0.1: Address already in use" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    eventually(lambda: not (tmp_path / "twistd.pid").exists())  # the daemon says why, then leaves


def test_an_endpoint_that_is_none_is_told_on_the_console(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(HELLO)
    done = twistd(tmp_path, "--config", "routes.yaml", "--listen", "carrier-pigeon:1")
    assert done.returncode == 1, done
    assert "--listen" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_daemon_serves_and_stops(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "routes.yaml").write_text("access_log: access.log\n" + HELLO)
    done = twistd(tmp_path, "--config", "routes.yaml", "--listen", f"tcp:{port}:interface=127.0.0.1", daemon=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    pid = int((tmp_path / "twistd.pid").read_text())
    try:

        def serves() -> bool:
            with contextlib.suppress(OSError), RawClient(port) as client:
                return client.get(b"/").body == b"hello"
            return False

        eventually(serves)
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not (tmp_path / "twistd.pid").exists())
    assert '"status":200' in (tmp_path / "access.log").read_text()
    log = (tmp_path / "twistd.log").read_text()
    assert f"listening on 127.0.0.1:{port}" in log
    assert "Traceback" not in log


def refuses(proxy: RunningProxy) -> bool:
    try:
        proxy.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # it stood in the queue of the listener when that was closed
    return False


def ended_by(process: RunningProcess, number: signal.Signals) -> bool:
    """Whether the program has ended in order: `twistd` then sends itself the signal that it was ended by."""
    code = process.wait_for_exit(10)
    return code in (0, -number) and "Server Shut Down" in process.log


def test_a_download_ends_before_the_program_does(run_proxy: Callable[..., RunningProxy], stage: Stage) -> None:
    size, waiting = 3_000_000, threading.Event()

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        waiting.wait(5)
        connection.send(b"x" * size)

    stage.play(converse)
    proxy = run_proxy(f"routes: [{{upstream: 'http://{LOOPBACK}:{stage.port}'}}]\n")
    with proxy.connect() as idle, proxy.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        proxy.process.send_signal(signal.SIGTERM)
        assert idle.is_closed(), "an idle connection is closed at once"
        eventually(lambda: refuses(proxy))
        assert proxy.process.running
        waiting.set()
        assert client.read_exactly(size) == b"x" * size
        assert client.is_closed()
    assert ended_by(proxy.process, signal.SIGTERM)
    assert [line["bytes_out"] for line in proxy.access_log()] == [size]


def test_a_request_under_way_is_answered_with_close(run_proxy: Callable[..., RunningProxy], stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        time.sleep(0.5)
        connection.send(OK)

    stage.play(converse)
    proxy = run_proxy(f"routes: [{{upstream: 'http://{LOOPBACK}:{stage.port}'}}]\n")
    with proxy.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: stage.received)
        proxy.process.send_signal(signal.SIGTERM)
        answer = client.read_answer()
        assert (answer.body, answer.field(b"connection")) == (b"ok", b"close")
        assert client.is_closed()
    assert ended_by(proxy.process, signal.SIGTERM)


def test_a_stop_with_nothing_to_do_takes_no_time(run_proxy: Callable[..., RunningProxy], stage: Stage) -> None:
    stage.play(answering(OK))
    proxy = run_proxy(f"routes: [{{upstream: 'http://{LOOPBACK}:{stage.port}'}}]\n")
    with proxy.connect() as client:
        client.get(b"/")
        began = time.monotonic()
        proxy.process.send_signal(signal.SIGTERM)
        assert ended_by(proxy.process, signal.SIGTERM)
        assert time.monotonic() - began < 2


def test_without_a_configuration_there_is_a_demo(tmp_path: Path, run_proxy: Callable[..., RunningProxy]) -> None:
    """`make run` on a clean machine: two servers answer in turn."""
    text = (Path(__file__).resolve().parents[2] / "config" / "routes.yaml").read_text()
    proxy = run_proxy(text)
    with proxy.connect() as client:
        served = {client.get(b"/").field(b"x-served-by") for _ in range(4)}
        assert served == {b"demo-1", b"demo-2"}
        page = client.get(b"/x?y='b'", b"Accept: text/html", b"X-Odd: <script>").body
        assert b"<script>" not in page
        assert client.get(b"/api/x").body.splitlines()[3].endswith(b"GET /x")
        assert client.get(b"/hello").status == 200
