"""How long the certificates in use count, and how it stands with their OCSP responses: told in one shape, with numbers
that can be measured, to whoever asks the running proxy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from proxy.tls.certificates import Pair
from proxy.tls.client import ClientTls
from proxy.tls.keyring import Host, Keyring

_NO_STAPLE = {"state": "none", "seconds_left": None, "error": ""}


def certificates(keyring: Keyring, now: float) -> list[dict[str, Any]]:
    """Every certificate of a listener, as JSON values: `file`, `names`, `key` (RSA, ECDSA or EdDSA), `not_after`,
    `seconds_left` (negative when it has expired) and `staple`. The files by which its hosts judge clients stand beside
    them, where `key` is CA or CRL.

    @param now: seconds since 1970.
    """
    return [one for host in keyring.hosts for one in _of_host(host, now)]


def upstream_certificates(used: Iterable[tuple[str, ClientTls]], now: float) -> list[dict[str, Any]]:
    """The same of upstreams, whose names are `upstreams`: our own certificates for their servers, and the files by
    which these are judged.

    @param used: the names of upstreams with their TLS, which several may share.
    @param now: seconds since 1970.
    """
    upstreams: dict[ClientTls, list[str]] = {}
    for name, tls in used:
        upstreams.setdefault(tls, []).append(name)
    return [{"upstreams": names, **one} for tls, names in upstreams.items() for one in _of_client(tls, now)]


def _of_host(host: Host, now: float) -> Iterator[dict[str, Any]]:
    for files, pair in zip(host.plan.files, host.pairs, strict=False):
        end, staple = pair.not_after.timestamp(), _staple(host, pair, now)
        yield _entry(host.names, files.cert, pair.kind, end, now, staple)
    for term in host.terms:
        yield _entry(host.names, term.file, term.kind, term.end, now, _NO_STAPLE)


def _of_client(tls: ClientTls, now: float) -> Iterator[dict[str, Any]]:
    own, judged = tls.in_use()
    if own is not None:
        yield _entry(own.names, tls.plan.cert, own.kind, own.not_after.timestamp(), now, _NO_STAPLE)
    for term in judged:
        yield _entry((), term.file, term.kind, term.end, now, _NO_STAPLE)


def _entry(
    names: Sequence[str], file: str, key: str, end: float, now: float, staple: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "file": file,
        "names": list(names),
        "key": key,
        "not_after": _date(end),
        "seconds_left": round(end - now),
        "staple": dict(staple),
    }


def _staple(host: Host, pair: Pair, now: float) -> dict[str, Any]:
    """`state` (`off`, or see `proxy.tls.stapling.Entry`), `seconds_left` of the response (None without one), and what
    is wrong (`error`, "" for nothing)."""
    if host.stapling is None:
        return {"state": "off", "seconds_left": None, "error": ""}
    entry = host.stapling.entry(pair)
    left = round(entry.answer.next_update - now) if entry.answer is not None else None
    return {"state": entry.state, "seconds_left": left, "error": entry.why}


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
