"""The words for what goes wrong: every reason code, and the one exception that carries them.

A reason is a stable word, dotted from the general to the special. The same word stands in the access log, in
the metrics, in the small error page and in the `Proxy-Status` field (RFC 9209), so that an operator who sees
it in one place can search for it in all others. `docs/reasons.md` is written from the table below.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Source(Enum):
    """Whose doing a failure is."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    PROXY = "proxy"


class Retry(Enum):
    """What a failure says about trying the same request once more."""

    NEVER = "never"
    #: The request never left us: any method may go to another server.
    UNSENT = "unsent"
    #: The server may have seen the request: only an idempotent one may be repeated.
    SENT = "sent"


class Reason(NamedTuple):
    """One way to fail.

    `code` is the stable word, `status` the HTTP status of the answer where one can still be given (0 where the
    connection can only be cut), `kind` the RFC 9209 section 2.3 error type, `words` a sentence for people.
    """

    code: str
    status: int
    source: Source
    kind: str
    words: str


_CLIENT, _UPSTREAM, _PROXY = Source.CLIENT, Source.UPSTREAM, Source.PROXY

# What the client sent.
REQUEST_INVALID = Reason("client.request.invalid", 400, _CLIENT, "http_request_error", "The request is not valid HTTP.")
REQUEST_HOST = Reason("client.request.host", 400, _CLIENT, "http_request_error", "The request needs exactly one valid Host.")
REQUEST_FRAMING = Reason("client.request.framing", 400, _CLIENT, "http_request_error", "The length of the request body is ambiguous.")
REQUEST_PATH = Reason("client.request.path", 400, _CLIENT, "http_request_error", "The path is refused by the path policy.")
REQUEST_LOOP = Reason("client.request.loop", 508, _CLIENT, "proxy_loop_detected", "The request has come through this proxy already.")
REQUEST_VERSION = Reason("client.request.version", 505, _CLIENT, "http_request_error", "This HTTP version is not spoken here.")
REQUEST_METHOD = Reason("client.request.method", 501, _CLIENT, "http_request_error", "This method is not served by the proxy.")
REQUEST_CODING = Reason("client.request.coding", 501, _CLIENT, "http_request_error", "This transfer coding is not spoken here.")
REQUEST_EXPECT = Reason("client.request.expect", 417, _CLIENT, "http_request_error", "This expectation cannot be met.")
REQUEST_UPGRADE = Reason("client.request.upgrade", 403, _CLIENT, "http_request_denied", "The route does not allow this upgrade.")
MISDIRECTED = Reason("client.request.misdirected", 421, _CLIENT, "http_request_denied", "This connection may not serve that host.")
HEAD_TIMEOUT = Reason("client.head.timeout", 408, _CLIENT, "http_request_error", "The request head took too long to arrive.")
BODY_TIMEOUT = Reason("client.body.timeout", 408, _CLIENT, "http_request_error", "The request body stopped arriving.")
WRITE_TIMEOUT = Reason("client.write.timeout", 0, _CLIENT, "connection_write_timeout", "The client stopped reading the response.")
CLIENT_CLOSED = Reason("client.closed", 499, _CLIENT, "connection_terminated", "The client closed the connection.")

# TLS with the client.
TLS_HANDSHAKE = Reason("client.tls.handshake", 0, _CLIENT, "tls_protocol_error", "The TLS handshake failed.")
TLS_TIMEOUT = Reason("client.tls.timeout", 0, _CLIENT, "connection_timeout", "The TLS handshake took too long.")
TLS_NAME = Reason("client.tls.name", 0, _CLIENT, "tls_protocol_error", "No certificate here is for the name that the client asked for.")
TLS_PENDING = Reason("client.tls.pending", 0, _CLIENT, "tls_protocol_error", "The certificate for that name has been ordered and is not there yet.")
TLS_CERTIFICATE = Reason("client.tls.certificate", 0, _CLIENT, "tls_certificate_error", "The client's certificate is missing or not valid.")

# Limits.
LINE_TOO_LONG = Reason("limit.line", 414, _CLIENT, "http_request_error", "The request line is too long.")
HEAD_TOO_LARGE = Reason("limit.head", 431, _CLIENT, "http_request_error", "The request head is too large.")
TOO_MANY_FIELDS = Reason("limit.fields", 431, _CLIENT, "http_request_error", "The request has too many header fields.")
BODY_TOO_LARGE = Reason("limit.body", 413, _CLIENT, "http_request_error", "The request body is larger than the route allows.")
TRAILERS_TOO_LARGE = Reason("limit.trailers", 431, _CLIENT, "http_request_error", "The request trailers are too large.")

# Routing and gates.
ROUTE_NONE = Reason("route.none", 404, _PROXY, "destination_not_found", "No route matches this host and path.")
ROUTE_METHOD = Reason("route.method", 405, _PROXY, "http_request_denied", "No route here takes this method.")
MAX_FORWARDS = Reason("route.max_forwards", 200, _PROXY, "http_request_denied", "The request was not to be forwarded any further.")
RESOURCE_FAILED = Reason("resource.failed", 500, _PROXY, "proxy_internal_error", "The application on this route failed.")
INTERNAL = Reason("proxy.internal", 500, _PROXY, "proxy_internal_error", "The proxy failed on this request.")

