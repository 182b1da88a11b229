"""`docs/reasons.md`, written from the table in `proxy/errors.py`.

python -m tests.support.reasons         writes the page anew; `tests/test_errors.py` fails where it is not as written
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.errors import NOT_ASKED, REASONS, Reason, Retry, Source
from tests.support.proxy import ROOT

PAGE = ROOT / "docs" / "reasons.md"

_INTRODUCTION = """# Reasons

<!-- Written from proxy/errors.py by `python -m tests.support.reasons`. -->

Every request that fails has one of these words. The same word stands in the access log (`reason`), in the small page
that the client gets, and in its `Proxy-Status` field (RFC 9209), so what you see in one place you can search for in
the others. The request id on the page leads to the line of the log, where `detail` says what exactly happened; a
client never sees the detail.

A status of "-" means that no answer can be given any more: the connection is cut. `499` is only ever in the log. The
kind is the error type of RFC 9209, section 2.3.
"""

_SOURCES = {
    Source.CLIENT: "The client",
    Source.PROXY: "The proxy, its routes and gates",
    Source.UPSTREAM: "The upstream",
}

_BLAME = """
## What speaks against a server

What stands in the last table is a failure of the server that was asked ([ejection](configuration.md#health), its
counter) and of its upstream (the circuit breaker). Not so where no server was asked:

{not_asked}

What a client did or left undone, a gate, and the proxy itself speak against nobody.
"""

_RETRIES = f"""
## When a failure is tried again

A failure also says whether the same request may be tried once more:

| word | meaning |
|---|---|
| `{Retry.UNSENT.value}` | The request never left us: any method may go to another server. |
| `{Retry.SENT.value}` | The server may have seen the request: only an idempotent method is repeated. |
| `{Retry.NEVER.value}` | The client gets the answer. |

Connections that cannot be made are `unsent`. A server that closes or says nothing before its response begins is `sent`:
mostly this is a kept connection that the server closed in the very moment in which it was used. Everything else is
`never`. Nothing is repeated once part of a response has been passed on.
"""


def page() -> str:
    """The text of the page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for source, title in _SOURCES.items():
        yield f"## {title}\n"
        yield "| reason | status | what it means | kind |"
        yield "|---|---|---|---|"
        yield from (_row(reason) for reason in REASONS.values() if reason.source is source)
        yield ""
    not_asked = "\n".join(f"- `{reason.code}`" for reason in REASONS.values() if reason in NOT_ASKED)
    yield _BLAME.format(not_asked=not_asked).strip() + "\n"
    yield _RETRIES.strip() + "\n"


def _row(reason: Reason) -> str:
    status = str(reason.status) if reason.status else "-"
    return f"| `{reason.code}` | {status} | {reason.words} | `{reason.kind}` |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
