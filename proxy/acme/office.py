"""Every certificate that a configuration wants by ACME, and who looks after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from proxy.acme.account import AccountWish
from proxy.acme.authority import Authority, World
from proxy.acme.caretaker import Caretaker, Duty
from proxy.acme.folder import Folder
from proxy.acme.keys import life_of
from proxy.acme.proofs import Proofs
from proxy.acme.storage import label_of
from proxy.acme.words import Fetch
from proxy.alarm import NEVER, TICK_SECONDS, Alarm
from proxy.config.acme import Acme
from proxy.tls.contexts import CertificateFiles
from proxy.tls.keyring import HostPlan, Keyring

# A first look reads a file and understands a certificate: with a thousand of them nobody is to wait for it.
_FIRST_LOOKS = 32


def plans(wish: Acme, folder: Path, now: float) -> tuple[HostPlan, ...]:
    """What a listener with these wishes serves: the files may not be there yet. Until they are, a certificate that was
    ordered for other names, or elsewhere, serves for those names that it has: somebody has added a name to a list.

    @param now: seconds since 1970.
    """
    storage = Folder(wish.storage or folder, wish.directory)
    ordered = [HostPlan((storage.files(label_of(names)),), names, awaited=True) for names in wish.names]
    missing = {name for plan in ordered if storage.seen(label_of(plan.names)) is None for name in plan.names}
    substitutes = []
    for files, pair in storage.others() if missing else ():
        covered = tuple(sorted(missing & set(pair.names)))
        if covered and life_of(pair.leaf).end > now:
            substitutes.append(HostPlan((files,), covered, awaited=True))
            missing -= set(covered)
    return (*ordered, *substitutes)


def duties(wish: Acme, folder: Path) -> Iterable[Duty]:
    """One for each certificate."""
    eab = (wish.eab.key_id, wish.eab.hmac_key) if wish.eab is not None else ("", "")
    account = (wish.email or "", "agreed" if wish.terms_agreed else "", *eab, wish.ca or "")
    base = wish.storage or str(folder)
    for names in wish.names:
        staging = wish.rehearsal
        yield Duty(names, wish.directory, staging, base, wish.challenge, wish.key_type, account)


class Office:
    """All caretakers of one configuration.

    @param standing: the office of the configuration before: who has the same duty goes on, order and all.
    """

    def __init__(self, wanted: Iterable[Duty], alarm: Alarm, world: World, standing: Office | None = None) -> None:
        self.proofs: Proofs = standing.proofs if standing is not None else Proofs(world.now)
        self._alarm = alarm
        self._world = world
        known = standing.caretakers if standing is not None else {}
        self._authorities: dict[tuple[str, ...], Authority] = {}
        self.caretakers: dict[Duty, Caretaker] = {duty: known.get(duty) or self._caretaker(duty) for duty in wanted}

    def _caretaker(self, duty: Duty) -> Caretaker:
        authority = self._authority(duty.directory, duty)
        rehearsal = self._authority(duty.staging, duty) if duty.staging else None
        return Caretaker(duty, authority, rehearsal, self._alarm, self._world)

    def _authority(self, directory: str, duty: Duty) -> Authority:
        """Who wants the same of the same shares an account, and its turn."""
        key = (directory, duty.storage, *duty.account)
        if key not in self._authorities:
            email, agreed, key_id, hmac_key, ca = duty.account
            bound = (key_id, hmac_key) if directory == duty.directory else ("", "")
            wish = AccountWish(email, bool(agreed), *bound)
            storage = Folder(duty.storage, directory)
            self._authorities[key] = Authority(directory, ca, wish, storage, self.proofs, self._world)
        return self._authorities[key]

    # --- its life -----------------------------------------------------------------------------------------

    def start(self, keyrings: Iterable[Keyring]) -> None:
        """Look after the certificates, and give new ones to `keyrings`."""
        served = tuple(keyrings)

        def issued(files: CertificateFiles) -> None:
            for keyring in served:
                keyring.take(files)

        self.proofs.storages = tuple({
            duty.storage + directory: Folder(duty.storage, directory)
            for duty in self.caretakers for directory in (duty.directory, duty.staging) if directory
        }.values())  # fmt: skip
        for number, caretaker in enumerate(self.caretakers.values()):
            caretaker.issued = issued
            caretaker.start(number // _FIRST_LOOKS * TICK_SECONDS)

    def stop(self, after: Office | None = None) -> None:
        """Nobody looks after anything any more, but for what the office `after` goes on with."""
        for duty, caretaker in self.caretakers.items():
            if after is None or after.caretakers.get(duty) is not caretaker:
                caretaker.stop()

    # --- what is asked of it ------------------------------------------------------------------------------

    def status(self) -> list[dict[str, Any]]:
        """Every certificate, for the control site."""
        return [caretaker.status() for caretaker in self.caretakers.values()]

    async def renew(self, name: str, revoke: str = "") -> list[dict[str, Any]]:
        """Replace every certificate for `name` now.

        @param revoke: why the old one is to be revoked; "" to leave it alone.
        @raise KeyError: there is none.
        @raise AcmeError: it could not be done.
        @raise StorageError: the same.
        """
        found = [caretaker for duty, caretaker in self.caretakers.items() if name in duty.names]
        if not found:
            raise KeyError(name)
        for caretaker in found:
            await caretaker.renew(revoke)
        return [caretaker.status() for caretaker in found]

    def __repr__(self) -> str:
        return f"<Office of {len(self.caretakers)} certificates>"


def world(reactor: Any, alarm: Alarm) -> World:
    """The real one."""

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    def pause(seconds: float) -> Deferred[None]:
        return Pause(alarm, seconds).over

    def fetch(ca: str) -> Fetch:
        from proxy.acme.courier import Courier  # with Twisted's HTTP client: for those who order only

        return Courier(reactor, ca).fetch

    return World(fetch, pause, time.time, in_thread, Random())


class Pause:
    """Waits on the wheel.

    @ivar over: fires when the time has passed; it may be cancelled.
    """

    def __init__(self, alarm: Alarm, seconds: float) -> None:
        self.deadline = self.look_at = NEVER
        self.over: Deferred[None] = Deferred(lambda _: alarm.forget(self))
        alarm.set(self, max(seconds, 0.001))

    def time_passed(self) -> None:
        self.over.callback(None)


__all__ = ["Office", "duties", "plans", "world"]
