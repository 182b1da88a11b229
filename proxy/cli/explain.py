"""`explain`: what would happen to a request, step by step, each with the place in the configuration that decides it."""

from __future__ import annotations

import argparse
from typing import Any

from proxy.admin.words import duration, size
from proxy.cli.live import server_lines, unresolved_lines
from proxy.cli.terminal import Ink, Stop, ink, say, say_json, table

# With more routes than this, those that were rejected for their host or path are only counted.
_ROUTES_SHOWN = 12
_OFTEN = ("the host", "the path")


def explain(arguments: argparse.Namespace) -> int:
    """Say what would happen to a request; 1 where no route takes it."""
    words = list(arguments.words)
    if len(words) != 3 and not (arguments.live and len(words) == 2):
        raise Stop("reverseproxy explain: FILE METHOD URL (with --live, FILE may be left out)", 2)
    method, url = words[-2:]
    file = words[0] if len(words) == 3 else None
    if arguments.live:
        from proxy.cli.control import Control

        question = {"method": method, "url": url, "headers": arguments.header, "client": arguments.client}
        question |= {"listener": arguments.listener} if arguments.listener else {}
        shown = _certificate(arguments.client_cert)
        question |= {"certificate": shown} if shown is not None else {}
        said = Control.of_file(arguments.admin, file).post("/explain", question)
    else:
        said = _offline(str(file), method, url, arguments)
    if arguments.json:
        say_json(said)
    else:
        say(render(said, ink(), live=arguments.live, everything=arguments.all))
    return 0 if "route" in said.get("then", said) else 1


def _offline(file: str, method: str, url: str, arguments: argparse.Namespace) -> Any:
    from proxy.cli.reading import offline_house, read
    from proxy.explain.journey import judges_of
    from proxy.explain.question import Question
    from proxy.explain.report import explain as ask

    house, shown = offline_house(read(file)), _certificate(arguments.client_cert)
    question = Question(method, url, tuple(arguments.header), arguments.client, arguments.listener, shown)
    try:
        return ask(house, question, judges_of(house.loaded, house.root.router))
    except ValueError as error:
        raise Stop(f"reverseproxy explain: {error}", 2) from error


def _certificate(name: str | None) -> str | None:
    """The certificate that a client shows; None where nobody has said which."""
    if name is None:
        return None
    from proxy.explain.handshake import certificate_named
    from proxy.tls.certificates import CertificateError

    try:
        return certificate_named(name)
    except CertificateError as error:
        raise Stop(f"reverseproxy explain: {error}", 2) from error


def render(said: dict[str, Any], colors: Ink, *, live: bool = False, everything: bool = False) -> str:
    """The explanation for people.

    @param live: it comes from a running proxy, so the state of servers means something.
    @param everything: list every route that was rejected, however many.
    """
    lines = [*_request(said["request"], colors), *_listener(said.get("listener"), colors)]
    if "client_certificate" in said:
        lines.append(_client_certificate(said["client_certificate"], colors))
    if "routes" in said:
        lines += _routes(said, colors, everything)
    if "gates" in said:
        lines += _gates(said["gates"], colors)
    if "upstream_request" in said:
        request = said["upstream_request"]
        lines.append(_title("the upstream sees", colors))
        lines += [f"  {line}" for line in (request["line"], *request["fields"])]
    if "split" in said:
        lines += _split(said["split"], colors)
    for upstream in said.get("upstreams", ()):
        lines += _upstream(upstream, colors, live)
    if "answer" in said:
        lines += _answer(said, colors)
    elif "target" in said and not said.get("upstreams"):
        target = said["target"]
        lines += [_title(f"target  {target['kind']}", colors, target["position"])]
    for title in ("deadlines", "limits"):
        if title in said:
            lines += [_title(title, colors), *_in_force(said[title], colors)]
    if "then" in said:
        lines += ["", render(said["then"], colors, live=live, everything=everything)]
    return "\n".join(lines).lstrip("\n")


def _title(text: str, colors: Ink, position: str = "") -> str:
    word, _, rest = text.partition("  ")
    shown = colors(word, "bold") + (f"  {colors(rest, 'cyan', 'bold')}" if rest else "")
    return f"\n{shown}" + (f"  {colors(position, 'dim')}" if position else "")


def _request(request: dict[str, Any], colors: Ink) -> list[str]:
    lines = [f"{colors(request['method'] + ' ' + request['url'], 'bold')}  from {request['client']}"]
    if "path" in request:
        lines.append(f"  host {request['host']}, path {request['path']}")
    return lines


def _listener(said: dict[str, Any] | None, colors: Ink) -> list[str]:
    if said is None:
        return []
    if said["endpoint"] is None:
        return [f"  no listener speaks {said['scheme']}: judged as if one did"]
    others = f", like {' and '.join(said['others'])}: --listener names one" if said["others"] else ""
    return [f"  listener {said['endpoint']}{others}  {colors(said['position'], 'dim')}".rstrip()]


def _client_certificate(said: dict[str, Any], colors: Ink) -> str:
    whom = f"client certificate {said['asks']} by {said['asked_by']}"
    if said["client"] == "assumed":
        return f"  {whom}: {colors('taken for one that is believed', 'yellow')}, --client-cert says which"
    return f"  {whom}: {'believed' if said['client'] == 'shown' else 'the client has none'}"


