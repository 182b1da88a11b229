"""The demo: a few small sites on loopback, started by the service itself, so that a first request has a real way to go.

They are ordinary Twisted sites behind ordinary sockets; the proxy knows nothing about them but an address.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Site

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>It works: {name}</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 3rem auto; padding: 0 1rem; color: #222 }}
  h1 {{ font-weight: 600 }} .server {{ color: {color} }}
  dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem }}
  dt {{ color: #666 }} dd {{ margin: 0 }}
  code, td {{ font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere }}
  table {{ border-collapse: collapse; width: 100% }}
  td {{ border-top: 1px solid #ddd; padding: .25rem .75rem .25rem 0; vertical-align: top }}
  td:first-child {{ color: #666; white-space: nowrap }}
</style>
<h1>Answered by <span class="server">{name}</span></h1>
<p>Your request went through the proxy, over a pooled connection, to one of several servers. Reload the page:
the next one answers.</p>
<dl>
  <dt>Server</dt><dd><code>{name}</code>, request number {count}</dd>
  <dt>Route</dt><dd><code>{route}</code></dd>
  <dt>Request</dt><dd><code>{method} {target}</code></dd>
</dl>
<h2>What the server received</h2>
<table>{rows}</table>
<p>What to do next: open <code>config/routes.yaml</code>, put the address of your own server in place of
<code>demo:1</code>, and run <code>reverseproxy check config/routes.yaml</code>.</p>
</html>
"""

_COLORS = ("#0b6", "#06b", "#b60", "#90b", "#b03")

#: The default configuration names the route in this field, so that the page can show it.
ROUTE_FIELD = b"X-Demo-Route"


class DemoPage(Resource):
    """Shows what arrived, to browsers as a page and to everything else as text."""

    isLeaf = True

    def __init__(self, number: int) -> None:
        super().__init__()
        self._name = f"demo-{number}"
        self._color = _COLORS[(number - 1) % len(_COLORS)]
        self._count = 0

    def render(self, request: Any) -> bytes:
        self._count += 1
        request.setHeader(b"X-Served-By", self._name.encode())
        request.setHeader(b"Cache-Control", b"no-store")
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in request.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        if b"text/html" in request.requestHeaders.getRawHeaders(b"accept", [b""])[0]:
            request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
            return self._html(request, pairs).encode()
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return self._text(request, pairs).encode()

    def _route(self, request: Any) -> str:
        return str(request.requestHeaders.getRawHeaders(ROUTE_FIELD, [b"(not told)"])[0].decode("latin-1"))

    def _html(self, request: Any, pairs: Iterable[tuple[str, str]]) -> str:
        rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in pairs)
        return _PAGE.format(
            name=self._name,
            color=self._color,
            count=self._count,
            route=html.escape(self._route(request)),
            method=html.escape(request.method.decode("latin-1")),
            target=html.escape(request.uri.decode("latin-1")),
            rows=rows,
        )

    def _text(self, request: Any, pairs: Iterable[tuple[str, str]]) -> str:
        lines = [
            f"It works. Answered by {self._name}, request number {self._count}.",
            f"Route: {self._route(request)}",
            "",
            f"{request.method.decode('latin-1')} {request.uri.decode('latin-1')}",
            *(f"{name}: {value}" for name, value in pairs),
            "",
        ]
        return "\n".join(lines)


def demo_site(number: int, reactor: Any) -> Site:
    """The site of demo server `number`."""
    return _QuietSite(DemoPage(number), reactor=reactor)


class _QuietSite(Site):
    """The proxy's access log tells the same."""

    noisy = False

    def log(self, request: Any) -> None:
        """Nothing."""
