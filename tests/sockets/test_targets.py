"""The targets that are no upstream, over real sockets: files, Twisted applications, fixed answers, redirects."""

from __future__ import annotations

import os
import re
import textwrap
import time
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy, console_script, start_proxy
from tests.support.raw import RawClient

APPLICATION = '''
"""What people mount: nothing in it knows of the proxy."""

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET


class Echo(Resource):
    isLeaf = True

    def render_POST(self, request):
        request.setHeader(b"X-Client", request.getClientAddress().host.encode())
        return b"%b %b %b" % (b"/".join(request.prepath), b"/".join(request.postpath), request.content.read())


class Ticks(Resource):
    def render_GET(self, request):
        def tick(left):
            if not left:
                request.finish()
                return
            request.write(b"tick\\n")
            reactor.callLater(0.05, tick, left - 1)

        tick(5)
        return NOT_DONE_YET


class Producer:
    """Push or pull: a megabyte in pieces of 10,000 bytes."""

    def __init__(self, request, push):
        self.request, self.push, self.left, self.paused = request, push, 100, False
        request.registerProducer(self, push)
        if push:
            self.run()

    def run(self):
        while self.left and not self.paused:
            self.piece()

    def piece(self):
        self.left -= 1
        self.request.write(b"x" * 10_000)
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def resumeProducing(self):
        if self.push:
            self.paused = False
            self.run()
        else:
            self.piece()

    def pauseProducing(self):
        self.paused = True

    def stopProducing(self):
        self.left = 0


class Produce(Resource):
    isLeaf = True

    def render_GET(self, request):
        Producer(request, request.postpath == [b"push"])
        return NOT_DONE_YET


class Counting(Resource):
    def render_GET(self, request):
        session = request.getSession()
        session.count = getattr(session, "count", 0) + 1
        return b"%d" % session.count


class Broken(Resource):
    def render_GET(self, request):
        request.setResponseCode(200)
        request.responseHeaders.addRawHeader(b"Content-Length", b"100")
        request.write(b"too little")
        request.finish()
        return NOT_DONE_YET


root = Resource()
for name, child in ((b"echo", Echo()), (b"ticks", Ticks()), (b"produce", Produce()), (b"count", Counting())):
    root.putChild(name, child)
root.putChild(b"broken", Broken())
'''

CONFIG = """
    routes:
      - {path: /files, static: files}
      - {path: /listed, static: {root: files, listing: true}}
      - {path: /app, app: "resource:mounted_application:root"}
      - {path: /fixed, respond: {status: 418, body: "tea", headers: {X-Pot: short}}}
      - {path: /empty, respond: {status: 204}}
      - {path: /moved, redirect: {to: https://new.test/base, status: 308, keep_path: true, keep_query: true}}
      - {path: /gone, redirect: /elsewhere}
      - {path: /posts, methods: [POST], respond: {status: 200}}
    """


