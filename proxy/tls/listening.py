"""From what the configuration says about TLS to what listens with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from proxy.alarm import Alarm
from proxy.config import Config
from proxy.config import tls as wishes
from proxy.config.model import Listener
from proxy.message import fields
from proxy.tls.contexts import CertificateFiles, ClientPolicy
from proxy.tls.internal import Internal, Upkeep
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.pairs import Pairs
from proxy.tls.policies import policy
from proxy.tls.server import Prover, TlsServer
from proxy.tls.shelf import Shelf
from proxy.tls.stapling import Ask, Stapling

log = Logger()

#: What is spoken on top, the preferred one first.
PROTOCOLS = (b"http/1.1",)


class Ordered(NamedTuple):
    """Hosts whose certificates are ordered from an authority.

    @ivar prover: proves to it that the names are ours.
    """

    plans: tuple[HostPlan, ...] = ()
    prover: Prover | None = None


NOTHING_ORDERED = Ordered()


def tls_server(
    config: Config,
    listener: Listener,
    alarm: Alarm,
    standing: Keyring | None = None,
    reactor: Any = None,
    ordered: Ordered = NOTHING_ORDERED,
    pairs: Pairs | None = None,
) -> TlsServer | None:
    """TLS for `listener`; None where it has none.

    @param standing: the keyring that it has now: kept, if it would be the same.
    @param reactor: to ask for OCSP responses with; without it there are none.
    @param pairs: what has been read of the files already.
    @param ordered: hosts whose certificates are ordered; they come after those in files.
    @raise CertificateError: a file cannot be used.
    """
    wish = listener.tls
    if wish is None:
        return None
    pairs = pairs or Pairs()
    upkeep = None
    if wish.issuer is not None:
        plan, upkeep = internal_plan(config)
        plans: tuple[HostPlan, ...] = (plan,)
    else:
        plans = (*host_plans(wish, pairs), *ordered.plans)
    plans = tuple(plan._replace(staple=wish.staple == "auto") for plan in plans)
    chosen = policy(wish.policy, wish.min_version)
    strict = wish.unknown_names == "refuse" and wish.issuer is None
    if standing is None or not standing.is_for(plans, chosen, strict):
        stapling = None
        if reactor is not None:
            known = standing.stapling if standing is not None else None
            shelf = Shelf(state_folder(config.state, os.environ) / "ocsp")
            stapling = Stapling(asking(reactor), time.time, Random(os.urandom(16)), known, shelf)
        standing = Keyring(
            plans, chosen, PROTOCOLS, alarm, strict=strict, pairs=pairs, upkeep=upkeep, stapling=stapling
        )
    return TlsServer(standing, alarm, PROTOCOLS, config.timeouts.tls_handshake, ordered.prover)


def asking(reactor: Any) -> Ask:
    """Asks responders. Few certificates name one: what it takes, Twisted's HTTP client above all, is not imported until
    then."""

    def ask(url: str, question: bytes) -> Deferred[bytes]:
        from proxy.tls.responder import Responders

        return Responders(reactor).ask(url, question)

    return ask


class _Entry(NamedTuple):
    """A certificate of the configuration, and what is in its files."""

    files: CertificateFiles
    names: tuple[str, ...]
    kind: str
    client: ClientPolicy | None
    given: bool


def host_plans(wish: wishes.ListenerTls, pairs: Pairs) -> tuple[HostPlan, ...]:
    """One plan for each host: names that have the same certificates, one for each kind of key, share one.

    @param pairs: reads the files.
    @raise CertificateError: a file cannot be used.
    """
    entries: list[_Entry] = []
    places: dict[str, list[int]] = {}
    for certificate in wish.certificates or ():
        files = CertificateFiles(certificate.cert, certificate.key)
        pair = pairs.load(files)
        names = tuple(dict.fromkeys(certificate.names or pair.names))
        for name in names:
            places.setdefault(name, []).append(len(entries))
        given = certificate.names is not None
        entries.append(_Entry(files, names, pair.kind, client_policy(certificate), given))
    groups: dict[tuple[int, ...], list[str]] = {}
    for place, entry in enumerate(entries):
        for name in entry.names:
            if places[name][0] == place:
                groups.setdefault(_side_by_side(name, entries, places), []).append(name)
        if not entry.names:
            groups[place,] = []  # clients that name nobody may get it
    return tuple(_plan([entries[place] for place in group], names) for group, names in groups.items())


def _side_by_side(name: str, entries: list[_Entry], places: dict[str, list[int]]) -> tuple[int, ...]:
    """The certificates for `name`, one for each kind of key."""
    own, above = places[name], places.get("*." + name.partition(".")[2], ())
    client = entries[own[0]].client
    kinds: dict[str, int] = {}
    for place in own:
        if entries[place].client == client:
            kinds.setdefault(entries[place].kind, place)
    for place in above:
        # Of a wildcard only RSA: OpenSSL gives it to clients that know no other, so it never stands before the name's
        # own certificate.
        if entries[place].client == client and entries[place].kind == "RSA":
            kinds.setdefault("RSA", place)
    return tuple(kinds.values())


def _plan(entries: list[_Entry], names: list[str]) -> HostPlan:
    """@param names: those that have just these certificates. Where that is all of the first one's, a renewal may bring
    others."""
    files = tuple(entry.files for entry in entries)
    whole = set(names) == set(entries[0].names) and not entries[0].given
    return HostPlan(files, () if whole else tuple(names), entries[0].client)


def client_policy(wish: wishes.Certificate) -> ClientPolicy | None:
    """What a host asks of its clients; None for nothing."""
    client = wish.client
    if client is None or client.verify == "none" or client.ca is None:
        return None
    return ClientPolicy(client.verify == "required", client.ca, client.crl or "")


def internal_plan(config: Config) -> tuple[HostPlan, Upkeep]:
    """A certificate of this machine's own authority, for all hosts that the routes name, and who looks after it. With
    other names it is another plan, so that a reload takes it at once.

    @raise CertificateError: the folder of the authority cannot be used.
    """
    folder = state_folder(config.state, os.environ) / "internal"
    authority = Internal(folder, time.time())
    if authority.is_new:
        log.info("{advice}", advice=authority.advice())
    issued = authority.issue(route_hosts(config))
    return HostPlan((issued.files,), issued.names), Upkeep(folder, issued)


def route_hosts(config: Config) -> Iterable[str]:
    """The host names that routes name, without regular expressions."""
    for route in config.routes:
        for host in route.host or ():
            if host.name is not None and host.name != "*" and not host.name.startswith("["):
                yield host.name


def state_folder(given: str | None, environ: Mapping[str, str]) -> Path:
    """Where the proxy keeps what has to outlive it: as configured, else where systemd or the desktop say."""
    if given is not None:
        return Path(given)
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].partition(":")[0])
    home = environ.get("HOME")
    base = environ.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "/var/lib")
    return Path(base) / "reverseproxy"


def response_fields(listener: Listener) -> tuple[fields.Pair, ...]:
    """What every response of a listener says."""
    hsts = listener.tls.hsts if listener.tls is not None else None
    return ((b"Strict-Transport-Security", hsts.value),) if hsts is not None else ()
