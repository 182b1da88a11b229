"""`status` and `reload`: how the running proxy is, and how it takes a new configuration."""

from __future__ import annotations

import argparse
from typing import Any

from proxy import limits
from proxy.cli.control import Control, Refusal
from proxy.cli.plan import print_changes
from proxy.cli.terminal import Ink, complain, ink, say, say_json, table

_HUES = {"up": "green", "serving": "green", "down": "red", "ejected": "red", "open": "red", "failing": "yellow"}
_HUES |= {"draining": "yellow", "drained": "yellow"}
_HUES |= {"valid": "green", "renewing": "green", "ordering": "yellow", "missing": "red", "expired": "red"}
# The others are in `--json`.
_CERTIFICATES = 10


def status(arguments: argparse.Namespace) -> int:
    """Print how the running proxy is: listeners, upstreams with every server, reloads. 1 where it does not serve."""
    said = Control.of_file(arguments.admin, arguments.file).get("/status")
    if arguments.json:
        say_json(said)
    else:
        say(render_status(said, ink()))
    return 0 if said.get("state") == "serving" else 1


def reload(arguments: argparse.Namespace) -> int:
    """Make the running proxy read its configuration anew, and print what changed; 1 where it keeps the old one."""
    site = Control.of_file(arguments.admin, arguments.file)
    try:
        said = site.post("/reload", {})
    except Refusal as refusal:
        if arguments.json:
            say_json(refusal.value)
        else:
            complain(refusal.text)
            complain("refused: the old configuration stays in force")
        return 1
    print_changes(said, as_json=arguments.json)
    return 0


def render_status(said: dict[str, Any], colors: Ink) -> str:
    """The status for people."""
    state = str(said.get("state", "unknown"))
    known = [f"{name} {said[name]}" for name in ("version", "pid", "reactor", "configuration") if said.get(name)]
    lines = [f"{colors(state, 'bold', _HUES.get(state, 'yellow'))}  {', '.join(known)}"]
    if said.get("reloads"):
        lines += _reloads(said["reloads"], colors)
    if said.get("listeners"):
        lines += ["", colors("listeners", "bold")]
        lines += table((one["endpoint"], _count(one["connections"], "connection")) for one in said["listeners"])
    if said.get("certificates"):
        lines += ["", colors("certificates", "bold"), *certificate_lines(said["certificates"], colors)]
    if said.get("acme"):
        lines += ["", colors("certificates by ACME", "bold"), *order_lines(said["acme"], colors)]
    for upstream in said.get("upstreams", ()):
        lines += ["", *_upstream(upstream, colors)]
    return "\n".join(lines)


def _reloads(said: dict[str, Any], colors: Ink) -> list[str]:
    counts = ", ".join(f"{value} {name}" for name, value in said.items() if isinstance(value, int))
    lines = [f"reloads: {counts}"]
    if said.get("error"):
        first = str(said["error"]).partition("\n")[0]
        lines.append(colors(f"the last one was refused: {first}", "red"))
    return lines


