"""`graph`: listeners, routes in the order in which they count, their gates, and the pools and servers at the end."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.cli.reading import read
from proxy.cli.terminal import Ink, ink, say

if TYPE_CHECKING:
    from proxy.config import Loaded
    from proxy.config.gates import Gate
    from proxy.config.model import Listener
    from proxy.config.upstreams import Upstream
    from proxy.config.veil import Veil
    from proxy.routing import Route


class Pool(NamedTuple):
    """An upstream, or an answer of the proxy itself (without servers).

    @ivar kind: `upstream`, `redirect`, `respond`, `static` or `app`.
    @ivar servers: what each is called, with its weight where that matters.
    """

    kind: str
    name: str
    words: str
    servers: tuple[str, ...] = ()


class Way(NamedTuple):
    """One route.

    @ivar takes: its host, path and conditions, in words.
    @ivar targets: where it leads, each with what stands at the way there: the share of a split, or "".
    """

    name: str
    takes: str
    position: str
    gates: tuple[str, ...]
    targets: tuple[tuple[Pool, str], ...]


class Entry(NamedTuple):
    """One listener.

    @ivar words: what it does beyond plain HTTP: `TLS`, or `redirects to https`.
    @ivar serves: whether requests come to the routes from here.
    """

    endpoint: str
    words: str = ""
    serves: bool = True


class Graph(NamedTuple):
    """Everything that is drawn. A pool that several routes use is the same one for all.

    @ivar unused: upstreams that no route leads to.
    """

    entries: tuple[Entry, ...]
    ways: tuple[Way, ...]
    unused: tuple[Pool, ...] = ()


def graph(arguments: argparse.Namespace) -> int:
    """Draw a configuration."""
    drawn = graph_of(read(arguments.file))
    if arguments.format == "mermaid":
        say(as_mermaid(drawn))
    elif arguments.format == "svg":
        from proxy.cli.svg import as_svg

        say(as_svg(drawn))
    else:
        say(as_text(drawn, ink()))
    return 0


def graph_of(loaded: Loaded) -> Graph:
    """The graph of a configuration."""
    from proxy.config.veil import Veil
    from proxy.routing import build

    config = loaded.require()
    router = build(config.routes, loaded.position)
    pools = {name: _pool(name, upstream) for name, upstream in config.upstreams.items()}
    routes = dict.fromkeys(entry.route for entry in router.entries)
    ways = tuple(_way(route, pools) for route in routes)
    used = {pool.name for way in ways for pool, _ in way.targets if pool.kind == "upstream"}
    unused = tuple(pool for name, pool in pools.items() if name not in used)
    graph: Graph = _veiled(Graph(tuple(map(_entry, config.listen)), ways, unused), Veil(loaded.secrets))
    return graph


def _entry(listener: Listener) -> Entry:
    if listener.redirect is not None:
        return Entry(listener.endpoint, f"redirects to {listener.redirect.text}", False)
    return Entry(listener.endpoint, "TLS" if listener.tls is not None else "")


def _veiled(part: Any, veil: Veil) -> Any:
    """`part` of a graph, without what nobody may see."""
    if isinstance(part, str):
        return veil.within(part)
    if isinstance(part, bool):
        return part
    items = [_veiled(item, veil) for item in part]
    return type(part)(*items) if hasattr(part, "_fields") else tuple(items)


def _pool(name: str, upstream: Upstream) -> Pool:
    weighted = len({server.weight for server in upstream.servers}) > 1
    servers = []
    for server in upstream.servers:
        notes = [f"weight {server.weight}"] if weighted else []
        notes += ["backup"] if server.rank == 1 else [f"priority {server.rank}"] if server.rank else []
        words = server.url.text if server.name is None else f"{server.name} {server.url.text}"
        servers.append(f"{words} ({', '.join(notes)})" if notes else words)
    return Pool("upstream", name, str(upstream.balance), tuple(servers))


def _way(route: Route, pools: dict[str, Pool]) -> Way:
    wish = route.wish
    gates = tuple(_gate(gate) for gate in wish.gates)
    if wish.split is not None:
        total = sum(branch.weight for branch in wish.split.branches)
        shares = ((pools[branch.upstream], f"{branch.weight / total:.3g}") for branch in wish.split.branches)
        targets = tuple((pool, f"{float(share):.0%}") for pool, share in shares)
    elif wish.upstream is not None:
        targets = ((pools[wish.upstream], ""),)
    else:
        targets = ((Pool(wish.target, *_answer(route)), ""),)
    return Way(route.name, _takes(route), str(route.position), gates, targets)


def _gate(gate: Gate) -> str:
    prefix = gate.strip_prefix or gate.add_prefix
    if prefix is not None:
        return f"{gate.kind} {prefix.decode()}"
    return f"{gate.kind} {gate.rewrite.replace}" if gate.rewrite is not None else gate.kind


def _answer(route: Route) -> tuple[str, str]:
    """What a route without an upstream answers with: in short, and some more."""
    wish = route.wish
    if wish.redirect is not None:
        return wish.redirect.to.decode(), str(wish.redirect.status)
    if wish.respond is not None:
        return str(wish.respond.status), ""
    if wish.static is not None:
        return wish.static.root, ""
    return (wish.app.object if wish.app is not None else ""), ""


def _takes(route: Route) -> str:
    wish = route.wish
    hosts = [_regex(host.regex) if host.regex is not None else str(host.name) for host in wish.host or ()]
    paths = [
        _regex(path.regex) if path.regex is not None else path.prefix or f"={path.exact}" for path in wish.path or ()
    ]
    words = [", ".join(hosts) or "any host", ", ".join(paths)]
    words += [" ".join(wish.methods or ())]
    words += [name.decode() for name in wish.headers] + [f"?{name}" for name in wish.query]
    words += [f"from {', '.join(map(str, wish.client))}" if wish.client else ""]
    return "  ".join(filter(None, words))


def _regex(pattern: re.Pattern[bytes]) -> str:
    return f"~{pattern.pattern.decode()}"


# --- text ---------------------------------------------------------------------------------------------------


def as_text(drawn: Graph, colors: Ink) -> str:
    """The graph as a tree of lines."""
    lines = [
        f"{colors('listen', 'dim')} {colors(entry.endpoint, 'bold')}" + (f"  {entry.words}" if entry.words else "")
        for entry in drawn.entries
    ]
    said: set[str] = set()
    for at, way in enumerate(drawn.ways):
        last = at == len(drawn.ways) - 1
        lines.append("│")
        head = f"{colors(way.name, 'bold', 'cyan')}  {way.takes}  {colors(way.position, 'dim')}"
        lines.append(("└─ " if last else "├─ ") + head)
        lines += [("   " if last else "│  ") + line for line in _below(way, said, colors)]
    if drawn.unused:
        nowhere = Way("", "", "", (), tuple((pool, "") for pool in drawn.unused))
        lines += ["", colors("no route leads to", "dim"), *_below(nowhere, said, colors)]
    return "\n".join(lines)


def _below(way: Way, said: set[str], colors: Ink) -> Iterator[str]:
    """What stands below a route: its gates, then its targets."""
    for gate in way.gates:
        yield f"├─ {colors('gate', 'dim')} {gate}"
    for at, (pool, share) in enumerate(way.targets):
        last = at == len(way.targets) - 1
        words = f"{colors(pool.kind, 'dim')} {colors(pool.name, 'bold')}" + (f"  {share}" if share else "")
        known = pool.name in said and bool(pool.servers)
        notes = "shown above" if known else pool.words
        yield ("└─ " if last else "├─ ") + words + (f"  {colors(notes, 'dim')}" if notes else "")
        said.add(pool.name)
        for number, server in enumerate(() if known else pool.servers, 1):
            branch = "└─ " if number == len(pool.servers) else "├─ "
            yield ("   " if last else "│  ") + branch + server


# --- Mermaid ------------------------------------------------------------------------------------------------


def as_mermaid(drawn: Graph) -> str:
    """The graph for Mermaid, which many wikis and code hosts draw: https://mermaid.js.org/syntax/flowchart.html."""
    lines = ["flowchart LR"]
    pools: dict[Pool, str] = {}
    for at, entry in enumerate(drawn.entries):
        words = f"<br>{_label(entry.words)}" if entry.words else ""
        lines.append(f'  l{at}(["{_label(entry.endpoint)}{words}"])')
    for at, way in enumerate(drawn.ways):
        lines.append(f'  r{at}["{_label(way.name)}<br>{_label(way.takes)}"]')
        lines += [f"  l{number} --> r{at}" for number, entry in enumerate(drawn.entries) if entry.serves]
        last = f"r{at}"
        for number, gate in enumerate(way.gates):
            lines.append(f'  {last} --> g{at}_{number}{{{{"{_label(gate)}"}}}}')
            last = f"g{at}_{number}"
        for pool, share in way.targets:
            if pool not in pools:
                pools[pool] = f"p{len(pools)}"
                lines += _mermaid_pool(pool, pools[pool])
            lines.append(f"  {last} -->{f'|{share}|' if share else ''} {pools[pool]}")
    for at, pool in enumerate(drawn.unused):
        lines += [*_mermaid_pool(pool, f"u{at}"), f"  style u{at} stroke-dasharray: 4 3"]
    return "\n".join(lines)


def _mermaid_pool(pool: Pool, name: str) -> Iterator[str]:
    if pool.kind != "upstream":
        yield f'  {name}>"{_label(f"{pool.kind} {pool.words} {pool.name}")}"]'
        return
    yield f'  {name}[("{_label(pool.name)}<br>{_label(pool.words)}")]'
    for number, server in enumerate(pool.servers):
        yield f'  {name} --> {name}_{number}["{_label(server)}"]'


def _label(text: str) -> str:
    """`text` for a label in quotes: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters."""
    for letter, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(letter, code)
    return " ".join(text.split())