# The upstream.
NO_SERVER = Reason("upstream.none_available", 503, _UPSTREAM, "destination_unavailable", "No server of the upstream is available.")
NAME_UNRESOLVED = Reason("upstream.name.unresolved", 503, _UPSTREAM, "dns_error", "The server's name does not resolve.")
CONNECT_REFUSED = Reason("upstream.connect.refused", 502, _UPSTREAM, "connection_refused", "The server refused the connection.")
CONNECT_TIMEOUT = Reason("upstream.connect.timeout", 504, _UPSTREAM, "connection_timeout", "The server did not accept the connection in time.")
CONNECT_FAILED = Reason("upstream.connect.failed", 502, _UPSTREAM, "destination_ip_unroutable", "No connection to the server could be made.")
UPSTREAM_TLS_UNTRUSTED = Reason("upstream.tls.untrusted", 502, _UPSTREAM, "tls_certificate_error", "The server's certificate is not trusted.")
UPSTREAM_TLS_NAME = Reason("upstream.tls.name", 502, _UPSTREAM, "tls_certificate_error", "The server's certificate is for another name.")
UPSTREAM_TLS_EXPIRED = Reason("upstream.tls.expired", 502, _UPSTREAM, "tls_certificate_error", "The server's certificate is not valid at this time.")
UPSTREAM_TLS_REVOKED = Reason("upstream.tls.revoked", 502, _UPSTREAM, "tls_certificate_error", "The server's certificate is revoked.")
UPSTREAM_TLS_HANDSHAKE = Reason("upstream.tls.handshake", 502, _UPSTREAM, "tls_protocol_error", "The TLS handshake with the server failed.")
RESPONSE_TIMEOUT = Reason("upstream.response.timeout", 504, _UPSTREAM, "http_response_timeout", "The server did not answer in time.")
RESPONSE_IDLE = Reason("upstream.response.idle", 504, _UPSTREAM, "connection_read_timeout", "The server stopped sending in the middle of its response.")
RESPONSE_CLOSED = Reason("upstream.response.closed", 502, _UPSTREAM, "connection_terminated", "The server closed the connection without answering.")
RESPONSE_TRUNCATED = Reason("upstream.response.truncated", 502, _UPSTREAM, "http_response_incomplete", "The server closed the connection in the middle of its response.")
RESPONSE_INVALID = Reason("upstream.response.invalid", 502, _UPSTREAM, "http_protocol_error", "The server's answer is not valid HTTP.")
RESPONSE_HEAD_TOO_LARGE = Reason("upstream.response.head_too_large", 502, _UPSTREAM, "http_response_header_section_size", "The server's response head is too large.")
RESPONSE_UPGRADE = Reason("upstream.response.upgrade", 502, _UPSTREAM, "http_upgrade_failed", "The server switched protocols without being asked.")
QUEUE_FULL = Reason("upstream.queue.full", 503, _UPSTREAM, "connection_limit_reached", "Too many requests wait for this upstream.")
QUEUE_TIMEOUT = Reason("upstream.queue.timeout", 503, _UPSTREAM, "connection_limit_reached", "No server of the upstream became free in time.")
CIRCUIT_OPEN = Reason("upstream.circuit.open", 503, _UPSTREAM, "destination_unavailable", "Too much of what this upstream is asked fails; it is left alone for a while.")
TUNNEL_IDLE = Reason("tunnel.idle", 0, _PROXY, "connection_timeout", "Nothing moved through the tunnel for too long.")

#: The upstream's, and yet no server's doing: none was asked.
NOT_ASKED = frozenset({NO_SERVER, NAME_UNRESOLVED, QUEUE_FULL, QUEUE_TIMEOUT, CIRCUIT_OPEN})

#: Every reason, by its code.
REASONS: dict[str, Reason] = {value.code: value for value in list(globals().values()) if isinstance(value, Reason)}


class ProxyError(Exception):
    """A request that fails, and everything needed to answer it, log it and decide on a retry.

    Raised where the failure is noticed, acted on by the loop in `proxy.resources.forward`, and turned into an
    answer in one place, `proxy.policy.answer`.

    @param reason: which way it failed.
    @param detail: what exactly happened, for the log; it never reaches a client.
    @param retry: whether the same request may be tried again.
    @param fields: what the answer has to say besides, such as `Allow`: names and values.
    """

    __slots__ = ("detail", "fields", "reason", "retry")

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        retry: Retry = Retry.NEVER,
        fields: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(reason, detail, retry)
        self.reason = reason
        self.detail = detail
        self.retry = retry
        self.fields = fields

    @property
    def of_server(self) -> bool:
        """Whether a server that was asked failed: what speaks against it (ejection), and against its upstream (the
        circuit). What a client did, or left undone, does not; nor do our own refusals, for which nobody was asked."""
        return self.reason.source is Source.UPSTREAM and self.reason not in NOT_ASKED

    def __str__(self) -> str:
        return f"{self.reason.code}: {self.detail or self.reason.words}"
