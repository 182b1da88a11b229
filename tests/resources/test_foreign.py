"""Stories of mounted resources: an `IResource` answers behind our channel as it would in a site of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import Data, File
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer

from proxy.limits import RESOURCE_BODY_BYTES, WINDOW_BYTES
from proxy.resources.foreign import Mounted
from tests.support.playbook import GET, Play, playing


class Page(Resource):
    """A leaf whose answer is a function of the request."""

    isLeaf = True

    def __init__(self, render: Any) -> None:
        super().__init__()
        self._render = render

    def render(self, request: Any) -> Any:
        return self._render(request)


def mounted(render: Any, prefix: bytes = b"/") -> dict[str, Any]:
    return {"target": Mounted(Page(render), prefix)}


def hello() -> Data:
    """Answers with "hello"."""
    data = Data(b"hello", "text/plain")
    data.isLeaf = True
    return data


def stream_of(heard: bytes) -> bytes:
    """What stands in the chunks of a whole response."""
    body = heard.partition(b"\r\n\r\n")[2]
    data = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        data, body = data + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return data


def fields_of(heard: bytes) -> dict[bytes, bytes]:
    lines = heard.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}


def test_a_resource_answers_and_the_connection_goes_on() -> None:
    with playing(target=Mounted(hello())) as play:
        client = play.client()
        for _ in range(2):
            client.says(GET)
            heard = client.takes()
            assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
            assert heard.endswith(b"\r\n\r\nhello")
            fields = fields_of(heard)
            assert fields[b"content-length"] == b"5"
            assert fields[b"content-type"] == b"text/plain"
            assert b"server" not in fields
        assert [record.bytes_out for record in play.records] == [5, 5]


def test_it_sees_a_real_request() -> None:
    seen: list[Any] = []

    def render(request: Any) -> bytes:
        seen.append(request)
        request.setResponseCode(201)
        request.addCookie(b"a", b"b")
        return b"made"

    with playing(**mounted(render, b"/app")) as play:
        client = play.client()
        cookie = b"Cookie: who=me\r\n"
        client.says(b"POST /app/x%20y?q=1&q=2 HTTP/1.1\r\nHost: a:8080\r\n" + cookie + b"Content-Length: 3\r\n\r\nabc")
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 201 Created\r\n")
        assert fields_of(heard)[b"set-cookie"] == b"a=b"
        [request] = seen
        assert (request.method, request.uri) == (b"POST", b"/app/x%20y?q=1&q=2")
        assert (request.prepath, request.postpath) == ([b"app"], [b"x y"])
        assert request.args == {b"q": [b"1", b"2"]}
        assert request.getCookie(b"who") == b"me"
        assert request.getClientAddress().host == "192.0.2.7"
        assert request.getHeader(b"x-forwarded-for") == b"192.0.2.7"
        assert not request.isSecure()
        assert request.getRequestHostname() == b"a"


def test_a_form_is_read_as_one() -> None:
    with playing(**mounted(lambda request: request.args[b"name"][0])) as play:
        client = play.client()
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nname=Ann"
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\n" + form)
        assert client.takes().endswith(b"\r\n\r\nAnn")


def test_a_chunked_body_has_a_length_by_the_time_the_resource_sees_it() -> None:
    with playing(**mounted(lambda request: request.getHeader(b"content-length") + request.content.read())) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert client.takes().endswith(b"\r\n\r\n5abcde")


def test_whoever_waits_to_be_told_to_continue_is_told_so() -> None:
    with playing(**mounted(lambda request: request.content.read())) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        client.hears(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.says(b"abc")
        assert client.takes().endswith(b"\r\n\r\nabc")


def test_a_body_that_is_too_large_for_a_resource_is_refused() -> None:
    with playing(**mounted(lambda request: b"never")) as play:
        client = play.client()
        size = RESOURCE_BODY_BYTES + 1
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        assert client.takes().startswith(b"HTTP/1.1 413 ")
        assert play.record.reason == "limit.body"


def test_children_are_found_below_the_mount_point(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file a")
    with playing(target=Mounted(File(str(tmp_path)), b"/static")) as play:
        client = play.client()
        client.says(b"GET /static/a.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        heard = client.takes()
        assert heard.endswith(b"file a")
        assert fields_of(heard)[b"content-length"] == b"6"
        client.says(b"GET /static/none HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.takes().startswith(b"HTTP/1.1 404 ")
        client.says(b"GET /static/a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n")
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 206 ")
        assert heard.endswith(b"\r\n\r\nil")
        etag = fields_of(heard)[b"last-modified"]
        client.says(b"GET /static/a.txt HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: %b\r\n\r\n" % etag)
        assert client.takes().startswith(b"HTTP/1.1 304 ")


def test_a_file_goes_out_at_the_pace_of_the_client(tmp_path: Path) -> None:
    # `File` is a pull producer: it is asked for each piece, and not asked while the client is behind.
    size = 60 * WINDOW_BYTES
    (tmp_path / "large").write_bytes(b"x" * size)
    with playing(target=Mounted(File(str(tmp_path)))) as play:
        client = play.client()
        client.stops_reading()
        client.says(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.pending <= 3 * WINDOW_BYTES
        client.reads_again()
        assert client.takes().endswith(b"\r\n\r\n" + b"x" * size)


def test_a_client_that_leaves_in_the_middle_of_a_file_lets_it_be_closed(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 60 * WINDOW_BYTES)
    with playing(target=Mounted(File(str(tmp_path)))) as play:
        client = play.client()
        client.stops_reading()
        client.says(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        client.leaves()
        assert play.record.reason == "client.closed"


class Pusher:
    """A push producer that writes a piece whenever the test says so."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.asked: list[str] = []
        request.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        self.asked.append("resume")

    def stopProducing(self) -> None:
        self.asked.append("stop")


