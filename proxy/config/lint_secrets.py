"""Secrets that others can read: warnings, each with a code."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath

import yaml

from proxy.config.document import Tree
from proxy.config.health import Health
from proxy.config.model import Config
from proxy.config.problem import Path
from proxy.config.resolve import gate_paths, upstream_place
from proxy.config.routes import Route
from proxy.config.veil import SECRET_FIELDS

# On its way to a server a cookie is the session of whoever it belongs to.
_SECRET_REQUEST_FIELDS = re.compile(SECRET_FIELDS.pattern.replace(rb"(?:(?:proxy-)?", rb"(?:cookie|(?:proxy-)?", 1))
# In text that may say anything: a word that announces a secret, or one that nobody would think of.
_LOOKS_SECRET = re.compile(r"(?i)auth|token|secret|passw|key|\S{16}")
_USER_INFO = re.compile(rb"https?://[^/?#@]*@")
_FILES = re.compile(r"(?<!\$)\$\{file:([^{}]+)\}")
# What is mounted there is for one container alone, whatever the modes say.
_MOUNTED = ("/run/secrets/", "/var/run/secrets/")
_HINT = "keep it outside: ${NAME} or ${file:/run/secrets/name}"


def lint_secrets(tree: Tree, config: Config) -> None:
    """Add a warning to `tree` for each secret that is not kept well."""
    if config.admin is not None and config.admin.token:
        _say(tree, "the token of the control site", ("admin", "token"))
    for place, listener in enumerate(config.listen):
        acme = listener.tls.acme if listener.tls is not None else None
        if acme is not None and acme.eab is not None:
            _say(tree, "the key of an account", ("listen", place, "tls", "acme", "eab", "hmac_key"))
    for place, route in enumerate(config.routes):
        _conditions(tree, place, route)
        _answers(tree, place, route)
        _gates(tree, place, route)
    for name, upstream in config.upstreams.items():
        if upstream.health is not None:
            _probe(tree, name, upstream.health)
        if upstream.agent is not None and _LOOKS_SECRET.search(upstream.agent.send or ""):
            _say(tree, "what looks like a secret for the agent", upstream_place(tree, name, "agent", "send"))
    if tree.secrets.texts and tree.root is not None:
        _readable_files(tree, tree.root)


def _say(tree: Tree, what: str, path: Path) -> None:
    """A warning of each plain text at `path`, of which there may be a list."""
    node = tree.node(path)
    for one in node.value if isinstance(node, yaml.SequenceNode) else (node,):
        if isinstance(one, yaml.ScalarNode) and one.value and "${" not in one.value:
            message = f"{what} in plain text"
            tree.add("plain-secret", message, one.start_mark, one.end_mark, _HINT, "warning")


def _named(
    tree: Tree, names: Iterable[bytes | str], path: Path, secret: re.Pattern[bytes] = SECRET_FIELDS, *below: str
) -> None:
    """Warn of what is kept at `path` (and `below` there) under those of `names` that speak of secrets."""
    for name in names:
        raw = name if isinstance(name, bytes) else name.encode()
        if secret.match(raw):
            _say(tree, f"a secret for `{raw.decode()}`", (*path, raw.decode(), *below))


def _in_target(target: bytes) -> bool:
    """Whether a URL or a path holds what is for few eyes: a password, or a parameter with such a name."""
    pairs = (pair.partition(b"=") for pair in target.partition(b"#")[0].partition(b"?")[2].split(b"&"))
    return bool(_USER_INFO.match(target)) or any(value and SECRET_FIELDS.match(name) for name, _, value in pairs)


def _conditions(tree: Tree, place: int, route: Route) -> None:
    where: Path = ("routes", place)
    # An expression tells what a secret looks like, not what it is.
    for name in (name for name, value in route.headers.items() if value.exact is not None):
        _named(tree, (name,), (*where, "headers"), _SECRET_REQUEST_FIELDS, "exact")
    for parameter in (name for name, value in route.query.items() if value.exact is not None):
        _named(tree, (parameter,), (*where, "query"), SECRET_FIELDS, "exact")


def _answers(tree: Tree, place: int, route: Route) -> None:
    if route.respond is not None:
        _named(tree, route.respond.headers, ("routes", place, "respond", "headers"))
    if route.redirect is not None and _in_target(route.redirect.to):
        _say(tree, "a secret in this URL", ("routes", place, "redirect", "to"))


def _gates(tree: Tree, place: int, route: Route) -> None:
    if not route.gates:
        return
    for at, gate in zip(gate_paths(tree, ("routes", place, "gates")), route.gates, strict=True):
        if gate.headers is None:
            continue
        request, response = gate.headers.request, gate.headers.response
        for verb in ("set", "add"):
            _named(tree, getattr(request, verb), (*at, "headers", "request", verb), _SECRET_REQUEST_FIELDS)
            _named(tree, getattr(response, verb), (*at, "headers", "response", verb))


def _probe(tree: Tree, name: str, health: Health) -> None:
    _named(tree, health.headers, upstream_place(tree, name, "health", "headers"), _SECRET_REQUEST_FIELDS)
    if _in_target(health.path or b""):
        _say(tree, "a secret in this path", upstream_place(tree, name, "health", "path"))


def _readable_files(tree: Tree, root: yaml.Node) -> None:
    for node in _scalars(root, set()):
        if "${file:" not in node.value:
            continue
        for name in _FILES.findall(node.value):
            path = FilePath(node.start_mark.name).parent / name
            if not str(path).startswith(_MOUNTED) and path.stat().st_mode & stat.S_IROTH:
                message, hint = f"everybody on this machine can read `{path}`", f"chmod o= {path}"
                tree.add("readable-secret", message, node.start_mark, node.end_mark, hint, "warning")


def _scalars(node: yaml.Node, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
        return
    if id(node) in seen:
        return
    seen.add(id(node))
    for child in node.value:
        for one in child if isinstance(child, tuple) else (child,):
            yield from _scalars(one, seen)