def certificate_lines(certificates: list[dict[str, Any]], colors: Ink) -> list[str]:
    """A line for each certificate, those that expire first before the others, at most `_CERTIFICATES`. One that several
    listeners have is one."""
    once = list({(one["file"], *one["names"], *one.get("upstreams", ())): one for one in certificates}.values())
    first = sorted(once, key=lambda one: one["seconds_left"])[:_CERTIFICATES]
    rows = []
    for one in first:
        staple, told = one["staple"], _some(one["names"])
        if "upstreams" in one:
            told = ", ".join(filter(None, (told, f"for {_some(one['upstreams'])}")))
        response = {"none": "", "off": "", "good": "stapled"}.get(staple["state"], f"staple {staple['state']}")
        why = f": {staple['error']}" if staple["error"] else ""
        rows.append((told, one["key"], f"until {one['not_after'][:10]}", one["file"], response + why))
    left = [_left(one["seconds_left"]) for one in first]
    width = max(map(len, left))
    lines = [
        f"  {colors(words.ljust(width), _hue(one))}  {line}"
        for words, one, line in zip(left, first, table(rows, ""), strict=True)
    ]
    rest = len(once) - len(first)
    return [*lines, f"  and {rest} that expire later"] if rest else lines


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _left(seconds: int) -> str:
    """How long that is, for people: in days, and on the last one in hours."""
    hours = abs(seconds) // 3600
    words = _count(hours // 24, "day") if hours >= 24 else _count(hours, "hour")
    return words if seconds >= 0 else f"expired {words} ago"


def _hue(certificate: dict[str, Any]) -> str:
    if certificate["seconds_left"] < 0 or certificate["staple"]["state"] == "revoked":
        return "red"
    soon = certificate["seconds_left"] < limits.CERTIFICATE_WARN_DAYS * 86400
    return "yellow" if soon or certificate["staple"]["error"] else "green"


def _upstream(said: dict[str, Any], colors: Ink) -> list[str]:
    notes = [f"{said[name]} {name}" for name in ("queued", "retrying") if said.get(name)]
    if said.get("circuit"):
        notes.append(f"circuit {said['circuit']}")
    if said.get("draining"):
        notes.append("draining")
    head = colors(f"upstream {said['name']}", "bold") + (f"  {', '.join(notes)}" if notes else "")
    return [head, *unresolved_lines(said, colors), *server_lines(said["servers"], colors)]


def unresolved_lines(upstream: dict[str, Any], colors: Ink) -> list[str]:
    """A line for what is wrong with names of servers that do not resolve, if anything is."""
    why = upstream.get("unresolved")
    return [f"  {colors('unresolved', 'red')}  {why}"] if why else []


def server_lines(servers: list[dict[str, Any]], colors: Ink) -> list[str]:
    """A line for each server of a running proxy: state, load, latency and why it is as it is."""
    rows = []
    for one in servers:
        latency = f"{one['latency_ms']:g} ms" if one.get("latency_ms") else "-"
        counts = f"{one.get('in_flight', 0)} in flight", f"{one.get('idle', 0)} idle", latency
        asked = f"{one.get('requests', 0)} requests", f"{one.get('failures', 0)} failed"
        rank = f"weight {one.get('weight', 1):g}" + (f", rank {one['priority']}" if one.get("priority") else "")
        probed = f"probed {one['probed_seconds']:g} s ago" if one.get("probed_seconds") is not None else ""
        why = "; ".join(filter(None, (one.get("why"), probed)))
        rows.append((str(one.get("state", "")), one["name"], _address(one), rank, *counts, *asked, why))
    width = max((len(row[0]) for row in rows), default=0)
    # Painted after the columns are made: colors have a width of their own.
    return [
        f"  {colors(row[0].ljust(width), _HUES.get(row[0], 'dim'))}  {line}"
        for row, line in zip(rows, table((row[1:] for row in rows), ""), strict=True)
    ]


def order_lines(certificates: list[dict[str, Any]], colors: Ink) -> list[str]:
    """A line for each certificate that is ordered, and one below it for what went wrong last."""
    width = max((len(one["state"]) for one in certificates), default=0)
    lines = []
    for one in certificates:
        facts = [f"until {one['expires']}"] if one.get("expires") else []
        facts += [f"next attempt {one['next_attempt']}"] if one.get("next_attempt") else []
        state = colors(str(one["state"]).ljust(width), _HUES.get(one["state"], "dim"))
        lines.append("  ".join((f"  {state}", ", ".join(one["names"]), ", ".join(facts))).rstrip())
        if one.get("error"):
            words = f"{_count(one['failures'], 'failure')}, the last: {one['error']}"
            lines.append(f"  {' ' * width}  {colors(words, 'red')}")
    return lines


def _address(one: dict[str, Any]) -> str:
    address = str(one.get("address", ""))
    return "" if address in one["name"] else address


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
