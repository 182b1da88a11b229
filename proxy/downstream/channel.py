"""One client connection that speaks HTTP/1.1: bytes become exchanges, responses become bytes.

Requests are taken strictly one after the other: bytes of a later one stay in the reader until the exchange before it
is over, so pipelined responses cannot overtake each other. The states are in `proxy.downstream.state`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy import errors
from proxy.alarm import NEVER
from proxy.downstream.half_closed import HalfClosed
from proxy.downstream.request_body import RequestBody
from proxy.downstream.response_writer import ResponseWriter
from proxy.downstream.state import CLOSED, EXCHANGE, HEAD, IDLE, LINGER, TUNNEL
from proxy.errors import ProxyError
from proxy.flow.splice import NEAR, Splice, close_after_flush, half_close
from proxy.flow.walk import Walk
from proxy.limits import LINGER_SECONDS, PIPED_BYTES, WINDOW_BYTES
from proxy.message import EMPTY, BytesBody, Exchange, Peer, RequestHead, Response, ResponseHead, Tunnel
from proxy.message.head import NO_REQUEST
from proxy.policy.answer import answer
from proxy.policy.hop import end_to_end_response
from proxy.wire import encode_response

if TYPE_CHECKING:
    from proxy.downstream.site import ProxySite

log = Logger()


@implementer(IHalfCloseableProtocol, IPushProducer)
class ProxyChannel(Protocol):
    """`ProxySite.protocol`: one client's connection. The site gives it its collaborators."""

    transport: Any  # an ITransport that is a producer and a consumer too, and mostly an ITCPTransport

    def __init__(self, site: ProxySite) -> None:
        self.deadline = self.look_at = NEVER
        self.site, self._alarm = site, site.alarm
        self._reader, self._forwarder = site.begin()
        self._state = IDLE
        self._advancing = self._clogged = False
        self._reading = True
        self._requests = 0
        self._exchange: Exchange | None = None
        self._walk: Walk[Response] | None = None
        self._body: RequestBody | None = None
        self._splice: Splice | None = None
        self._half: HalfClosed | None = None

    # --- doors: what the reactor calls --------------------------------------------------------------------

    def connectionMade(self) -> None:
        address = self.transport.getPeer()
        self.peer = Peer(getattr(address, "host", ""), getattr(address, "port", 0))
        self.meet_policy()
        self._writer = ResponseWriter(self.transport, self, self.site.date)
        self.transport.registerProducer(self, True)
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self.site.opened(self)
        self._alarm.set(self, self.site.deadlines.request_head)

    def dataReceived(self, data: bytes) -> None:
        if self._splice is not None:
            self._splice.received(NEAR, data)
        elif self._state is not LINGER:
            self._reader.feed(data)
            self._advance()

    def pauseProducing(self) -> None:
        """The transport holds more than a window of what we wrote."""
        if self._splice is not None:
            self._splice.pause(NEAR)
        elif not self._clogged:
            self._clogged = True
            self._watch_stall()
            if self._exchange is not None:
                self._writer.pause()

    def resumeProducing(self) -> None:
        """The transport has given all of it to the client."""
        if self._splice is not None:
            self._splice.resume(NEAR)
            return
        self._clogged = False
        if self._state is LINGER:
            self._alarm.set(self, LINGER_SECONDS)
        elif self._exchange is not None:
            self._watch_body()
            self._writer.resume()
        else:
            self._await_request()

    def stopProducing(self) -> None:
        """The transport is going away; `connectionLost` follows and says why."""

    def readConnectionLost(self) -> None:
        if self._splice is not None:
            self._splice.eof(NEAR)
        elif self._exchange is not None and self._reader.complete and not self._exchange.upgrades:
            writer, still = self._writer, lambda: None if self._clogged else (self._requests, writer.bytes_out)
            self._half = HalfClosed(self._alarm, still, self.abort)
        elif self._exchange is not None and self._writer.begun:
            self.abort()  # a body that ends with the connection must not look whole
        else:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We closed our half ourselves."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._state = CLOSED
        self._alarm.forget(self)
        if self._half is not None:
            self._half.stop()
        if self._splice is not None:
            self._splice.lost(NEAR)
        elif self._exchange is not None:
            self._drop_exchange(ProxyError(errors.CLIENT_CLOSED, reason.getErrorMessage()))
        self.site.closed(self, self._reader, self._forwarder)
        del self._reader, self._writer  # the one may serve another; the other refers to us, and would be garbage

    def time_passed(self) -> None:
        """The one deadline of the present state has come."""
        if self._state is HEAD:
            self._refuse(ProxyError(errors.HEAD_TIMEOUT, f"after {self.site.deadlines.request_head:g} s"))
        elif self._state is IDLE and not self._clogged:
            self._linger()
        elif self._state is not EXCHANGE or self._exchange is None:
            self.abort()
        elif self._body is not None and not (self._clogged or self._body.held or self._reader.complete):
            self._refuse(ProxyError(errors.BODY_TIMEOUT, f"nothing came for {self._exchange.deadlines.body_idle:g} s"))
        else:
            self._drop_exchange(ProxyError(errors.WRITE_TIMEOUT))
            self.abort()

    # --- reading ------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Take from the reader all that may be taken now. Never nested: what happens inside leads back here."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._takes_more():
                event = self._reader.next_event()
                if event is None:
                    break
                if type(event) is RequestHead:
                    self._begin(event)
                    if self._body is None and self._state is EXCHANGE:
                        break  # what comes next is another request, and waits for the end of this one
                elif self._body is not None:
                    if type(event) is bytes:
                        self._body.push(event)
                        if self._reader.absent >= PIPED_BYTES:
                            self._body.bypass(self._reader, self.transport)
                    else:
                        self._body.finish(event.trailers)  # type: ignore[union-attr]
        except ProxyError as error:
            self._refuse(error)
        finally:
            self._advancing = False
        self._settle()

    def _takes_more(self) -> bool:
        """Whether the next event can be dealt with. A request is not begun before the client has taken the responses to
        those before it: whoever sends a thousand and reads nothing would fill the memory with answers."""
        if self._state is EXCHANGE:
            return self._body is None or not self._body.held
        return self._state in (IDLE, HEAD) and not self._clogged

    def _settle(self) -> None:
        """After reading: have the deadline and the pace that the state asks for."""
        if self._state is EXCHANGE:
            body = self._body
            self._set_reading((body is None or not body.held) and self._reader.buffered < WINDOW_BYTES)
            if body is not None:
                self._watch_body()
        elif self._state is IDLE:
            self._set_reading(not self._clogged)
            if self._clogged:
                self._watch_stall()
            elif self._reader.started:
                self._state = HEAD
                self._alarm.set(self, self.site.deadlines.request_head)

    def _watch_body(self) -> None:
        """Have the deadline of the body while it is the client's turn; else those of the upstream rule."""
        if self._clogged or self._exchange is None:
            return
        waits = self._body is not None and not self._body.held and not self._reader.complete
        self._alarm.set(self, self._exchange.deadlines.body_idle if waits else 0)

    def _watch_stall(self) -> None:
        self._alarm.set(self, (self._exchange or self.site).deadlines.write_stall)

    def _set_reading(self, on: bool) -> None:
        if on is not self._reading:
            self._reading = on
            (self.transport.resumeProducing if on else self.transport.pauseProducing)()

    def hold_body(self) -> None:
        """Asked by the request body: whoever takes it cannot take more."""
        if self._state is EXCHANGE:
            self._watch_body()
            self._set_reading(False)

    def release_body(self) -> None:
        """Asked by the request body: go on."""
        if self._state is EXCHANGE:
            self._advance()

    # --- one exchange -------------------------------------------------------------------------------------

    def _begin(self, head: RequestHead) -> None:
        self._state = EXCHANGE
        self._alarm.clear(self)
        self._requests += 1
        length = self._reader.body_length
        self._body = None if self._reader.complete else RequestBody(self, length if length >= 0 else None)
        self._exchange = exchange = self.site.open_exchange(head, self._body or EMPTY, self.peer, self._interim)
        try:
            self.site.admission.admit(exchange, self._forwarder)
            way = self.site.getResourceFor(exchange).respond(exchange)
        except ProxyError as error:
            self._failed(error)
        else:
            self._walk = Walk(way, self._respond, self._failed)
            self._walk.start()

    def _interim(self, head: ResponseHead) -> None:
        """Pass a 1xx on (RFC 9110 section 15.2: never to an HTTP/1.0 client)."""
        if self._exchange is not None and self._exchange.head.minor and self._state is EXCHANGE:
            self.transport.write(encode_response(head.status, head.reason, end_to_end_response(head.fields)))

    def _respond(self, response: Response) -> None:
        if (exchange := self._exchange) is None:
            return
        self._walk = None
        if self.site.fields:
            response = self.site.dressed(response)
        exchange.record.status = response.head.status
        exchange.record.head_at = self._alarm.now()
        if response.tunnel is not None:
            self._join(exchange, response.head, response.tunnel)
            return
        another = self._reader.complete and self._reader.keep_alive and self.site.keeps_alive(self._requests)
        self._writer.write(exchange.head, response, not another)

    def _failed(self, error: BaseException) -> None:
        """The one place where a failure becomes an answer."""
        if (exchange := self._exchange) is None:
            return
        self._walk = None
        if not isinstance(error, ProxyError):
            log.failure("the walk of {exchange!r} failed", Failure(error), exchange=exchange)
            error = ProxyError(errors.INTERNAL, repr(error))
        exchange.record.blame(error)
        if not error.reason.status or self._writer.begun:
            self.abort()
            return
        self._reader.keep_alive &= error.reason is not errors.MISDIRECTED  # the client is to shake hands anew
        if self._body is not None:
            self._body.stop()
        head, page = answer(error, exchange.request_id, exchange.head)
        self._respond(Response(head, BytesBody(page)))

    def response_written(self) -> None:
        """Told by the writer: the exchange is over, but for what the client may still send of its request."""
        exchange = self._exchange
        assert exchange is not None
        half = self._half is not None and not self._reader.buffered
        last = self._writer.last or not self._reader.complete or self.site.stopping or half
        if self._body is not None:
            self._body.stop()
        self._close_exchange(exchange)
        if last:
            self._linger()
            return
        self._state = IDLE
        self._reader.start_next()
        self._await_request()

    def _await_request(self) -> None:
        """The connection is free for the next request, which may be here already."""
        self._alarm.set(self, self.site.deadlines.keep_alive)
        if self._reader.buffered:
            self._advance()
        elif self._clogged or not self._reading:
            self._settle()

    def response_failed(self, error: ProxyError, begun: bool) -> None:
        """Told by the writer: the body broke off. A client that has seen part of it must not take it for whole."""
        if begun:
            self._drop_exchange(error)
            self.abort()
        else:
            self._failed(error)

    def _close_exchange(self, exchange: Exchange) -> None:
        """Everything that is known goes to the observers, once."""
        self._exchange = None
        record = exchange.record
        record.bytes_out = self._writer.bytes_out
        if self._body is not None:
            record.bytes_in = self._body.taken
            self._body = None
        self._writer.begun = False
        self.site.observe(record)

    def _drop_exchange(self, error: ProxyError) -> None:
        """The exchange ends here without a complete response."""
        if (exchange := self._exchange) is None:
            return
        exchange.record.blame(error)
        exchange.record.status = exchange.record.status or error.reason.status
        body = self._body
        self._close_exchange(exchange)
        walk, self._walk = self._walk, None
        if walk is not None:
            walk.cancel(error)
        self._writer.stop()
        if body is not None and not body.ended:
            body.fail(error)

    # --- leaving HTTP -------------------------------------------------------------------------------------

    def _join(self, exchange: Exchange, head: ResponseHead, tunnel: Tunnel) -> None:
        self.transport.write(encode_response(head.status, head.reason, head.fields.pairs))
        self._state = TUNNEL
        idle = exchange.deadlines.tunnel_idle
        self._splice = splice = Splice(self.transport, tunnel.transport, self._alarm, idle, self._tunnel_over)
        self._set_reading(True)
        tunnel.join(splice)
        if early := self._reader.take_rest():
            splice.received(NEAR, early)
        splice.relay()

    def _tunnel_over(self, error: ProxyError | None) -> None:
        exchange, splice = self._exchange, self._splice
        if exchange is None or splice is None:
            return
        self._exchange = None
        record = exchange.record
        record.bytes_in, record.bytes_out = splice.moved
        if error is not None:
            record.blame(error)
        self.site.observe(record)

    # --- the end ------------------------------------------------------------------------------------------

    def _refuse(self, error: ProxyError) -> None:
        """What the client sent is not HTTP, or too much, or too slow: say so and close."""
        if self._exchange is None:
            self._exchange = self.site.open_exchange(NO_REQUEST, EMPTY, self.peer, self._interim)
            self._state = EXCHANGE
        if self._body is not None and not self._body.ended:
            self._body.fail(error)
        self._failed(error)

    def meet_policy(self) -> None:
        """Asked by the site: whom it believes has changed."""
        self._forwarder = self.site.forwarder(self.peer, getattr(self.transport, "credentials", None), self._forwarder)

    def drain(self) -> None:
        """Asked by the site: take no further request."""
        if self._state is IDLE:
            close_after_flush(self.transport)

    def _linger(self) -> None:
        """Close so that the response arrives: closing while the client still sends would reset the connection and
        throw away what it has not read yet (RFC 9112 section 9.6)."""
        idle = self._state is IDLE
        self._state = LINGER
        self._watch_stall()
        if not self._reader.buffered and (idle or self._reader.complete):
            close_after_flush(self.transport)
            return
        self._set_reading(True)
        if not self._clogged:
            self._alarm.set(self, LINGER_SECONDS)
        half_close(self.transport)

    def abort(self) -> None:
        """Cut the connection: what was written may not arrive."""
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    def __repr__(self) -> str:
        return f"<ProxyChannel {self._state.value} {self.peer.host} request {self._requests} {self._exchange!r}>"
