"""Leaving HTTP: which `Upgrade` is passed on, and which 101 is believed (RFC 9110 section 7.8).

An upgrade is passed on only where both sides will agree on where HTTP ends: asked for over HTTP/1.1, nominated in
`Connection`, without a body (CVE-2026-58055), to a protocol that the route allows. Everything else goes on as the
plain request that it also is. HTTP/2 over cleartext and TLS inside HTTP are never passed on: behind such a tunnel
requests would travel past every gate (h2c smuggling; CVE-2026-88008).
"""

from __future__ import annotations

from collections.abc import Collection

from proxy.errors import REQUEST_INVALID, REQUEST_UPGRADE, RESPONSE_UPGRADE, ProxyError
from proxy.message.fields import Fields
from proxy.message.head import RequestHead, ResponseHead
from proxy.policy.hop import connection_options

#: In a route's list of protocols: any, but those that are never passed on.
ANY = b"*"

# Protocol names without version, in lower case.
_NEVER = frozenset({b"h2c", b"h2", b"h3", b"http", b"tls"})


def asked_protocols(head: RequestHead) -> tuple[bytes, ...]:
    """The protocols that a received request asks to switch to and that may be thought about; mostly empty.

    @raise ProxyError: too many connection options.
    """
    fields = head.fields
    if b"upgrade" not in fields or head.minor == 0 or _has_body(fields):
        return ()
    if b"upgrade" not in connection_options(fields, REQUEST_INVALID):
        return ()
    return tuple(protocol for protocol in protocols(fields) if _name(protocol) not in _NEVER)


def permitted(asked: Collection[bytes], allowed: Collection[bytes]) -> bytes:
    """The value of `Upgrade` to send to the upstream; empty where nothing was asked.

    @param asked: what `asked_protocols` found.
    @param allowed: the protocol names of the route, in lower case and without version, or `ANY`.
    @raise ProxyError: something was asked, and the route allows none of it.
    """
    if not asked:
        return b""
    kept = [protocol for protocol in asked if ANY in allowed or _name(protocol) in allowed]
    if not kept:
        raise ProxyError(REQUEST_UPGRADE, f"asked for {b', '.join(asked)!r}")
    return b", ".join(kept)


def switched(asked: bytes, answer: ResponseHead) -> bytes:
    """The protocol of a 101 that answers to `asked`, the value of `Upgrade` that was sent ("" where none was).

    @raise ProxyError: nobody asked for it.
    """
    wanted = {protocol.strip(b" \t").lower() for protocol in asked.split(b",")} if asked else set()
    got = protocols(answer.fields)
    if len(got) == 1 and got[0].lower() in wanted and b"upgrade" in connection_options(answer.fields, RESPONSE_UPGRADE):
        return got[0]
    raise ProxyError(RESPONSE_UPGRADE, f"asked for {asked!r}, switched to {b', '.join(got)!r}")


def protocols(fields: Fields) -> list[bytes]:
    """The members of `Upgrade`, in their own spelling."""
    members = b",".join(fields.all(b"upgrade")).split(b",")
    return [protocol for member in members if (protocol := member.strip(b" \t"))]


def _name(protocol: bytes) -> bytes:
    return protocol.partition(b"/")[0].lower()


def _has_body(fields: Fields) -> bool:
    if b"transfer-encoding" in fields:
        return True
    return any(length.strip(b"0") for length in fields.all(b"content-length"))
