"""The control site: what a running proxy tells about itself, and how it is asked to change. JSON over HTTP, but for
the page that Prometheus reads.

    GET  /status    state, listeners, certificates, upstreams with every server, the last reload
    GET  /metrics   the numbers among it, for Prometheus
    GET  /config    the effective configuration, secrets masked
    POST /explain   what would happen to a request: route, gates, fields, servers
    POST /plan      what a new configuration would change, and which live connections it would touch
    POST /reload    read the configuration anew; 409 with all problems where it is refused
    POST /drain     take servers out of an upstream, or put them back; or let the whole proxy end
    POST /reopen    open the access log anew, after it was moved away
    POST /acme/renew    replace a certificate that is ordered by ACME, now; answers when that is done

Whoever reaches the site may read. Changing needs the UNIX socket (its mode is the right), or the token. A browser on
this machine can reach a loopback port too: so the Host of a request must be ours (DNS rebinding), and a change must
come with JSON, which no form can send.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

log = Logger()

BODY_BYTES = 64 * 1024 * 1024


class Refused(Exception):  # noqa: N818 - a refusal is no error of ours
    """The answer to a request that cannot be done: a status and a JSON value that says why."""

    def __init__(self, status: int, value: Any) -> None:
        super().__init__(status, value)
        self.status = status
        self.value = value


class Control(Protocol):
    """What the site asks of the running proxy. Every answer is a JSON value, or text as bytes; each may raise
    `Refused`."""

    def status(self) -> Any: ...
    def metrics(self) -> bytes: ...
    def config(self) -> Awaitable[Any]: ...
    def explain(self, question: Any) -> Awaitable[Any]: ...
    def plan(self, new: Any) -> Awaitable[Any]: ...
    def reload(self) -> Awaitable[Any]: ...
    def drain(self, asked: Any) -> Any: ...
    def reopen(self) -> Any: ...
    def renew(self, wish: Any) -> Awaitable[Any]: ...


class ControlPage(Resource):
    """One page of the site.

    @param answer: given the JSON that was sent (None for a GET).
    @param allowed: whether the request may do this.
    """

    def __init__(
        self, method: bytes, answer: Callable[[Any], Any], allowed: Callable[[Any], bool], local: Callable[[Any], bool]
    ) -> None:
        super().__init__()
        self._method = method
        self._answer = answer
        self._allowed = allowed
        self._local = local

    def getChild(self, path: bytes, request: Any) -> Resource:
        return NoPage(self._local)

    def render(self, request: Any) -> Any:
        request.setHeader(b"Cache-Control", b"no-store")
        if not self._local(request):
            return misdirected(request)
        method = b"GET" if request.method == b"HEAD" else request.method
        if method != self._method:
            request.setHeader(b"Allow", self._method)
            return say(request, 405, {"error": f"use {self._method.decode()}"})
        if not self._allowed(request):
            request.setHeader(b"WWW-Authenticate", b"Bearer")
            return say(request, 401, {"error": "changing needs the UNIX socket or `Authorization: Bearer TOKEN`"})
        try:
            value = self._answer(self._sent(request))
        except Refused as refusal:
            return say(request, refusal.status, refusal.value)
        if hasattr(value, "__await__"):
            later = Deferred.fromCoroutine(value)
            later.addCallbacks(lambda said: finish(request, 200, said), lambda failure: failed(request, failure))
            return NOT_DONE_YET
        return say(request, 200, value)

    def _sent(self, request: Any) -> Any:
        if self._method == b"GET":
            return None
        kind = request.requestHeaders.getRawHeaders(b"content-type", [b""])[0]
        if not kind.startswith(b"application/json"):
            raise Refused(415, {"error": "send application/json"})
        try:
            return orjson.loads(request.content.read(BODY_BYTES) or b"null")
        except orjson.JSONDecodeError as error:
            raise Refused(400, {"error": f"not JSON: {error}"}) from error


class NoPage(Resource):
    """Where there is nothing."""

    def __init__(self, local: Callable[[Any], bool]) -> None:
        super().__init__()
        self._local = local

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self

    def render(self, request: Any) -> bytes:
        request.setHeader(b"Cache-Control", b"no-store")
        return say(request, 404, {"error": "there is no such page"}) if self._local(request) else misdirected(request)


class Contents(Resource):
    """Pages by name, and nothing else."""

    def __init__(self, local: Callable[[Any], bool], pages: Mapping[bytes, Resource]) -> None:
        super().__init__()
        self._local = local
        for name, page in pages.items():
            self.putChild(name, page)

    def getChild(self, path: bytes, request: Any) -> Resource:
        return NoPage(self._local)

    def render(self, request: Any) -> bytes:
        return NoPage(self._local).render(request)


def is_local(host: str) -> bool:
    """Whether the value of a Host field names this machine, in a way that DNS has no say in."""
    name = re.sub(r":[0-9]*\Z", "", host.lower()).removesuffix(".")
    try:
        return name == "localhost" or ipaddress.ip_address(re.sub(r"\A\[(.*)\]\Z", r"\1", name)).is_loopback
    except ValueError:
        return False


def misdirected(request: Any) -> bytes:
    """The answer to those who mean somebody else."""
    return say(request, 421, {"error": "this Host is not the proxy's control site"})


def say(request: Any, status: int, value: Any) -> bytes:
    """The answer, in JSON where it is no text already."""
    request.setResponseCode(status)
    if isinstance(value, bytes):
        request.setHeader(b"Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
        return value
    request.setHeader(b"Content-Type", b"application/json")
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def finish(request: Any, status: int, value: Any) -> None:
    """The same for an answer that took its time; the client may be gone by now."""
    body = say(request, status, value)
    if not request._disconnected:
        request.write(body)
        request.finish()


def failed(request: Any, failure: Failure) -> None:
    """An answer that took its time, and failed."""
    refusal = failure.value
    if isinstance(refusal, Refused):
        finish(request, refusal.status, refusal.value)
        return
    log.failure("the control site failed on {uri}", failure, uri=request.uri)
    finish(request, 500, {"error": "the proxy failed on this; its log says why"})


def control_site(control: Control, reactor: Any, *, unix: bool, token: bytes | None = None) -> Site:
    """The site.

    @param unix: it listens on a UNIX socket, so whoever reaches it may change things.
    @param token: lets others change things.
    """

    def may_change(request: Any) -> bool:
        if unix:
            return True
        given = request.requestHeaders.getRawHeaders(b"authorization", [b""])[0]
        return token is not None and hmac.compare_digest(given, b"Bearer " + token)

    def anybody(request: Any) -> bool:
        return True

    def local(request: Any) -> bool:
        return unix or is_local(request.requestHeaders.getRawHeaders(b"host", [b""])[0].decode("latin-1"))

    pages = {
        b"status": ControlPage(b"GET", lambda _: control.status(), anybody, local),
        b"metrics": ControlPage(b"GET", lambda _: control.metrics(), anybody, local),
        b"config": ControlPage(b"GET", lambda _: control.config(), anybody, local),
        b"explain": ControlPage(b"POST", control.explain, anybody, local),
        b"plan": ControlPage(b"POST", control.plan, anybody, local),
        b"reload": ControlPage(b"POST", lambda _: control.reload(), may_change, local),
        b"drain": ControlPage(b"POST", control.drain, may_change, local),
        b"reopen": ControlPage(b"POST", lambda _: control.reopen(), may_change, local),
        b"acme": Contents(local, {b"renew": ControlPage(b"POST", control.renew, may_change, local)}),
    }
    root = Contents(local, pages)
    return _QuietSite(root, reactor=reactor)


class _QuietSite(Site):
    noisy = False

    def log(self, request: Any) -> None:
        """Asking for a status every second is nothing to write down."""
