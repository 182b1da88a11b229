"""A development server behind a path prefix: Vite, whose pages, modules and live updates all pass through the proxy."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websockets
from websockets.typing import Subprotocol

from tests.sockets.stage import eventually
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy
from tests.support.raw import RawClient

VERSION = "5.4.21"

# Vite answers only under names that it knows.
HOST = b"Host: localhost"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(module_park: ProcessPark) -> Iterator[Path]:
    """The folder of a site with Vite in it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: Vite cannot be installed")
    folder = module_park.directory / "site"
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    command = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--silent", f"vite@{VERSION}"]
    try:
        subprocess.run(command, cwd=folder, capture_output=True, timeout=90, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"Vite cannot be installed here: {error}")
    (folder / "index.html").write_text('<script type="module" src="/main.js"></script>')
    (folder / "main.js").write_text("import.meta.hot.accept(); console.log('first')\n")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], module_park: ProcessPark, site: Path) -> RunningProxy:
    port = free_port()
    vite = module_park.start(
        site / "node_modules" / ".bin" / "vite",
        "--base=/dev/", f"--port={port}", "--strictPort", f"--host={LOOPBACK}",
        cwd=site,
    )  # fmt: skip
    vite.wait_for_port(port)
    return serve(f"routes: [{{path: /dev, upstream: 'http://{LOOPBACK}:{port}'}}]\n")


def test_pages_and_modules(proxy: RunningProxy) -> None:
    with RawClient(proxy.port, timeout=30) as client:
        page = client.get(b"/dev/", HOST, b"Accept: text/html")
        assert page.status == 200
        assert b'src="/dev/@vite/client"' in page.body
        module = client.get(b"/dev/main.js", HOST)
        assert b"console.log('first')" in module.body
        etag = module.field(b"etag") or b""
        assert client.get(b"/dev/main.js", HOST, b"If-None-Match: " + etag).status == 304
        assert client.get(b"/elsewhere", HOST).status == 404


def test_a_change_arrives_in_the_page(proxy: RunningProxy, site: Path) -> None:
    with RawClient(proxy.port, timeout=30) as client:
        client.get(b"/dev/main.js", HOST)
        token = re.search(rb'wsToken = "([^"]+)"', client.get(b"/dev/@vite/client", HOST).body)
    assert token is not None

    async def watch() -> list[str]:
        url = f"ws://{LOOPBACK}:{proxy.port}/dev/?token={token[1].decode()}"
        heard = []
        async with websockets.connect(url, subprotocols=[Subprotocol("vite-hmr")]) as client:
            assert client.subprotocol == "vite-hmr"
            heard.append(json.loads(await asyncio.wait_for(client.recv(), 10))["type"])
            (site / "main.js").write_text("import.meta.hot.accept(); console.log('second')\n")
            message = json.loads(await asyncio.wait_for(client.recv(), 20))
            heard.append(message["updates"][0]["path"])
        return heard

    assert asyncio.run(watch()) == ["connected", "/main.js"]

    def changed() -> bool:
        with RawClient(proxy.port) as client:
            return b"second" in client.get(b"/dev/main.js", HOST).body

    eventually(changed)
