"""What is wrong with the wish for certificates by ACME, or most likely a mistake: told before anything is ordered."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path as FilePath

from proxy.config import Config, Loaded
from proxy.config.acme import DIRECTORIES, Acme
from proxy.config.model import Listener
from proxy.config.problem import Path, Problem
from proxy.tls.certificates import CertificateError, load_chain
from proxy.tls.listening import state_folder

# What a library is called where it is imported, and the extra of ours that brings it.
_LIBRARY, _EXTRA = "joserfc", "acme"
_PORTS = {"http-01": 80, "tls-alpn-01": 443}


def check_acme(loaded: Loaded, environ: Mapping[str, str]) -> list[Problem]:
    """Every problem with certificates that are to be ordered."""
    if loaded.config is None:
        return []
    wishes = _wishes(loaded.config)
    found = (problem for place, wish in wishes for problem in _Check(loaded, place, wish).all(environ))
    return list(dict.fromkeys(found))  # listeners may share what they wish


def _wishes(config: Config) -> Iterator[tuple[int, Acme]]:
    for place, listener in enumerate(config.listen):
        if listener.tls is not None and listener.tls.acme is not None:
            yield place, listener.tls.acme


class _Check:
    """What one listener wants ordered."""

    def __init__(self, loaded: Loaded, place: int, wish: Acme) -> None:
        self._loaded = loaded
        self._config = loaded.require()
        self._place = place
        self._wish = wish
        self._path: Path = ("listen", place, "tls", "acme")

    def all(self, environ: Mapping[str, str]) -> Iterator[Problem]:
        yield from self._library()
        yield from self._names()
        yield from self._port()
        yield from self._files(environ)

    def _say(self, path: Path, code: str, message: str, hint: str = "", *, error: bool = False) -> Problem:
        return self._loaded.problem_at((*self._path, *path), code, message, hint, error=error)

    def _library(self) -> Iterator[Problem]:
        if find_spec(_LIBRARY) is None:
            message = f"certificates by ACME need {_LIBRARY}, which is not installed"
            yield self._say((), "missing-extra", message, f"pip install 'twisted-reverseproxy[{_EXTRA}]'", error=True)

    def _names(self) -> Iterator[Problem]:
        public = self._wish.directory in DIRECTORIES.values()
        for number, names in enumerate(self._wish.names):
            for name in names:
                if not _has_route(self._config, name):
                    message = f"no route is for {name}: a certificate will be ordered that nobody needs"
                    yield self._say(("names", number), "acme-route", message)
                if public and "." not in name:
                    message = f"{name} is no public name: the authority will refuse it"
                    hint = "for this machine alone there is `tls: internal`"
                    yield self._say(("names", number), "acme-name", message, hint)
                if (other := self._elsewhere(name)) is not None:
                    message = f"{name} is ordered in line {other} as well, and not in the same way"
                    hint = "give both listeners the same `acme`, with an anchor: each certificate is ordered once"
                    yield self._say(("names", number), "acme-twice", message, hint)

    def _elsewhere(self, name: str) -> int | None:
        """The line of a listener before this one that orders the name in another way."""
        for place, wish in _wishes(self._config):
            if place >= self._place:
                return None
            mine = next(names for names in self._wish.names if name in names)
            same = mine in wish.names and wish.model_copy(update={"names": self._wish.names}) == self._wish
            if not same and any(name in names for names in wish.names):
                return self._loaded.position(("listen", place)).line
        return None

    def _port(self) -> Iterator[Problem]:
        """Authorities look at one port only; something in front of us may send them elsewhere."""
        kind = self._wish.challenge
        encrypted = kind == "tls-alpn-01"
        ports = [_port_of(one) for one in self._config.listen if (one.tls is not None) == encrypted]
        if _PORTS[kind] not in ports and None not in ports:
            where = "with TLS" if encrypted else "without TLS"
            message = f"authorities look for {kind} on port {_PORTS[kind]}, and no listener {where} is there"
            hint = f"add tcp:{_PORTS[kind]}, or have whatever is in front of the proxy send it here"
            yield self._say(("challenge",), "acme-port", message, hint)

    def _files(self, environ: Mapping[str, str]) -> Iterator[Problem]:
        if self._wish.ca is not None:
            try:
                load_chain(self._wish.ca)
            except CertificateError as error:
                yield self._say(("ca",), "certificate", str(error), error=True)
        storage = FilePath(self._wish.storage or state_folder(self._config.state, environ) / "acme")
        try:
            mode = storage.stat().st_mode
        except OSError:
            return  # it is made when it is needed
        if not stat.S_ISDIR(mode):
            message = f"{storage} is not a folder"
            yield self._say(("storage",), "missing", message, "name a folder for account and certificates", error=True)
        elif mode & (stat.S_IRWXG | stat.S_IRWXO):
            message = f"others may look into {storage}, where keys are kept"
            yield self._say(("storage",), "key-readable", message, f"chmod 700 {storage}")


def _has_route(config: Config, name: str) -> bool:
    """Whether a request for the host `name` can meet a route."""
    for route in config.routes:
        for host in route.host or ():
            if host.regex is not None and host.regex.search(name.encode("ascii")):
                return True
            if host.name in (name, "*") or (host.name and host.name.startswith("*.") and name.endswith(host.name[1:])):
                return True
        if not route.host:
            return True
    return False


def _port_of(listener: Listener) -> int | None:
    """Where a listener is; None where its description does not say."""
    found = re.match(r"tcp6?:(?:port=)?([0-9]+)", listener.endpoint)
    return int(found[1]) if found else None