def pushing(play_asks: list[Pusher]) -> dict[str, Any]:
    def render(request: Any) -> int:
        play_asks.append(Pusher(request))
        request.write(b"begin ")
        return NOT_DONE_YET

    return mounted(render)


def test_a_push_producer_is_paused_while_the_client_is_behind() -> None:
    pushers: list[Pusher] = []
    with playing(**pushing(pushers)) as play:
        client = play.client()
        client.stops_reading()
        client.says(GET)
        [pusher] = pushers
        pusher.asked.clear()
        pusher.request.write(b"x" * 2 * WINDOW_BYTES)
        assert pusher.asked == ["pause"]
        client.reads_again()
        assert pusher.asked == ["pause", "resume"]
        pusher.request.unregisterProducer()
        pusher.request.finish()
        play.turn()
        assert stream_of(client.takes()) == b"begin " + b"x" * 2 * WINDOW_BYTES


def test_pieces_leave_as_they_come() -> None:
    pushers: list[Pusher] = []
    with playing(**pushing(pushers)) as play:
        client = play.client()
        client.says(GET)
        assert client.takes().endswith(b"6\r\nbegin \r\n")
        for _ in range(3):
            pushers[0].request.write(b"data: tick\n\n")
            play.turn()
            client.hears(b"c\r\ndata: tick\n\n\r\n")


def test_a_resource_hears_that_its_client_has_left() -> None:
    pushers: list[Pusher] = []
    with playing(**pushing(pushers)) as play:
        client = play.client()
        client.says(GET)
        ended: list[Failure] = []
        pushers[0].request.notifyFinish().addErrback(ended.append)
        client.leaves()
        assert pushers[0].asked[-1] == "stop"
        assert len(ended) == 1
        pushers[0].request.write(b"nobody hears this")


def test_a_resource_hears_it_too_while_it_has_not_said_anything() -> None:
    ended: list[Failure] = []

    def render(request: Any) -> int:
        request.notifyFinish().addErrback(ended.append)
        return NOT_DONE_YET

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        client.leaves()
        assert len(ended) == 1


def test_a_resource_hears_that_it_is_done() -> None:
    ended: list[object] = []

    def render(request: Any) -> int:
        request.notifyFinish().addCallback(ended.append)
        later.addCallback(lambda _: (request.write(b"late"), request.finish()))
        return NOT_DONE_YET

    later: Deferred[None] = Deferred()
    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        client.hears_nothing()
        later.callback(None)
        play.turn()
        assert stream_of(client.takes()) == b"late"
        assert ended == [None]