def importing(folder: Path) -> dict[str, str]:
    """The environment of a program that can import from `folder` too."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


@pytest.fixture(scope="module")
def proxy(module_park: ProcessPark) -> RunningProxy:
    folder = module_park.directory
    (folder / "mounted_application.py").write_text(textwrap.dedent(APPLICATION))
    files = folder / "files" / "sub"
    files.mkdir(parents=True)
    (files / "index.html").write_text("<p>index</p>")
    (files.parent / "page.txt").write_text("0123456789" * 1000)
    (files.parent / "large.bin").write_bytes(bytes(range(256)) * 40_000)
    os.mkfifo(files.parent / "pipe")
    (files.parent / "endless").symlink_to("/dev/zero")
    (folder / "secret.txt").write_text("secret")
    return start_proxy(module_park, CONFIG, env=importing(folder))


def test_files(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        answer = client.get(b"/files/page.txt")
        assert (answer.status, answer.body) == (200, b"0123456789" * 1000)
        assert answer.field(b"content-type") == b"text/plain"
        assert client.get(b"/files/large.bin").body == bytes(range(256)) * 40_000
        part = client.get(b"/files/page.txt", b"Range: bytes=15-19")
        assert (part.status, part.body) == (206, b"56789")
        assert client.request(b"HEAD", b"/files/page.txt").field(b"content-length") == b"10000"
        changed = answer.field(b"last-modified") or b""
        assert client.get(b"/files/page.txt", b"If-Modified-Since: " + changed).status == 304
        assert client.get(b"/files/sub/").body == b"<p>index</p>"
        assert client.get(b"/files/nothing").status == 404


def test_a_directory_is_listed_only_where_that_is_wanted(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        assert client.get(b"/files/").status == 404
        assert b"page.txt" in client.get(b"/listed/").body


def test_what_is_no_file_is_not_there(proxy: RunningProxy) -> None:
    """Nobody writes to the pipe: whoever opens it waits for ever, and everybody else with it."""
    with proxy.connect() as client:
        for target in (b"/files/pipe", b"/listed/pipe", b"/files/endless"):
            assert client.get(target).status == 404
            assert client.request(b"HEAD", target).status == 404
        assert client.get(b"/files/page.txt").status == 200


def test_no_file_outside_of_the_directory(proxy: RunningProxy) -> None:
    for target in (
        b"/files/../secret.txt",
        b"/files/%2e%2e/secret.txt",
        b"/files/..%2fsecret.txt",
        b"/files//../secret.txt",
    ):
        with proxy.connect() as client:
            answer = client.get(target)
            assert answer.status in (400, 404), target
            assert answer.body != b"secret"


def test_an_application_reads_a_body(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        answer = client.request(b"POST", b"/app/echo/a/b", body=b"hello")
        assert answer.body == b"app/echo a/b hello"
        assert answer.field(b"x-client") == b"127.0.0.1"
        client.send(
            b"POST /app/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        )
        assert client.read_answer().body == b"app/echo  hello"


def test_an_application_streams(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        client.send(b"GET /app/ticks HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"tick\n")
        began = time.monotonic()
        for _ in range(4):
            client.read_until(b"tick\n")
        assert 0.1 < time.monotonic() - began < 1
        client.read_until(b"0\r\n\r\n")
        assert client.get(b"/app/ticks").body == b"tick\n" * 5


@pytest.mark.parametrize("kind", [b"push", b"pull"])
def test_an_application_produces(proxy: RunningProxy, kind: bytes) -> None:
    with proxy.connect() as client:
        for _ in range(2):
            assert client.get(b"/app/produce/" + kind).body == b"x" * 1_000_000


def test_a_producer_hears_that_its_client_has_left(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        client.send(b"GET /app/produce/pull HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"x")
    with proxy.connect() as client:
        assert client.get(b"/app/count").status == 200


def test_an_application_has_sessions(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        first = client.get(b"/app/count")
        cookie = re.match(rb"[^;]+", first.field(b"set-cookie") or b"")
        assert cookie is not None
        assert first.body == b"1"
        assert [client.get(b"/app/count", b"Cookie: " + cookie[0]).body for _ in range(2)] == [b"2", b"3"]


def test_an_application_that_writes_less_than_it_said_has_failed(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        answer = client.get(b"/app/broken")
    assert answer.status == 500
    assert b"resource.failed" in answer.body


def test_fixed_answers_and_redirects(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        answer = client.get(b"/fixed")
        assert (answer.status, answer.body, answer.field(b"x-pot")) == (418, b"tea", b"short")
        assert client.request(b"HEAD", b"/fixed").field(b"content-length") == b"3"
        assert client.get(b"/empty").status == 204
        answer = client.get(b"/moved/x?y=z")
        assert (answer.status, answer.field(b"location")) == (308, b"https://new.test/base/moved/x?y=z")
        answer = client.get(b"/gone/x?y=z")
        assert (answer.status, answer.field(b"location")) == (307, b"/elsewhere")


def test_a_method_that_no_route_takes_is_told_which_ones_do(proxy: RunningProxy) -> None:
    """RFC 9110 section 15.5.6."""
    with proxy.connect() as client:
        answer = client.get(b"/posts")
        assert (answer.status, answer.field(b"allow")) == (405, b"POST")


def test_the_tree_renders_under_a_stock_site(module_park: ProcessPark, proxy: RunningProxy) -> None:
    """`twistd web` with our root as its resource: Twisted's own channel, our routes."""
    folder = module_park.directory
    port = free_port()
    (folder / "stock_site.py").write_text(
        textwrap.dedent(
            f"""
            from twisted.internet import reactor

            from proxy.assemble import assemble
            from proxy.config import load

            root = assemble(load({str(proxy.config)!r}, {{}}), reactor).listeners[0].site.resource
            """
        )
    )
    (folder / "stock.py").write_text(
        textwrap.dedent(
            f"""
            from twisted.application.internet import TCPServer
            from twisted.application.service import Application
            from twisted.web.server import Site

            from stock_site import root

            application = Application("stock")
            TCPServer({port}, Site(root), interface="127.0.0.1").setServiceParent(application)
            """
        )
    )
    process = module_park.start(
        console_script("twistd"), "-n", "--pidfile=", "-y", "stock.py", env=importing(folder), cwd=folder
    )
    process.wait_for_port(port)
    with RawClient(port) as client:
        assert client.get(b"/fixed").body == b"tea"
        assert client.get(b"/files/page.txt").body == b"0123456789" * 1000
        assert client.get(b"/nothing").status == 404
        assert client.request(b"POST", b"/app/echo/x", body=b"hello").body == b"app/echo x hello"
    process.stop()
    process.assert_no_traceback()
