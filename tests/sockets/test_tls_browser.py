"""Chromium as the client: pages, requests of scripts, and WebSockets over https, and what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.sockets.stage import logged
from tests.sockets.test_tls import entry, run
from tests.support.authority import Authority
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess, require_program
from tests.support.proxy import RunningProxy

pytestmark = [pytest.mark.peers, pytest.mark.slow]

__all__ = ["run"]  # a fixture

# Without a network, and as root; nothing of a profile is kept, nobody is called home.
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--password-store=basic"),
)

# What it has seen goes into the path of a request, so that the access log tells.
_PAGE = """<!doctype html><title>a page</title><script>
const report = words => fetch("/report/" + words);
fetch("/data").then(answer => answer.text()).then(text => {
  const socket = new WebSocket("wss://" + location.host + "/socket");
  socket.onopen = () => socket.send("hello");
  socket.onmessage = event => report(text + "-" + event.data + "-" + isSecureContext);
  socket.onerror = () => report("no-socket");
}).catch(() => report("no-data"));
</script>
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a WebSocket server that says the same again."""

    def converse(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # when the browser is stopped
            for message in connection:
                connection.send(f"echo-{message!s}")

    with serve(converse, LOOPBACK, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(10)


class Browser(NamedTuple):
    """Chromium with a home of its own."""

    home: Path
    park: ProcessPark

    def trusts(self, ca: str) -> None:
        """Believe an authority, as somebody does who imports it."""
        store = self.home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        certutil = require_program("certutil", "libnss3-tools")
        for words in (("-N", "--empty-password"), ("-A", "-t", "C,,", "-n", "ours", "-i", ca)):
            subprocess.run([certutil, "-d", f"sql:{store}", *words], check=True, capture_output=True, timeout=30)

    def opens(self, url: str, *options: str) -> RunningProcess:
        program = require_program("chromium")
        profile = f"--user-data-dir={self.home}/profile"
        environment = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home), "PATH": os.environ["PATH"]}
        return self.park.start(program, *_OPTIONS, profile, *options, url, env=environment)

    def is_refused(self, url: str) -> str:
        """Why it does not show a page."""
        process = self.opens(url, "--dump-dom")
        process.wait_for_exit(60)
        found = re.search(r"net::(ERR_\w+)", process.log)
        assert found is not None, process.tail()
        return found[1]


@pytest.fixture
def browser(tmp_path: Path, park: ProcessPark) -> Browser:
    home = tmp_path / "home"
    home.mkdir()
    return Browser(home, park)


def pages(folder: Path, echo: int) -> str:
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text(_PAGE)
    return f"""
routes:
  - {{path: {{exact: /}}, static: {{root: {folder / "pages"}}}}}
  - {{path: /data, respond: {{status: 200, body: data}}}}
  - {{path: /report, respond: {{status: 204}}}}
  - {{path: /socket, upstream: "http://{LOOPBACK}:{echo}", upgrade: websocket}}
"""


def test_a_page_a_request_and_a_websocket(
    run: Callable[[str, int], RunningProxy], browser: Browser, echo: int, tmp_path: Path
) -> None:
    port, state = free_port(), tmp_path / "state"
    listen = f"listen: {{endpoint: 'tcp:{port}:interface={LOOPBACK}', tls: internal}}\nstate: {state}\n"
    proxy = run(listen + pages(tmp_path, echo), port)
    browser.trusts(str(state / "internal" / "root.crt"))
    chromium = browser.opens(f"https://localhost:{port}/")
    line = logged(proxy, "/report/data-echo-hello-true")
    assert (line["status"], line["scheme"]) == (204, "https")
    chromium.stop()
    socket = logged(proxy, "/socket")
    assert socket["status"] == 101


def test_what_it_refuses(
    authority: Authority, run: Callable[[str, int], RunningProxy], browser: Browser, echo: int, tmp_path: Path
) -> None:
    good = authority.issue("localhost")
    expired = authority.issue("expired.localhost", days=-1, since=-9)
    other = authority.issue("other.test")
    port = free_port()
    tls = f"tls: {{certificates: [{entry(other)}, {entry(good)}, {entry(expired)}], unknown_names: default}}"
    listen = f"listen: {{endpoint: 'tcp:{port}:interface={LOOPBACK}', {tls}}}\n"
    proxy = run(listen + pages(tmp_path, echo), port)
    assert browser.is_refused(f"https://localhost:{port}/") == "ERR_CERT_AUTHORITY_INVALID"
    browser.trusts(authority.ca)
    assert browser.is_refused(f"https://expired.localhost:{port}/") == "ERR_CERT_DATE_INVALID"
    assert browser.is_refused(f"https://wrong.localhost:{port}/") == "ERR_CERT_COMMON_NAME_INVALID"
    assert "/data" not in {line["target"] for line in proxy.access_log()}
    reasons = {(line.get("reason"), line.get("detail")) for line in proxy.access_log()}
    assert ("client.tls.handshake", "tls alert certificate unknown") in reasons
    chromium = browser.opens(f"https://localhost:{port}/")
    assert logged(proxy, "/report/data-echo-hello-true")["status"] == 204
    chromium.stop()