@pytest.mark.parametrize(("written", "cut"), [(b"12345", False), (b"123", True), (b"1234567", True)])
def test_a_resource_that_writes_more_or_less_than_it_announced_is_cut_off(written: bytes, cut: bool) -> None:
    def render(request: Any) -> int:
        request.setHeader(b"content-length", b"5")
        request.write(written[:2])
        request.write(written[2:])
        if len(written) <= 5:
            request.finish()
        return NOT_DONE_YET

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        play.wait(1)
        heard = client.takes()
        if cut:
            assert not heard.endswith(b"12345"), "nobody may take it for a whole response"
            assert client.was_cut or heard.startswith(b"HTTP/1.1 500 ")
            assert play.record.reason == "resource.failed"
        else:
            assert heard.endswith(b"\r\n\r\n12345")
            assert client.is_open


def test_head_tells_the_length_and_sends_nothing() -> None:
    with playing(target=Mounted(hello())) as play:
        client = play.client()
        client.says(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        heard = client.takes()
        assert fields_of(heard)[b"content-length"] == b"5"
        assert heard.endswith(b"\r\n\r\n")
        client.says(GET)
        assert client.takes().endswith(b"hello")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_have_none(status: int) -> None:
    def render(request: Any) -> bytes:
        request.setResponseCode(status)
        return b""

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET + GET)
        assert client.takes().count(b"HTTP/1.1 %d " % status) == 2


def test_a_resource_that_raises_is_a_500_that_shows_nothing() -> None:
    def render(request: Any) -> bytes:
        raise ValueError("secret")

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 500 ")
        assert b"secret" not in heard
        assert play.errors
        play.errors.clear()


def test_a_resource_may_hang_up() -> None:
    def render(request: Any) -> int:
        request.loseConnection()
        return NOT_DONE_YET

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        assert client.takes().startswith(b"HTTP/1.1 500 ")
        assert play.record.reason == "resource.failed"


def test_a_resource_cannot_smuggle_framing_or_hop_by_hop_fields() -> None:
    def render(request: Any) -> bytes:
        request.setHeader(b"transfer-encoding", b"chunked")
        request.setHeader(b"connection", b"close")
        request.setHeader(b"keep-alive", b"timeout=5")
        return b"hello"

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        heard = client.takes()
        assert heard.endswith(b"\r\n\r\nhello")
        assert {b"transfer-encoding", b"connection", b"keep-alive"}.isdisjoint(fields_of(heard))
        assert client.is_open


def test_a_malformed_form_is_the_clients_fault() -> None:
    with playing(**mounted(lambda request: b"never")) as play:
        client = play.client()
        form = b"Content-Type: multipart/form-data\r\nContent-Length: 5\r\n\r\nhello"
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\n" + form)
        assert client.takes()[9:12] in (b"400", b"500")
        play.errors.clear()


def test_sessions_live_as_long_as_the_mount() -> None:
    def render(request: Any) -> bytes:
        session = request.getSession()
        session.touch()
        uid: bytes = session.uid
        play.clock.callLater(0, session.expire)
        return uid

    with playing(**mounted(render)) as play:
        client = play.client()
        client.says(GET)
        assert b"set-cookie" in fields_of(client.takes())


def test_a_wsgi_application_reads_its_body() -> None:
    class Threads:
        """Runs everything at once, in this thread."""

        def callInThread(self, call: Any, *args: Any) -> None:
            call(*args)

        def callFromThread(self, call: Any, *args: Any) -> None:
            call(*args)

        def callInThreadWithCallback(self, told: Any, call: Any, *args: Any) -> None:
            told(True, call(*args))

    def application(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["SCRIPT_NAME"].encode(), b" ", environ["PATH_INFO"].encode(), b" ", body]

    threads: Any = Threads()
    pool: ThreadPool = threads
    with playing(target=Mounted(WSGIResource(threads, pool, application), b"/app")) as play:
        client = play.client()
        client.says(b"POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        play.turn()
        assert stream_of(client.takes()) == b"/app /x abc"


def test_what_is_mounted_need_not_be_a_subclass_of_resource() -> None:
    @implementer(IResource)
    class Bare:
        isLeaf = True

        def getChildWithDefault(self, name: bytes, request: Any) -> Any:
            raise AssertionError("a leaf has no children")

        def putChild(self, path: bytes, child: Any) -> None:
            raise AssertionError("nor may it get any")

        def render(self, request: Any) -> bytes:
            return b"bare"

    bare: Any = Bare()
    with playing(target=Mounted(bare)) as play:
        assert isinstance(play, Play)
        client = play.client()
        client.says(GET)
        assert client.takes().endswith(b"bare")
