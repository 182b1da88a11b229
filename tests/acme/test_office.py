"""All the certificates of a configuration, and what happens to them at a reload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from proxy.acme.office import Office, Pause, duties, plans
from proxy.acme.office import world as real_world
from proxy.acme.proofs import PATH, Proofs
from proxy.alarm import Alarm
from proxy.config.acme import Acme
from proxy.tls.contexts import CertificateFiles
from tests.acme.directory import DAY, HOST, URL, Directory, Time, done, world


class Ring:
    """A keyring, as far as the office knows it."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def take(self, files: CertificateFiles) -> None:
        self.taken.append(files.load().names[0])


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "acme"
        self.time = Time()
        self.directory = Directory(folder / "ca", self.time)
        self.directory.sees = self.sees
        self.world = world(self.time, self.directory)
        self.office: Office | None = None

    def sees(self, kind: str, name: str, token: str, text: str) -> bool:
        return self.office is not None and self.office.proofs.answer(PATH + token.encode()) == text.encode()

    def built(self, *names: Any, standing: Office | None = None, **more: Any) -> Office:
        wish = Acme.model_validate({"directory": URL, "names": list(names), **more})
        self.office = Office(duties(wish, self.folder), self.time.alarm, self.world, standing)
        return self.office


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_one_certificate_for_each_item_and_one_account_for_all(stage: Stage) -> None:
    ring = Ring()
    stage.built("a.test", ["b.test", "c.test"]).start([ring])  # type: ignore[list-item]
    assert ring.taken == ["a.test", "b.test"]
    assert len(stage.directory.accounts) == 1
    assert stage.office is not None
    assert [one["names"] for one in stage.office.status()] == [["a.test"], ["b.test", "c.test"]]
    assert {one["state"] for one in stage.office.status()} == {"valid"}


def test_listeners_are_served_from_the_files_that_are_kept(stage: Stage) -> None:
    wish = Acme.model_validate({"directory": URL, "names": ["a.test", ["b.test", "c.test"]]})
    served = plans(wish, stage.folder, stage.time.now())
    office = stage.built("a.test", ["b.test", "c.test"])
    assert [plan.files[0] for plan in served] == [one.files for one in office.caretakers.values()]
    assert [plan.names for plan in served] == [("a.test",), ("b.test", "c.test")]
    assert all(plan.awaited for plan in served)


def test_a_name_that_is_added_to_a_list_costs_the_others_nothing(stage: Stage) -> None:
    stage.built("a.test", ["b.test", "c.test"]).start([])
    now = stage.time.now()

    def served(*names: Any, at: float = now, directory: str = URL) -> list[tuple[str, ...]]:
        wish = Acme.model_validate({"directory": directory, "names": list(names)})
        return [plan.names for plan in plans(wish, stage.folder, at)]

    assert served("a.test", ["b.test", "c.test"]) == [("a.test",), ("b.test", "c.test")]
    assert served("a.test", ["b.test", "c.test", "d.test"]) == [
        ("a.test",), ("b.test", "c.test", "d.test"), ("b.test", "c.test"),
    ]  # fmt: skip
    assert served(["a.test", "b.test"])[0] == ("a.test", "b.test")
    assert set(served(["a.test", "b.test"])[1:]) == {("a.test",), ("b.test",)}
    assert served("d.test") == [("d.test",)]
    assert served(["b.test", "d.test"], at=now + 91 * DAY) == [("b.test", "d.test")]  # nobody wants that one any more
    assert served("a.test", directory="https://other.test/dir") == [("a.test",), ("a.test",)]


def test_a_reload_keeps_who_has_the_same_duty(stage: Stage) -> None:
    old_ring, ring = Ring(), Ring()
    before = stage.built("a.test", "b.test")
    before.start([old_ring])  # type: ignore[list-item]
    after = stage.built("b.test", "c.test", standing=before)
    assert after.proofs is before.proofs
    before.stop(after)
    after.start([ring])  # type: ignore[list-item]
    assert [duty.names for duty in before.caretakers if duty in after.caretakers] == [("b.test",)]
    assert ring.taken == ["c.test"]
    done(after.renew("b.test"))
    assert ring.taken == ["c.test", "b.test"]
    assert old_ring.taken == ["a.test", "b.test"]
    after.stop()
    stage.time.passes(3600)
    assert not stage.time.clock.getDelayedCalls()


def test_a_hundred_are_looked_at_one_after_the_other(stage: Stage) -> None:
    office = stage.built(*(f"h{number}.test" for number in range(100)))
    office.start([])
    assert [one["state"] for one in office.status()] == ["valid"] * 32 + ["missing"] * 68
    stage.time.passes(1.0, step=0.1)
    assert {one["state"] for one in office.status()} == {"valid"}
    assert len(stage.directory.accounts) == 1


def test_another_wish_is_another_duty(stage: Stage) -> None:
    before = stage.built("a.test", email="a@b.test")
    for more in (
        {"email": "c@d.test"},
        {"email": "a@b.test", "challenge": "tls-alpn-01"},
        {"email": "a@b.test", "key_type": "rsa-2048"},
        {"email": "a@b.test", "eab": {"key_id": "1", "hmac_key": "AAAA"}},
    ):
        after = stage.built("a.test", standing=before, **more)
        assert not set(after.caretakers) & set(before.caretakers)


def test_the_secret_of_a_binding_is_for_its_own_directory_only(stage: Stage) -> None:
    eab = {"key_id": "kid", "hmac_key": "AAAA"}
    office = stage.built("a.test", eab=eab, staging="https://staging.test/dir")
    bound = {one.directory: one._wish.key_id for one in office._authorities.values()}
    assert bound == {URL: "kid", "https://staging.test/dir": ""}


def test_by_hand(stage: Stage) -> None:
    office = stage.built("a.test", ["b.test", "c.test"])
    office.start([])
    [said] = done(office.renew("c.test", "superseded"))
    assert said["names"] == ["b.test", "c.test"]
    assert len(stage.directory.revoked) == 1
    with pytest.raises(KeyError):
        done(office.renew("nobody.test"))


def test_every_proof_in_the_storage_can_be_shown(stage: Stage) -> None:
    office = stage.built("a.test", staging="https://staging.test/dir")
    office.start([])
    assert len(office.proofs.storages) == 2
    assert HOST in URL


def test_a_pause_ends_on_the_wheel_and_can_be_given_up() -> None:
    clock = Clock()
    alarm = Alarm(clock, clock.seconds)
    told: list[Any] = []
    first, second = Pause(alarm, 2.0), Pause(alarm, 2.0)
    first.over.addBoth(told.append)
    second.over.addErrback(lambda failure: None)
    second.over.cancel()
    clock.advance(1.0)
    assert told == []
    clock.advance(1.2)
    assert told == [None]


def test_the_real_world_has_a_clock_a_wheel_and_a_courier() -> None:
    reactor = MemoryReactorClock()
    found = real_world(reactor, Alarm(reactor, reactor.seconds))
    assert found.now() > 1_700_000_000
    assert callable(found.fetch(""))
    assert not found.pause(1.0).called  # type: ignore[attr-defined]
    assert isinstance(Proofs(found.now), Proofs)
