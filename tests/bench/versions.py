"""Which release of each program was measured, asked from the program itself."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.install import find_program
from tests.bench.peers import Peer

_NUMBER = re.compile(r"\d+\.\d+[\w.]*")
# Envoy says its path first, which may name a release of Python, and puts its own between a hash and the kind of build.
_AFTER_HASH = re.compile(r"[0-9a-f]{40}/(\d+\.\d+[\w.]*)/")
_METADATA = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
_QUESTIONS: dict[str, tuple[str, ...]] = {
    "this proxy": (sys.executable, "-c", _METADATA, "twisted-reverseproxy"),
    "twisted.web.proxy": (sys.executable, "-c", _METADATA, "twisted"),
    "aiohttp": ("{program}", "-c", _METADATA, "aiohttp"),
    "nginx": ("{program}", "-v"),
    "HAProxy": ("{program}", "-v"),
    "Envoy": ("{program}", "--version"),
    "Traefik": ("{program}", "version"),
    "Caddy": ("{program}", "version"),
}


def find_number(text: str) -> str:
    """The first word of `text` that looks like a release, "" for none."""
    found = _AFTER_HASH.search(text)
    if found:
        return found[1]
    found = _NUMBER.search(text)
    return found[0] if found else ""


def version(peer: Peer, program: Path) -> str:
    """The release of an installed peer, "" when it does not tell."""
    argv = [word.replace("{program}", str(program)) for word in _QUESTIONS[peer.name]]
    return find_number(_output(argv))


def all_versions(peers: Sequence[Peer]) -> dict[str, str]:
    """Python, the load generator and every peer that is installed."""
    versions = {"Python": ".".join(map(str, sys.version_info[:3]))}
    wrk = find_program("wrk")
    if wrk:
        versions["wrk"] = find_number(_output([str(wrk), "-v"]))
    for peer in peers:
        program = peer.find()
        if program:
            versions[peer.name] = version(peer, program)
    return versions


def _output(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
