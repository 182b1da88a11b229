"""How long the certificates in use count, and how it stands with their OCSP responses: told in one shape, with numbers
that can be measured, to whoever asks the running proxy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from proxy.tls.certificates import Pair
from proxy.tls.keyring import Host, Keyring


def certificates(keyring: Keyring, now: float) -> list[dict[str, Any]]:
    """Every certificate of a listener, as JSON values: `file`, `names`, `key` (RSA, ECDSA or EdDSA), `not_after`,
    `seconds_left` (negative when it has expired) and `staple`.

    @param now: seconds since 1970.
    """
    return [
        {
            "file": files.cert,
            "names": list(host.names),
            "key": pair.kind,
            "not_after": _date(pair.not_after.timestamp()),
            "seconds_left": round(pair.not_after.timestamp() - now),
            "staple": _staple(host, pair, now),
        }
        for host in keyring.hosts
        for files, pair in zip(host.plan.files, host.pairs, strict=False)
    ]


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
