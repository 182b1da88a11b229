"""One certificate over the years: issued, renewed, refused, replaced, and found damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher

from proxy import limits
from proxy.acme.account import AccountWish
from proxy.acme.authority import Authority
from proxy.acme.caretaker import Caretaker, Duty, date
from proxy.acme.folder import Folder
from proxy.acme.proofs import PATH, Proofs
from proxy.acme.storage import StorageError
from proxy.acme.words import AcmeError
from proxy.tls.contexts import CertificateFiles
from tests.acme.directory import BEGIN, DAY, URL, Directory, Refusal, Time, done, world

STAGING = "https://staging.test"


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is logged, as text; nothing of it is a failure of ours."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        assert event.get("log_failure") is None, event
        lines.append((event.get("log_format") or "").format(**event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


class Stage:
    """A caretaker, its authority, another one for rehearsals, and time."""

    def __init__(self, folder: Path, *, staging: bool = False, key_type: str = "ecdsa-p256") -> None:
        self.time = Time()
        self.folder = folder
        self.staging = staging
        self.directory = Directory(folder / "ca", self.time)
        self.rehearsal = Directory(folder / "staging", self.time, STAGING)
        self.proofs = Proofs(self.time.now)
        self.directory.sees = self.rehearsal.sees = self.sees
        self.storage = Folder(folder / "acme", URL)
        self.world = world(self.time, self.directory, self.rehearsal)
        self.taken: list[CertificateFiles] = []
        self.begin(key_type)

    def begin(self, key_type: str = "ecdsa-p256") -> None:
        """The proxy starts (again)."""
        names, wish = ("a.test", "b.test"), AccountWish("a@b.test")
        duty = Duty(names, URL, f"{STAGING}/dir" if self.staging else "", "", "http-01", key_type, ())
        authority = Authority(URL, "", wish, self.storage, self.proofs, self.world)
        other = Authority(
            f"{STAGING}/dir", "", wish, Folder(self.folder / "acme", STAGING), self.proofs, self.world
        )
        self.caretaker = Caretaker(duty, authority, other if self.staging else None, self.time.alarm, self.world)
        self.caretaker.issued = self.taken.append
        self.caretaker.start()

    def sees(self, kind: str, name: str, token: str, text: str) -> bool:
        return self.proofs.answer(PATH + token.encode()) == text.encode()

    @property
    def orders(self) -> int:
        return self.directory.asked.count("/order")

    def serial(self) -> int:
        """Of the certificate in use."""
        kept = self.storage.certificate(self.caretaker.label)
        assert kept is not None
        return kept.certificate.serial_number

    @property
    def status(self) -> dict[str, Any]:
        return self.caretaker.status()


@pytest.fixture
def stage(tmp_path: Path, said: list[str]) -> Stage:
    return Stage(tmp_path)


def test_the_first_certificate_comes_at_the_start(stage: Stage, said: list[str]) -> None:
    assert stage.taken == [stage.caretaker.files]
    assert stage.caretaker.files.load().names == ("a.test", "b.test")
    status = stage.status
    assert (status["state"], status["failures"], status["error"]) == ("valid", 0, "")
    assert status["expires"] == date(BEGIN + 90 * DAY - 3600 + sum(stage.time.pauses))[:16] + status["expires"][16:]
    assert [line for line in said if line.startswith("certificate issued: a.test, b.test until 20")]


def test_a_restart_orders_nothing(stage: Stage) -> None:
    stage.caretaker.stop()
    stage.begin()
    stage.time.passes(3600)
    assert stage.orders == 1
    assert stage.status["state"] == "valid"


def test_it_is_renewed_at_two_thirds_of_its_life_and_with_another_key(stage: Stage, said: list[str]) -> None:
    first = stage.caretaker.files.load()
    stage.time.passes(56 * DAY, step=DAY / 2)
    assert stage.orders == 1
    stage.time.passes(5 * DAY, step=DAY / 4)
    assert stage.orders == 2
    second = stage.caretaker.files.load()
    assert second.leaf.serial_number != first.leaf.serial_number
    assert second.key.public_key() != first.key.public_key()
    assert len(stage.taken) == 2
    assert any(line.startswith("certificate renewed: a.test, b.test") for line in said)


def test_the_authority_can_want_it_sooner(stage: Stage) -> None:
    stage.caretaker.stop()
    stage.directory.window = (stage.time.now() + DAY, stage.time.now() + 2 * DAY)
    stage.begin()
    first = stage.serial()
    stage.time.passes(limits.ACME_INFO_SECONDS + 3600, step=600)  # what it offers is asked for again only now
    assert stage.status["next_attempt"] < date(BEGIN + 3 * DAY)
    stage.directory.replaced.clear()
    while stage.orders == 1:
        stage.time.passes(600, step=600)
    assert BEGIN + DAY < stage.time.now() < BEGIN + 2 * DAY + 1200
    assert stage.serial() != first
    assert len(stage.directory.replaced) == 1  # it is told which one is replaced


def test_a_revoked_certificate_is_replaced_because_its_window_is_over(stage: Stage) -> None:
    stage.time.passes(5 * DAY, step=DAY)
    stage.directory.window = (BEGIN - 2 * DAY, BEGIN - DAY)
    first = stage.serial()
    stage.time.passes(limits.ACME_INFO_SECONDS * 2 + 600, step=300)
    assert stage.orders == 2
    assert stage.serial() != first


def test_an_authority_that_always_wants_a_new_one_gets_one_a_day(stage: Stage) -> None:
    stage.directory.window = (BEGIN - 2 * DAY, BEGIN - DAY)
    stage.time.passes(10 * DAY, step=600)
    assert 9 <= stage.orders <= 11


def test_that_the_authority_says_nothing_about_renewal_is_no_failure(stage: Stage) -> None:
    stage.directory.down = True
    stage.time.passes(DAY, step=3600)
    assert stage.status["failures"] == 0
    assert stage.status["state"] == "valid"


def test_a_name_that_is_not_ours_is_tried_ever_less_often(stage: Stage, said: list[str]) -> None:
    stage.directory.sees = lambda *proof: False
    stage.time.passes(57 * DAY - 7200, step=DAY)
    assert stage.orders == 1
    while stage.orders == 1:
        stage.time.passes(120)
    began = stage.orders
    stage.time.passes(3600)
    assert stage.orders - began <= 4
    stage.time.passes(7 * DAY, step=300)
    assert stage.orders - began < 25
    assert stage.status["state"] == "valid"  # what was in use is in use
    assert "is not proved by http-01: nobody is there" in stage.status["error"]
    told = [line for line in said if line.startswith("no certificate for a.test, b.test")]
    assert len(told) == 1  # once, not each time
    stage.directory.sees = stage.sees
    stage.time.passes(DAY, step=300)
    assert stage.orders - began < 26
    assert (stage.status["failures"], stage.status["error"]) == (0, "")


def test_a_restart_is_no_way_around_the_wait(stage: Stage) -> None:
    stage.directory.sees = lambda *proof: False
    with pytest.raises(AcmeError):
        done(stage.caretaker.renew())
    Path(stage.caretaker.files.cert).unlink()
    for _ in range(10):
        stage.caretaker.stop()
        stage.begin()
    assert stage.orders == 2
    assert stage.status["state"] == "missing"
    assert stage.status["failures"] == 1
    stage.directory.sees = stage.sees
    done(stage.caretaker.renew())  # asked for by hand it is tried at once
    assert stage.status["state"] == "valid"


def test_a_rate_limit_is_respected(stage: Stage) -> None:
    stage.directory.trouble["/order"] = [Refusal("rateLimited", "too many", 429)]
    stage.directory.retry_after = str(2 * 86400)
    with pytest.raises(AcmeError, match="rateLimited"):
        done(stage.caretaker.renew())
    began = stage.orders
    Path(stage.caretaker.files.cert).unlink()
    stage.directory.retry_after = ""
    stage.time.passes(2 * DAY - 600, step=300)
    assert stage.orders == began
    stage.time.passes(1200, step=300)
    assert stage.orders == began + 1


def test_a_directory_that_is_down_is_tried_soon_and_then_ever_less_often(tmp_path: Path, said: list[str]) -> None:
    stage = Stage(tmp_path)
    stage.caretaker.stop()
    Path(stage.caretaker.files.cert).unlink()
    stage.directory.down = True
    stage.begin()
    assert stage.status["state"] == "missing"
    assert "cannot be reached" in stage.status["error"]
    asked = len(stage.directory.asked)
    stage.time.passes(3600)
    assert 3 <= len(stage.directory.asked) - asked <= 7
    stage.directory.down = False
    stage.time.passes(7200)
    assert stage.status["state"] == "valid"


def test_a_restart_need_not_wait_for_what_never_reached_the_authority(tmp_path: Path) -> None:
    """The stop itself may have been the reason: its signal breaks off the look-up of a name."""
    stage = Stage(tmp_path)
    stage.caretaker.stop()
    Path(stage.caretaker.files.cert).unlink()
    stage.directory.down = True
    stage.begin()
    assert stage.status["failures"] == 1
    stage.directory.down = False
    stage.time.passes(5)
    assert stage.status["state"] == "missing", "it waits, as long as it runs"
    stage.caretaker.stop()
    stage.begin()
    assert stage.status["state"] == "valid"


def test_a_removed_certificate_is_ordered_again(stage: Stage) -> None:
    first = stage.serial()
    Path(stage.caretaker.files.cert).unlink()
    stage.time.passes(limits.ACME_LOOK_SECONDS * 2)
    assert stage.orders == 2
    assert stage.serial() != first


def test_a_damaged_certificate_is_told_and_replaced(stage: Stage, said: list[str]) -> None:
    Path(stage.caretaker.files.cert).write_text("garbage")
    stage.time.passes(limits.ACME_LOOK_SECONDS * 2)
    assert stage.orders == 2
    assert stage.caretaker.files.load()
    assert [line for line in said if line.startswith("what is stored for a.test, b.test cannot be used")]


def test_another_kind_of_key_means_another_certificate(stage: Stage) -> None:
    stage.caretaker.stop()
    stage.begin("rsa-2048")
    assert stage.orders == 2
    assert stage.caretaker.files.load().kind == "RSA"


def test_a_certificate_that_was_not_asked_for_is_not_used(stage: Stage) -> None:
    first = stage.serial()
    stage.directory.other_key = True
    with pytest.raises(AcmeError, match="another key"):
        done(stage.caretaker.renew())
    assert stage.serial() == first


# --- by hand ----------------------------------------------------------------------------------------------


def test_replace_and_revoke(stage: Stage, said: list[str]) -> None:
    first = stage.serial()
    done(stage.caretaker.renew("key-compromise"))
    assert stage.serial() != first
    assert stage.directory.revoked == [(first, 1)]
    assert any(line.endswith("of a.test, b.test revoked") for line in said)


def test_what_could_not_be_replaced_is_not_revoked(stage: Stage) -> None:
    stage.directory.sees = lambda *proof: False
    with pytest.raises(AcmeError):
        done(stage.caretaker.renew("superseded"))
    assert stage.directory.revoked == []


def test_storage_that_cannot_be_written_costs_no_order(stage: Stage) -> None:
    def lock(label: str) -> None:
        raise StorageError("read-only file system")

    stage.storage.lock = lock  # type: ignore[method-assign,assignment]
    with pytest.raises(StorageError, match="read-only"):
        done(stage.caretaker.renew())
    assert stage.orders == 1


# --- several processes ------------------------------------------------------------------------------------


def test_while_another_process_orders_we_wait_and_take_what_it_got(tmp_path: Path, said: list[str]) -> None:
    stage = Stage(tmp_path)
    stage.caretaker.stop()
    kept = Path(stage.caretaker.files.cert).read_text()
    Path(stage.caretaker.files.cert).unlink()
    lock = Folder(tmp_path / "acme", URL).lock(stage.caretaker.label)
    assert lock is not None
    stage.begin()
    assert stage.orders == 1
    with pytest.raises(AcmeError, match="another process"):
        done(stage.caretaker.renew())
    Path(stage.caretaker.files.cert).write_text(kept)
    lock.release()
    stage.time.passes(3600, step=30)
    assert stage.orders == 1
    assert stage.status["state"] == "valid"


# --- the rehearsal ----------------------------------------------------------------------------------------


def test_the_first_order_is_rehearsed_and_only_the_first(tmp_path: Path, said: list[str]) -> None:
    stage = Stage(tmp_path, staging=True)
    assert (stage.rehearsal.asked.count("/order"), stage.orders) == (1, 1)
    assert stage.caretaker.files.load().leaf.issuer == stage.directory.signer.name
    stage.time.passes(61 * DAY, step=DAY / 2)
    assert (stage.rehearsal.asked.count("/order"), stage.orders) == (1, 2)


def test_what_fails_there_never_gets_to_the_real_one(tmp_path: Path, said: list[str]) -> None:
    stage = Stage(tmp_path, staging=True)
    stage.caretaker.stop()
    for path in (Path(stage.caretaker.files.cert), Path(stage.caretaker.files.cert).with_suffix(".json")):
        path.unlink()
    stage.rehearsal.sees = lambda *proof: False
    stage.begin()
    assert stage.orders == 1
    assert f"the rehearsal at {STAGING}/dir failed: a.test is not proved" in stage.status["error"]
    stage.rehearsal.sees = stage.sees
    stage.time.passes(3600)
    assert stage.orders == 2


def test_a_stage_that_is_down_is_no_obstacle(tmp_path: Path, said: list[str]) -> None:
    stage = Stage(tmp_path, staging=True)
    stage.caretaker.stop()
    for path in (Path(stage.caretaker.files.cert), Path(stage.caretaker.files.cert).with_suffix(".json")):
        path.unlink()
    stage.rehearsal.down = True
    stage.begin()
    assert stage.orders == 2
    assert any(line.startswith("no rehearsal for a.test, b.test") for line in said)


# --- the end ----------------------------------------------------------------------------------------------


class Slow(Stage):
    """The authority is thinking."""

    def __init__(self, folder: Path) -> None:
        self.waiting: list[Deferred[None]] = []
        super().__init__(folder)

    def begin(self, key_type: str = "ecdsa-p256") -> None:
        def pause(seconds: float) -> Deferred[None]:
            self.waiting.append(Deferred())
            return self.waiting[-1]

        self.directory.polls = 5
        self.world = self.world._replace(pause=pause)
        super().begin(key_type)


def test_an_order_that_is_given_up_leaves_nothing(tmp_path: Path, said: list[str]) -> None:
    stage = Slow(tmp_path)
    assert stage.status["state"] == "ordering"
    assert list((stage.storage.path / "proofs").iterdir())
    with pytest.raises(AcmeError, match="under way already"):
        done(stage.caretaker.renew())
    stage.caretaker.stop()
    assert list((stage.storage.path / "proofs").iterdir()) == []
    lock = stage.storage.lock(stage.caretaker.label)
    assert lock is not None
    lock.release()
    stage.time.passes(3600)
    assert stage.orders == 1
    assert not stage.time.clock.getDelayedCalls()


def test_who_waits_for_an_order_that_is_given_up_is_told(tmp_path: Path, said: list[str]) -> None:
    stage = Slow(tmp_path)
    stage.caretaker.stop()
    told: list[Any] = []
    Deferred.fromCoroutine(stage.caretaker.renew()).addBoth(told.append)
    assert told == []
    stage.caretaker.stop()
    assert "given up" in str(told[0].value)
