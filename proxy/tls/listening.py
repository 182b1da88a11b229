"""From what the configuration says about TLS to what listens with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from twisted.logger import Logger

from proxy.alarm import Alarm
from proxy.config import Config
from proxy.config import tls as wishes
from proxy.config.model import Listener
from proxy.message import fields
from proxy.tls.certificates import Pair
from proxy.tls.contexts import CertificateFiles, ClientPolicy
from proxy.tls.internal import Internal
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.policies import policy
from proxy.tls.responder import Responders
from proxy.tls.server import Prover, TlsServer
from proxy.tls.shelf import Shelf
from proxy.tls.stapling import Stapling

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
) -> TlsServer | None:
    """TLS for `listener`; None where it has none.

    @param standing: the keyring that it has now: kept, if it would be the same.
    @param reactor: to ask for OCSP responses with; without it there are none.
    @param ordered: hosts whose certificates are ordered; they come after those in files.
    @raise CertificateError: a file cannot be used.
    """
    wish = listener.tls
    if wish is None:
        return None
    loaded: dict[CertificateFiles, Pair] = {}
    plans = (internal_plan(config),) if wish.issuer is not None else (*host_plans(wish, loaded), *ordered.plans)
    plans = tuple(plan._replace(staple=wish.staple == "auto") for plan in plans)
    chosen = policy(wish.policy, wish.min_version)
    strict = wish.unknown_names == "refuse" and wish.issuer is None
    if standing is None or not standing.is_for(plans, chosen, strict):
        stapling = None
        if reactor is not None:
            known = standing.stapling if standing is not None else None
            shelf = Shelf(state_folder(config.state, os.environ) / "ocsp")
            stapling = Stapling(Responders(reactor).ask, time.time, Random(os.urandom(16)), known, shelf)
        standing = Keyring(plans, chosen, PROTOCOLS, alarm, strict=strict, loaded=loaded, stapling=stapling)
    return TlsServer(standing, alarm, PROTOCOLS, config.timeouts.tls_handshake, ordered.prover)


def host_plans(wish: wishes.ListenerTls, loaded: dict[CertificateFiles, Pair]) -> tuple[HostPlan, ...]:
    """One plan for each host. Certificates for the same names, with different kinds of keys, share one.

    @param loaded: gets what is in the files.
    @raise CertificateError: a file cannot be used.
    """
    plans: list[HostPlan] = []
    kinds: list[set[str]] = []
    at: dict[tuple[tuple[str, ...], ClientPolicy | None], int] = {}
    for certificate in wish.certificates or ():
        files = CertificateFiles(certificate.cert, certificate.key)
        pair = loaded[files] = files.load()
        client = client_policy(certificate)
        key = (tuple(sorted(certificate.names or pair.names)), client)
        place = at.get(key)
        if place is not None and pair.kind not in kinds[place]:
            plans[place] = plans[place]._replace(files=(*plans[place].files, files))
            kinds[place].add(pair.kind)
            continue
        at.setdefault(key, len(plans))
        plans.append(HostPlan((files,), certificate.names or (), client))
        kinds.append({pair.kind})
    return tuple(plans)


def client_policy(wish: wishes.Certificate) -> ClientPolicy | None:
    """What a host asks of its clients; None for nothing."""
    client = wish.client
    if client is None or client.verify == "none" or client.ca is None:
        return None
    return ClientPolicy(client.verify == "required", client.ca, client.crl or "")


def internal_plan(config: Config) -> HostPlan:
    """A certificate of this machine's own authority, for all hosts that the routes name.

    @raise CertificateError: the folder of the authority cannot be used.
    """
    authority = Internal(state_folder(config.state, os.environ) / "internal", time.time())
    if authority.is_new:
        log.info("{advice}", advice=authority.advice())
    return HostPlan((authority.issue(route_hosts(config)),))


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
