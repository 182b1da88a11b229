"""`drain` and `undrain`: take a server out of its upstream and put it back; or let the whole proxy come to its end."""

from __future__ import annotations

import argparse
import time
from collections.abc import Collection
from typing import Any

from proxy.cli.control import Control
from proxy.cli.live import server_lines
from proxy.cli.terminal import Stop, complain, ink, say, say_json

_LOOK_SECONDS = 0.1


def drain(arguments: argparse.Namespace) -> int:
    """Take servers out, or stop the proxy in order; 1 where exchanges are still under way when the wait is over."""
    site = Control.of_file(arguments.admin, arguments.config)
    if arguments.upstream is None:
        said = site.post("/drain", None)
        if arguments.json:
            say_json(said)
        else:
            say(f"draining: nothing new is accepted; {said['connections']} connections are open")
        return 0 if arguments.wait is None or _until_gone(site, arguments.wait) else _too_long(arguments.wait)
    return _servers(site, arguments, drained=True)


def undrain(arguments: argparse.Namespace) -> int:
    """Put servers back."""
    return _servers(Control.of_file(arguments.admin, arguments.config), arguments, drained=False)


def _servers(site: Control, arguments: argparse.Namespace, *, drained: bool) -> int:
    asked = {"upstream": arguments.upstream, "server": arguments.server, "drained": drained}
    said = site.post("/drain", asked)
    names = {server["name"] for server in said["servers"]}
    done = not drained or arguments.wait is None or _until_idle(site, said, names, arguments.wait)
    if arguments.json:
        say_json(said)
    else:
        say("\n".join(server_lines(said["servers"], ink())))
    if not said["left"]:
        complain(f"upstream {said['upstream']} has no server left: its requests are answered with 503")
    return 0 if done else _too_long(arguments.wait)


def _until_idle(site: Control, said: dict[str, Any], names: Collection[str], seconds: float) -> bool:
    """Wait until nothing is under way at the servers, and have `said` tell how they are then."""
    until = time.monotonic() + seconds
    while True:
        # Both where a reload has taken the upstream away meanwhile, and given its name to another.
        upstreams = [one for one in site.get("/status")["upstreams"] if one["name"] == said["upstream"]]
        said["servers"] = [server for one in upstreams for server in one["servers"] if server["name"] in names]
        if not any(server["in_flight"] for server in said["servers"]):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_SECONDS)


def _until_gone(site: Control, seconds: float) -> bool:
    """Wait until the proxy answers no more."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            site.get("/status")
        except Stop:
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _too_long(seconds: float) -> int:
    complain(f"exchanges are still under way after {seconds:g} s; they end as they began")
    return 1
