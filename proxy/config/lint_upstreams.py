"""What is allowed in an upstream and yet most likely a mistake: warnings, each with a code."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from proxy.config.document import Tree
from proxy.config.model import Config
from proxy.config.problem import Path
from proxy.config.resolve import upstream_place


def lint_upstreams(tree: Tree, config: Config) -> None:
    """Add a warning to `tree` for each thing in the upstreams of `config` that its author probably did not mean."""
    said: set[tuple[str, Path]] = set()

    def say(code: str, message: str, path: Path, hint: str = "") -> None:
        if (code, path) not in said:  # what stands in `defaults` is the same for many
            said.add((code, path))
            tree.add_at(code, message, path, hint, severity="warning")

    for name in config.upstreams:
        for rule in _RULES:
            rule(_Asked(tree, config, name), say)
    _branches(config, say)


class _Asked:
    """One upstream, and where its keys are written."""

    def __init__(self, tree: Tree, config: Config, name: str) -> None:
        self.tree = tree
        self.name = name
        self.wish = config.upstreams[name]
        self._routes = config.routes

    def place(self, *keys: str | int) -> Path:
        """Where `keys` stand: in the upstream itself, or in the defaults."""
        return upstream_place(self.tree, self.name, *keys)

    def servers(self, hint: str) -> tuple[Path, str]:
        """Where the servers stand, and where something is to be written about them: a route may name one itself."""
        for place, route in enumerate(self._routes):
            if self.name in route.upstreams and self.tree.node(("upstreams", self.name)) is None:
                return ("routes", place, route.target), f"give it a name in `upstreams`; there {hint}"
        return self.place("servers"), hint


_Say = Callable[..., None]


def _weights(asked: _Asked, say: _Say) -> None:
    wish = asked.wish
    if all(server.weight == 0 for server in wish.servers):
        message = f"every server of `{asked.name}` has the weight 0: none gets a request"
        say("weights-zero", message, asked.place("servers"), "give one of them a weight above 0")
    elif all(server.rank > 0 for server in wish.servers):
        message = f"every server of `{asked.name}` is a backup: so none is"
        say("no-effect", message, asked.place("servers"), "take `backup` or `priority` off those that come first")
    if wish.idle_connections > wish.connections and "idle_connections" in wish.model_fields_set:
        message = f"`idle_connections` is above `connections`: more than {wish.connections} are never open"
        say("contradiction", message, asked.place("idle_connections"))


def _probes(asked: _Asked, say: _Say) -> None:
    health = asked.wish.health
    if health is None:
        return
    if health.timeout >= health.interval:
        message = f"a probe may take {health.timeout:g}s, and the next one is due after {health.interval:g}s"
        hint = "a server that hangs is found out late: make `timeout` shorter than `interval`"
        say("slow-probe", message, asked.place("health", "timeout"), hint)
    if health.port is not None and all(server.url.kind == "unix" for server in asked.wish.servers):
        message = "`port` does nothing for servers on UNIX sockets"
        say("no-effect", message, asked.place("health", "port"))


def _agents(asked: _Asked, say: _Say) -> None:
    if asked.wish.agent is not None and any(server.url.kind == "unix" for server in asked.wish.servers):
        message = "a server on a UNIX socket has no address where an agent could listen: it is not asked"
        say("no-effect", message, asked.place("agent"))


def _stickiness(asked: _Asked, say: _Say) -> None:
    sticky = asked.wish.sticky
    if sticky is None:
        return
    if sticky.route is not None:
        unnamed = [server.label for server in asked.wish.servers if server.name is None and not server.url.is_name]
        if unnamed:
            message = f"no session can name the server `{unnamed[0]}`: it has no `name`"
            say("sticky-name", message, asked.place("sticky"), "name: what its cookies have behind the last dot")
    if sticky.cookie is None:
        return
    if sticky.key is None:
        message = "without a `key` the cookies mean nothing after a restart, and nothing to another process"
        hint = "key: ${STICKY_KEY}, with what `openssl rand -hex 32` says"
        say("sticky-key", message, asked.place("sticky"), hint)
        return
    at = asked.place("sticky", "key")
    node = asked.tree.node(at)
    if isinstance(node, yaml.ScalarNode) and "${" not in node.value:
        hint = "keep it outside: ${NAME} or ${file:/run/secrets/name}"
        say("plain-secret", "the key of a cookie in plain text", at, hint)


def _useless(asked: _Asked, say: _Say) -> None:
    wish = asked.wish
    unramped = wish.balance.hash is not None or wish.balance.algorithm == "first_available"
    if wish.slow_start and unramped:
        word = "hash" if wish.balance.hash is not None else "first_available"
        message = f"`slow_start` does nothing with `{word}`: there a server has no share that could grow"
        say("no-effect", message, asked.place("slow_start"))
    alone = len(wish.servers) == 1 and not wish.servers[0].url.is_name
    if wish.retries.hedge_after and alone:
        message = f"`hedge_after` needs a second server, and `{asked.name}` has one"
        say("no-effect", message, asked.place("retries", "hedge_after"))


def _tls(asked: _Asked, say: _Say) -> None:
    if asked.wish.tls is not None and not any(server.url.secure for server in asked.wish.servers):
        place = asked.place("tls")
        if place[0] == "upstreams":  # as a default it may be for the others
            message = f"`tls` does nothing: no server of `{asked.name}` is written https://"
            say("no-effect", message, place, "write https:// where TLS is spoken")


def _hosts(asked: _Asked, say: _Say) -> None:
    wish = asked.wish
    named = [server.label for server in wish.servers if server.url.secure and server.url.is_name]
    if named and wish.host == "keep" and "host" not in wish.model_fields_set:
        message = f"`{named[0]}` is asked for the host that the client names, and may know none but its own"
        hint = "write `host: upstream`, or `host: keep` where it is meant"
        say("client-host", message, *asked.servers(hint))


def _branches(config: Config, say: _Say) -> None:
    for place, route in enumerate(config.routes):
        names = [branch.upstream for branch in route.split.branches] if route.split is not None else []
        for number, name in enumerate(names):
            if name in names[:number]:
                at = ("routes", place, "split", "branches", number)
                say("duplicate-branch", f"`{name}` is in this split twice", at, "add up their weights")


_RULES = (_weights, _probes, _agents, _stickiness, _useless, _tls, _hosts)
