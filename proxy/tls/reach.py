"""Which hosts need a client certificate although no certificate names them: those that share a route with one that
does.

A certificate says of its own names what clients are asked. A route may take further hosts, for which nobody can shake
hands; whoever asks for one of these gets what the protected host has, by the same route.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from proxy.config import Config, Loaded
from proxy.config.problem import Problem
from proxy.config.routes import HostMatch
from proxy.routing.entries import Entry, Route
from proxy.routing.serving import serving
from proxy.routing.table import Router
from proxy.tls.certificates import CertificateError
from proxy.tls.contexts import CertificateFiles, ClientPolicy
from proxy.tls.guard import Guard
from proxy.tls.keyring import Keyring
from proxy.tls.listening import client_policy, route_hosts
from proxy.tls.pairs import Pairs
from proxy.tls.table import NameTable


class Shared(NamedTuple):
    """A host that stands on a route beside one that needs a client certificate.

    @ivar host: as the route has it; None where it takes any host.
    @ivar name: the one that needs a certificate.
    """

    route: Route
    host: HostMatch | None
    name: str
    policy: ClientPolicy


def shared_hosts(
    entries: Iterable[Entry], asked: Mapping[str, ClientPolicy], named: NameTable[bool | None]
) -> Iterator[Shared]:
    """Every host that no certificate names, of routes that get requests for a name that needs a client certificate.

    @param asked: these names, as certificates have them, with what is asked.
    @param named: true for each name that is in a certificate.
    """
    for route, names in serving(entries, asked).items():
        policies = {asked[name]: name for name in reversed(names)}
        for host in route.wish.host or (None,):
            known = host is not None and host.name is not None and host.name != "*" and named.around(host.name)
            if not known:
                whole = None if host is None or host.name == "*" else host
                yield from (Shared(route, whole, name, policy) for policy, name in policies.items())


def guard_of(keyrings: Sequence[Keyring], entries: Sequence[Entry] = ()) -> Guard | None:
    """Who looks after the hosts that ask for client certificates; None where none does.

    @param entries: of the router.
    """
    asked: dict[str, ClientPolicy] = {}
    named = NameTable[bool | None](None)
    asks = False
    for keyring in keyrings:
        for host in keyring.hosts:
            asks |= host.client is not None
            named.add(host.names, True)
            if host.client is not None and host.client.required:
                asked |= dict.fromkeys(host.names, host.client)
    shared = shared_hosts(entries, asked, named)
    return Guard(keyrings, asked, [(one.host, one.policy) for one in shared if one.host is not None]) if asks else None


# --- what `check` says ------------------------------------------------------------------------------------


def check_reach(loaded: Loaded, router: Router, pairs: Pairs | None = None) -> list[Problem]:
    """A warning for each host of a route that is refused, or open, beside one that needs a client certificate.

    @param pairs: has what is in the files of listeners, as far as they have been read.
    """
    config = loaded.require()
    asked, named, open_doors = _names(config, pairs or Pairs())
    problems: list[Problem] = []
    for one in shared_hosts(router.entries, asked, named):
        wish = one.route.wish
        if one.host is None and (not open_doors or wish.respond is not None or wish.redirect is not None):
            continue  # there is nothing behind it that somebody might want to hide
        words, hint = _words(one)
        place = ("routes", one.route.place) if one.host is None else ("routes", one.route.place, "host")
        problem = loaded.problem_at(place, "client-route", words, hint)
        if problem not in problems:
            problems.append(problem)
    return problems


def _words(one: Shared) -> tuple[str, str]:
    """What is wrong with a host, and what to do."""
    needs = f"{one.name}, which needs a client certificate"
    own = f"give {one.name} a route of its own"
    if one.host is None:
        return f"this route takes {needs}, and all other hosts without one", own
    name = one.host.name
    if name is None or name.startswith("*."):
        message = f"this route takes {needs}: its other hosts are refused, where no certificate names them"
        return message, f"name them in a certificate, or {own}"
    return f"{name} is refused: its route takes {needs}, and no certificate names it", f"name it in one, or {own}"


def _names(config: Config, pairs: Pairs) -> tuple[dict[str, ClientPolicy], NameTable[bool | None], bool]:
    """What `shared_hosts` wants to know, and whether anybody can come in without a certificate."""
    asked: dict[str, ClientPolicy] = {}
    named = NameTable[bool | None](None)
    open_doors = False
    wishes = [one.tls for one in config.listen if one.tls is not None]
    if not any(certificate.asks for wish in wishes for certificate in wish.certificates or ()):
        return asked, named, open_doors  # and no file has to be read
    for listener in config.listen:
        wish = listener.tls
        if wish is None or wish.issuer is not None or wish.acme is not None:
            open_doors |= listener.redirect is None
        if wish is None:
            continue
        if wish.issuer is not None:
            named.add(("localhost", *route_hosts(config)), True)
        named.add((name for group in (wish.acme.names if wish.acme is not None else ()) for name in group), True)
        for certificate in wish.certificates or ():
            policy = client_policy(certificate)
            try:
                names = certificate.names or pairs.load(CertificateFiles(certificate.cert, certificate.key)).names
            except CertificateError:
                continue  # that has been said elsewhere
            named.add(names, True)
            if policy is not None and policy.required:
                asked |= dict.fromkeys(names, policy)
            else:
                open_doors = True
    return asked, named, open_doors
