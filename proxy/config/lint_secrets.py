"""Secrets that others can read: warnings, each with a code. Those in the fields of gates are in `lint`."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path as FilePath

import yaml

from proxy.config.document import Tree
from proxy.config.model import Config
from proxy.config.problem import Path

_FILES = re.compile(r"(?<!\$)\$\{file:([^{}]+)\}")
# What is mounted there is for one container alone, whatever the modes say.
_MOUNTED = ("/run/secrets/", "/var/run/secrets/")


def lint_secrets(tree: Tree, config: Config) -> None:
    """Add a warning to `tree` for each secret that is not kept well."""
    _token(tree, config)
    _binding(tree, config)
    if tree.secrets and tree.root is not None:
        _readable_files(tree, tree.root)


def _token(tree: Tree, config: Config) -> None:
    path: Path = ("admin", "token")
    node = tree.node(path)
    if config.admin is not None and config.admin.token and isinstance(node, yaml.ScalarNode) and "${" not in node.value:
        hint = "keep it outside: ${NAME} or ${file:/run/secrets/name}"
        tree.add_at("plain-secret", "the token of the control site in plain text", path, hint, severity="warning")


def _binding(tree: Tree, config: Config) -> None:
    for place, listener in enumerate(config.listen):
        acme = listener.tls.acme if listener.tls is not None else None
        path: Path = ("listen", place, "tls", "acme", "eab", "hmac_key")
        node = tree.node(path)
        if acme is not None and acme.eab is not None and isinstance(node, yaml.ScalarNode) and "${" not in node.value:
            hint = "keep it outside: ${NAME} or ${file:/run/secrets/name}"
            tree.add_at("plain-secret", "the key of an account in plain text", path, hint, severity="warning")


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