def _routes(said: dict[str, Any], colors: Ink, everything: bool) -> list[str]:
    route = said.get("route")
    if route is None:
        lines = [_title("route", colors) + f"  {colors('none', 'red', 'bold')}"]
    else:
        lines = [_title(f"route  {route['name']}", colors, route["position"])]
    rejected = [one for one in said["routes"] if one["rejected"] is not None]
    shown = rejected
    if len(rejected) > _ROUTES_SHOWN and not everything:
        near = [one for one in rejected if not one["rejected"].startswith(_OFTEN)]
        shown = near[:_ROUTES_SHOWN]
    if shown:
        lines.append("  not")
        rows = table(((one["name"], one["rejected"], one["position"]) for one in shown), "    ")
        lines += [_dimmed(row, one["position"], colors) for row, one in zip(rows, shown, strict=True)]
    if len(shown) < len(rejected):
        others = f"{len(rejected) - len(shown)} others"
        lines.append(f"    {colors(f'and {others}: --all lists them', 'dim')}")
    return lines


def _dimmed(row: str, tail: str, colors: Ink) -> str:
    """`row` with its last column in the background."""
    return row.removesuffix(tail) + colors(tail, "dim") if tail and row.endswith(tail) else row


def _gates(gates: list[dict[str, Any]], colors: Ink) -> list[str]:
    if not gates:
        return []
    lines = [_title("gates", colors)]
    for number, one in enumerate(gates, 1):
        lines.append(f"  {number} {one['gate']}  {colors(one['position'], 'dim')}")
        did = [*one["did"], *(f"response {change}" for change in one.get("response", ()))]
        lines += [f"      {change}" for change in did or ["does nothing here"]]
    return lines


def _split(split: dict[str, Any], colors: Ink) -> list[str]:
    by = f"by {split['by']}" if split["by"] else "by lots"
    if split["by"] and all(branch["chosen"] is None for branch in split["branches"]):
        by = f"by lots: the request has no {split['by']}"
    lines = [_title("split", colors) + f"  {by}"]
    rows = []
    for branch in split["branches"]:
        mark = "-> " if branch["chosen"] else "   " if branch["chosen"] is False else ""
        rows.append((f"{mark}{branch['upstream']}", f"{branch['share']:.1%}", branch["position"]))
    return lines + [_dimmed(line, row[-1], colors) for line, row in zip(table(rows), rows, strict=True)]


def _server(server: dict[str, Any]) -> tuple[str, ...]:
    """A server of which nothing is known but what is written."""
    return server["name"], f"weight {server['weight']:g}", f"rank {server['priority']}" if server["priority"] else ""


def _upstream(upstream: dict[str, Any], colors: Ink, live: bool) -> list[str]:
    notes = [upstream["balance"]]
    if upstream["sticky"]:
        notes.append(f"sticky by the cookie {upstream['sticky']}")
    if upstream.get("leads_to"):
        notes.append(f"which leads to {upstream['leads_to']}")
    if upstream["circuit"]:
        notes.append(f"circuit {upstream['circuit']}")
    if upstream["queued"]:
        notes.append(f"{upstream['queued']} queued")
    lines = [_title(f"upstream  {upstream['name']}", colors, upstream["position"]), f"  {', '.join(notes)}"]
    lines += server_lines(upstream["servers"], colors) if live else table(map(_server, upstream["servers"]))
    if upstream["unresolved"]:
        lines += unresolved_lines(upstream, colors)
    elif not upstream["servers"]:
        lines += [f"  {name}  is looked up while the proxy runs" for name in upstream["names"]]
    return lines + _in_force(upstream["bounds"], colors)


def _answer(said: dict[str, Any], colors: Ink) -> list[str]:
    answer = said["answer"]
    status = answer["status"]
    hue = "green" if status is not None and status < 400 else "red"
    unknown = colors("none", "red", "bold") if "reason" in answer else colors("not known", "yellow")
    words = colors(str(status), hue, "bold") if status is not None else unknown
    lines = [_title("answer", colors) + f"  {words}  by {answer['by']}"]
    if answer["by"] == "the listener":
        listener = said["listener"]
        lines[0] += f" {listener['endpoint']}: redirect  {colors(listener['position'], 'dim')}"
    elif "target" in said and answer["by"] == "the route":
        lines[0] += f": {said['target']['kind']}  {colors(said['target']['position'], 'dim')}"
    if "reason" in answer:
        detail = f": {answer['detail']}" if answer["detail"] else ""
        lines.append(f"  {answer['reason']}{detail}")
    return lines + [f"  {line}" for line in answer["fields"]]


def _in_force(values: dict[str, dict[str, Any]], colors: Ink) -> list[str]:
    rows = [(name, _value(one), one["from"]) for name, one in values.items()]
    return [_dimmed(line, row[-1], colors) for line, row in zip(table(rows), rows, strict=True)]


def _value(one: dict[str, Any]) -> str:
    if one["unit"] == "s":
        return duration(one["value"]) if one["value"] else "none"
    if one["unit"] == "B":
        return size(one["value"]) if one["value"] else "none"
    return str(one["value"])
