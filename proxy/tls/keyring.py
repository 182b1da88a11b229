"""The certificates of one listener while it runs: found by name, and renewed when their files are.

Files are looked at every few seconds rather than watched: renewals move symbolic links, replace directories and come
over networks, and a look at a file's date sees all of these. A new certificate is taken for new connections; those that
exist go on with the one they have. One that cannot be used changes nothing, and is complained about once.

Contexts are also made anew from time to time without any change. That gives session tickets new keys: whoever steals
one cannot read what was recorded before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from OpenSSL import SSL
from twisted.logger import Logger

from proxy import limits
from proxy.alarm import NEVER, Alarm
from proxy.tls.certificates import CertificateError, Pair, days_left, exposure, signature
from proxy.tls.contexts import CertificateFiles, ClientPolicy, server_context
from proxy.tls.internal import Upkeep
from proxy.tls.pairs import Pairs
from proxy.tls.policies import Policy
from proxy.tls.stapling import Stapling
from proxy.tls.table import NameTable
from proxy.tls.terms import Reminder, Term, terms

log = Logger()

# Of those whose session keys are old, so many get new ones at each look: with a thousand hosts none waits for it.
_ROTATIONS_A_LOOK = 8


class HostPlan(NamedTuple):
    """What the configuration says about one host, or several with one certificate.

    @ivar files: a certificate, or one for each kind of key.
    @ivar names: what it answers to; those of its first certificate where there are none.
    @ivar client: what it asks of clients.
    @ivar staple: whether clients get OCSP responses, where its certificate names who gives them.
    @ivar awaited: the files may not be there yet: until then its handshakes are refused.
    """

    files: tuple[CertificateFiles, ...]
    names: tuple[str, ...] = ()
    client: ClientPolicy | None = None
    staple: bool = True
    awaited: bool = False

    def paths(self) -> tuple[str, ...]:
        """Every file that its context depends on."""
        paths = [path for pair in self.files for path in pair]
        if self.client is not None:
            paths += [path for path in (self.client.ca, self.client.crl) if path]
        return tuple(paths)


class Host:
    """One host: its present context, and what that was made of.

    @ivar context: None while its certificate is awaited.
    @ivar pairs: the certificates in use.
    @ivar terms: how long clients can be judged.
    @ivar made_at: seconds since 1970.
    """

    def __init__(
        self,
        plan: HostPlan,
        policy: Policy,
        protocols: Sequence[bytes],
        now: float,
        read: Callable[[CertificateFiles], Pair] = CertificateFiles.load,
        stapling: Stapling | None = None,
    ) -> None:
        self.plan = plan
        self.client = plan.client
        self.stapling = stapling if plan.staple else None
        self._policy = policy
        self._protocols = protocols
        self._seen = self._used = signature(plan.paths())
        self.context: SSL.Context | None = None
        self.pairs: tuple[Pair, ...] = ()
        self.terms: tuple[Term, ...] = ()
        self.made_at = now
        try:
            self.make(now, read)
        except CertificateError as error:
            if not plan.awaited:
                raise
            if any(map(any, self._seen)):
                log.error("a stored certificate cannot be used, a new one is awaited: {error}", error=str(error))

    def make(self, now: float, read: Callable[[CertificateFiles], Pair] = CertificateFiles.load) -> None:
        """A new context.

        @param read: says what is in files.
        @raise CertificateError: something in the files cannot be used; the old context stays.
        """
        pairs = tuple(map(read, self.plan.files))
        self._compare(pairs, now)
        staple = self.stapling.staple(pairs) if self.stapling is not None else None
        judged = tuple(terms(self.client.ca, self.client.crl)) if self.client is not None else ()
        self.context = server_context(self.plan.files, self._policy, self.client, self._protocols, staple)
        self.pairs, self.terms = pairs, judged
        self.made_at = now

    def _compare(self, pairs: tuple[Pair, ...], now: float) -> None:
        """@raise CertificateError: clients would refuse the new certificate, and take the one in use."""
        for files, old, new in zip(self.plan.files, self.pairs, pairs, strict=False):
            if not new.counts(now) and old.counts(now):
                begin, end = new.leaf.not_valid_before_utc, new.not_after
                raise CertificateError(files.cert, f"it counts from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}")

    @property
    def names(self) -> tuple[str, ...]:
        return self.plan.names or self.pairs[0].names

    @property
    def not_after(self) -> datetime:
        """When the first of its certificates expires; never, while there is none."""
        return min((pair.not_after for pair in self.pairs), default=datetime.max.replace(tzinfo=UTC))

    def has_changed(self) -> bool:
        """Whether its files differ from those in use, and have come to rest: a certificate and its key are mostly
        replaced one after the other."""
        seen, self._seen = self._seen, signature(self.plan.paths())
        if self._seen == self._used or self._seen != seen:
            return False
        self._used = self._seen
        return True

    def expect(self) -> None:
        """The files have just been replaced, in one step: the next look takes them."""
        self._seen = signature(self.plan.paths())

    def __repr__(self) -> str:
        if self.context is None:
            return f"<Host {', '.join(self.names)} without a certificate yet>"
        return f"<Host {', '.join(self.names)} until {self.not_after:%Y-%m-%d}>"


class Keyring:
    """All hosts of a listener. The first one that has a certificate is the default.

    @param strict: names that nobody has are refused, rather than given the default's certificate.
    @param pairs: what is in files that have been read.
    @param upkeep: makes certificates anew, where we do that ourselves.
    @param stapling: who sees to OCSP responses; None for nobody.
    @raise CertificateError: something in the files cannot be used.
    """

    def __init__(
        self,
        plans: Sequence[HostPlan],
        policy: Policy,
        protocols: Sequence[bytes],
        alarm: Alarm,
        *,
        strict: bool = True,
        pairs: Pairs | None = None,
        upkeep: Upkeep | None = None,
        now: Callable[[], float] = time.time,
        stapling: Stapling | None = None,
    ) -> None:
        self.deadline = self.look_at = NEVER
        self._made_of = (tuple(plans), policy, strict)
        self.stapling = stapling
        read = CertificateFiles.load if pairs is None else pairs.load
        self.hosts = [Host(plan, policy, protocols, now(), read, stapling) for plan in plans]
        self._alarm = alarm
        self._strict = strict
        self._upkeep = upkeep
        self._now = now
        self._warned_at = 0.0
        self._reminder = Reminder("every client with a certificate is refused")
        self._arrange()

    def _arrange(self) -> None:
        # Who has no certificate yet must not stand before somebody who has one for the same name.
        hosts = sorted(self.hosts, key=lambda host: host.context is None)
        self._table = NameTable(hosts[0], strict=self._strict)
        for host in hosts:
            self._table.add(host.names, host)
        if self.stapling is not None:
            self.stapling.want(pair for host in self.hosts if host.stapling is not None for pair in host.pairs)

    def is_for(self, plans: Sequence[HostPlan], policy: Policy, strict: bool) -> bool:
        """Whether one made of these would be the same."""
        return self._made_of == (tuple(plans), policy, strict)

    # --- look-ups -----------------------------------------------------------------------------------------

    @property
    def default(self) -> Host:
        """Whom clients meet that name nobody."""
        return self._table.default

    def find(self, name: str) -> Host | None:
        """Whom a handshake for `name` is with."""
        return self._table.find(name)

    def known(self, name: str) -> Host | None:
        """Whose name this is."""
        return self._table.known(name)

    def around(self, name: str) -> Host | None:
        """Whose name this is, or below whose wildcard it stands, at any depth."""
        return self._table.around(name)

    # --- renewal ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look at the files from now on."""
        self._alarm.set(self, limits.CERTIFICATE_LOOK_SECONDS)
        self._warn()
        self._remind(self._now())
        if self.stapling is not None:
            self.stapling.start()

    def stop(self) -> None:
        self._alarm.forget(self)
        if self.stapling is not None:
            self.stapling.stop()

    def time_passed(self) -> None:
        try:
            self.look()
        finally:  # whatever went wrong, the next renewal must not be missed for it
            self._alarm.set(self, limits.CERTIFICATE_LOOK_SECONDS)

    def look(self) -> None:
        """Take what has been renewed."""
        if self._upkeep is not None:
            self._upkeep.look(self._now())
        self._look_at(self.hosts)

    def take(self, files: CertificateFiles) -> None:
        """Take the certificate in `files` at once: it has just been put there, in one step."""
        mine = [host for host in self.hosts if files in host.plan.files]
        for host in mine:
            host.expect()
        self._look_at(mine)

    def _look_at(self, hosts: Sequence[Host]) -> None:
        now, rotations, renewed = self._now(), 0, False
        for host in hosts:
            changed = host.has_changed()
            if not changed:
                if host.context is None:
                    continue
                if now - host.made_at < limits.TLS_TICKET_SECONDS or rotations == _ROTATIONS_A_LOOK:
                    continue
                rotations += 1
            renewed |= self._renew(host, now, changed)
        if renewed:
            self._arrange()
        if self.stapling is not None:
            self.stapling.look()
        self._remind(now)
        if now - self._warned_at >= limits.CERTIFICATE_WARN_SECONDS:
            self._warn()

    def _renew(self, host: Host, now: float, changed: bool) -> bool:
        names = host.names
        try:
            host.make(now)
        except CertificateError as error:
            host.made_at = now
            log.error("a renewed certificate cannot be used, the old one stays: {error}", error=str(error))
            return False
        except Exception:  # noqa: BLE001 - told, and no reason to let the certificates of other hosts expire
            host.made_at = now
            log.failure("{host!r} could not be renewed, the old certificate stays", host=host)
            return False
        if changed:
            log.info("certificate renewed: {host!r}", host=host)
            for key in (files.key for files in host.plan.files if exposure(files.key)):  # `check` has not seen these
                log.warn("{exposed} {key}", exposed=exposure(key), key=key)
            lost = [name for name in names if name not in host.names]
            if lost:
                file = host.plan.files[0].cert
                log.warn("the certificate in {file} is not for {lost} any more", file=file, lost=", ".join(lost))
        return changed

    def _remind(self, now: float) -> None:
        self._reminder.look((term for host in self.hosts for term in host.terms), now)

    def _warn(self) -> None:
        self._warned_at = now = self._now()
        if self.stapling is not None:
            self.stapling.warn()
        in_use = [pair for host in self.hosts for pair in zip(host.plan.files, host.pairs, strict=False)]
        for files, pair in dict(in_use).items():  # several hosts may share one
            left = days_left(pair.not_after, now)
            if left < limits.CERTIFICATE_WARN_DAYS:
                word = "has expired" if left < 0 else f"expires in {left:.0f} days"
                log.warn("the certificate in {file} {word}", file=files.cert, word=word)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self.hosts)} hosts>"
