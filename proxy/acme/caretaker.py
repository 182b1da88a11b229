"""One certificate, looked after for as long as the proxy runs: ordered where there is none, renewed in time.

A look is one walk from top to bottom: is there a certificate, what does its authority say, is it time, order. It ends
with the next look on the wheel. Whatever fails is remembered, also over a restart, and tried again later and later.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy import limits
from proxy.acme import renewal_info
from proxy.acme.authority import Authority, World
from proxy.acme.keys import checked, life_of
from proxy.acme.order import Wanted
from proxy.acme.schedule import Window, drawn, renewal_time, wait_after
from proxy.acme.storage import Kept, Record, Storage, StorageError, label_of
from proxy.acme.words import AcmeError, RefusedError, UnreachedError
from proxy.alarm import NEVER, Alarm
from proxy.tls.certificates import pem_of
from proxy.tls.contexts import CertificateFiles

log = Logger()

# What differs between two attempts that fail for the same reason: parts of URLs, serial numbers.
_TOKENS = re.compile(r"[A-Za-z0-9_-]{20,}|[0-9]+")


class Duty(NamedTuple):
    """What a caretaker looks after. Those that are equal after a reload go on as they are.

    @ivar staging: a directory that has to give a certificate before `directory` is asked for the first one; or "".
    """

    names: tuple[str, ...]
    directory: str
    staging: str
    storage: str
    challenge: str
    key_type: str
    account: tuple[str, ...]


class Caretaker:
    """Looks after one certificate.

    @param rehearsal: where an order is tried before the first one at `authority`.
    @ivar issued: told of the files when there is a new certificate in them.
    """

    def __init__(
        self, duty: Duty, authority: Authority, rehearsal: Authority | None, alarm: Alarm, world: World
    ) -> None:
        self.deadline = self.look_at = NEVER
        self.duty = duty
        self.label = label_of(duty.names)
        self.issued: Callable[[CertificateFiles], None] = _nobody
        self._authority = authority
        self._storage: Storage = authority.storage
        self._rehearsal = rehearsal
        self._alarm = alarm
        self._world = world
        self._running: Deferred[None] | None = None
        self._seen: object = None
        self._kept: Kept | None = None
        self._record = Record()
        self._told = ""
        self._ordering = False
        self._first = True  # it has not looked yet

    @property
    def files(self) -> CertificateFiles:
        """Where its certificate is, or will be."""
        return self._storage.files(self.label)

    # --- its life -----------------------------------------------------------------------------------------

    def start(self, after: float = 0.0) -> None:
        """Look after so many seconds, and from time to time from then on."""
        if self._running is not None or self.deadline != NEVER:
            return  # it has been at work since before a reload
        if after:
            self._alarm.set(self, after)
        else:
            self._begin(self._look())

    def stop(self) -> None:
        """Look after it no more; an order that is under way is given up."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
        self._alarm.forget(self)

    def time_passed(self) -> None:
        if self._running is None:
            self._begin(self._look())

    async def renew(self, revoke: str = "") -> None:
        """Replace the certificate now, whatever the schedule says.

        @param revoke: why the old one is to be revoked, when the new one is in use; "" to leave it alone.
        @raise AcmeError: it could not be done; what was in use stays in use.
        @raise StorageError: the same.
        """
        if self._running is not None:
            raise AcmeError("an order for this certificate is under way already")
        old = self._stored()
        done: Deferred[None] = Deferred()
        self._begin(self._forced(done))
        await done
        if revoke and old is not None:
            await self._authority.revoke(old.certificate, revoke)
            number = f"{old.certificate.serial_number:x}"
            log.info("certificate {number} of {names} revoked", number=number, names=self._names)

    def _begin(self, walk: Any) -> None:
        self._alarm.clear(self)
        running: Deferred[None] = Deferred.fromCoroutine(walk)
        if not running.called:
            self._running = running
        running.addCallbacks(self._over, self._failed)

    def _over(self, _: None) -> None:
        self._running = None
        if self.deadline == NEVER:
            self._alarm.set(self, limits.ACME_LOOK_SECONDS)

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            log.failure("looking after the certificate of {names} failed", failure, names=self._names)
            self._over(None)

    # --- one look -----------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Order, if it is time."""
        kept = self._stored()
        now = self._world.now()
        first, self._first = self._first, False
        # What never reached the authority has cost nothing there, and whoever starts the proxy anew need not wait for
        # it: it may have been the stop itself, whose signal breaks off the look-up of a name.
        if now < self._record.try_at and self._record.failures and not (first and self._record.unreached):
            return
        if kept is not None and now >= self._record.ask_at:
            await self._ask(kept)
        if self._due(kept) > now:
            return
        await self._attempt(lambda: self._ordered(forced=False))

    async def _forced(self, done: Deferred[None]) -> None:
        error: BaseException | None = AcmeError("the order was given up")
        try:
            error = await self._attempt(lambda: self._ordered(forced=True))
        finally:
            if error is None:
                done.callback(None)
            else:
                done.errback(error)

    def _stored(self) -> Kept | None:
        """The certificate that is in the storage, read again where it has changed."""
        seen = self._storage.seen(self.label)
        if seen != self._seen or seen is None:
            try:
                self._kept = self._storage.certificate(self.label)
            except StorageError as error:
                log.error("what is stored for {names} cannot be used: {error}", names=self._names, error=str(error))
                self._kept = None
            self._seen = seen
            self._record = self._storage.record(self.label)  # somebody else may have done it
        return self._kept

    def _due(self, kept: Kept | None) -> float:
        """When it is time to order."""
        if kept is None or kept.key_type != self.duty.key_type:
            return 0.0
        record = self._record
        window = Window(record.renew_from, record.renew_until) if record.renew_from else None
        der = pem_of(kept.certificate)
        return renewal_time(life_of(kept.certificate), window, drawn(der))

    async def _ask(self, kept: Kept) -> None:
        """Ask the authority when it wants to see us; that it does not say is no reason to worry."""
        try:
            info = await self._authority.renewal_info(kept.certificate)
        except AcmeError as error:
            log.debug("no renewal information for {names}: {error}", names=self._names, error=str(error))
            info = renewal_info.RenewalInfo(None, "", limits.ACME_INFO_SECONDS)
        window = info.window or Window(0.0, 0.0)
        if info.explanation and window.begin != self._record.renew_from:
            log.warn("{names} is to be renewed early: {why}", names=self._names, why=info.explanation)
        await self._remember(self._record._replace(
            renew_from=window.begin, renew_until=window.end, ask_at=self._world.now() + info.ask_again
        ))  # fmt: skip

    async def _attempt(self, order: Callable[[], Awaitable[None]]) -> BaseException | None:
        """Order; a failure is told, remembered, and returned."""
        try:
            await order()
        except (AcmeError, StorageError) as error:
            await self._note(error)
            return error
        return None

    async def _ordered(self, *, forced: bool) -> None:
        lock = self._storage.lock(self.label)
        if lock is None:
            if forced:
                raise AcmeError("another process is ordering this certificate")
            self._alarm.set(self, limits.ACME_LOCKED_SECONDS)
            return
        try:
            kept = self._stored()
            if forced or self._due(kept) <= self._world.now():  # else another process was quicker
                self._ordering = True
                await self._order(kept)
        finally:
            self._ordering = False
            lock.release()

    async def _order(self, kept: Kept | None) -> None:
        duty = self.duty
        if kept is None and self._rehearsal is not None and not self._record.rehearsed:
            await self._rehearse(self._rehearsal)
        replaces = renewal_info.name_of(kept.certificate) if kept is not None else ""
        issued = await self._authority.issue(Wanted(duty.names, duty.challenge, replaces), duty.key_type)
        certificate = checked(issued.chain, issued.key, duty.names, self._world.now())
        await self._world.in_thread(lambda: self._storage.keep_certificate(self.label, issued.key, issued.chain))
        self._seen, self._kept = self._storage.seen(self.label), Kept(certificate, duty.key_type)
        await self._remember(Record(rehearsed=self._record.rehearsed))
        self._told = ""
        log.info(
            "certificate {verb}: {names} until {until}, to be renewed about {renewal}",
            verb="renewed" if kept is not None else "issued", names=self._names,
            until=date(life_of(certificate).end), renewal=date(self._due(self._kept)),
        )  # fmt: skip
        self.issued(self.files)

    async def _rehearse(self, authority: Authority) -> None:
        """The first time, a mistake is made where it costs nothing."""
        duty = self.duty
        try:
            await authority.issue(Wanted(duty.names, duty.challenge), "ecdsa-p256")
        except AcmeError as error:
            if isinstance(error, RefusedError) and error.kind != "rateLimited":
                error.args = (f"the rehearsal at {authority.directory} failed: {error}",)
                raise
            log.warn("no rehearsal for {names}: {error}", names=self._names, error=str(error))
        await self._remember(self._record._replace(rehearsed=True))

    async def _note(self, error: AcmeError | StorageError) -> None:
        """It has failed: when is it tried again?"""
        words, now, failures = str(error), self._world.now(), self._record.failures + 1
        unreached = isinstance(error, UnreachedError | StorageError)
        first = limits.ACME_UNREACHED_SECONDS if unreached else limits.ACME_REFUSED_SECONDS
        retry_after = getattr(error, "retry_after", 0.0)
        try_at = now + wait_after(failures, first, self._world.random.random(), retry_after)
        gist = _TOKENS.sub("", words)
        if gist != self._told:
            self._told = gist
            log.error(
                "no certificate for {names}: {error}; the next attempt is at {then}",
                names=self._names, error=words, then=date(try_at),
            )  # fmt: skip
        lost = isinstance(error, UnreachedError) and not retry_after
        await self._remember(
            self._record._replace(failures=failures, error=words, try_at=try_at, unreached=lost)
        )

    async def _remember(self, record: Record) -> None:
        self._record = record
        try:
            await self._world.in_thread(lambda: self._storage.keep_record(self.label, record))
        except StorageError as error:
            if str(error) != self._record.error:
                log.error("{error}", error=str(error))

    # --- what is told -------------------------------------------------------------------------------------

    @property
    def _names(self) -> str:
        return ", ".join(self.duty.names)

    def status(self) -> dict[str, Any]:
        """For the control site."""
        kept, record, now = self._kept, self._record, self._world.now()
        life = life_of(kept.certificate) if kept is not None else None
        due = self._due(kept)
        after = record.try_at if record.failures else 0.0
        ordering = self._ordering
        return {
            "names": list(self.duty.names),
            "directory": self.duty.directory,
            "state": _state(life.end if life is not None else None, now, ordering),
            "expires": date(life.end) if life is not None else None,
            "next_attempt": None if ordering else date(max(due, after, now)),
            "failures": record.failures,
            "error": record.error,
        }

    def __repr__(self) -> str:
        return f"<Caretaker of {self._names}{' at work' if self._running is not None else ''}>"


def _state(end: float | None, now: float, ordering: bool) -> str:
    if end is None:
        return "ordering" if ordering else "missing"
    if end <= now:
        return "expired"
    return "renewing" if ordering else "valid"


def _nobody(files: CertificateFiles) -> None:
    """Nobody serves it."""


def date(seconds: float) -> str:
    """A time as people and programs read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
