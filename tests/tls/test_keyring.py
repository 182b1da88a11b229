"""Certificates in use: found by name, renewed by their files, with new session keys from time to time."""

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.task import Clock

from proxy import limits
from proxy.alarm import Alarm
from proxy.tls.certificates import CertificateError
from proxy.tls.contexts import CertificateFiles, ClientPolicy
from proxy.tls.internal import Internal, Upkeep
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.policies import policy
from tests.support.authority import Authority, Issued
from tests.support.odd import ODD, odd

POLICY = policy("intermediate")


class Watch:
    """A wall clock, and the reactor's."""

    def __init__(self, wall: float | None = None) -> None:
        self.wall = time.time() if wall is None else wall
        self.clock = Clock()
        self.alarm = Alarm(self.clock, self.clock.seconds)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        for _ in range(int(seconds * 10) + 2):
            self.clock.advance(0.1)


def plan(*issued: Issued, client: ClientPolicy | None = None) -> HostPlan:
    return HostPlan(tuple(CertificateFiles(one.cert, one.key) for one in issued), (), client)


def keyring(watch: Watch, *plans: HostPlan) -> Keyring:
    ring = Keyring(plans, POLICY, (b"http/1.1",), watch.alarm, now=lambda: watch.wall)
    ring.start()
    return ring


def test_hosts_are_found_by_their_names(authority: Authority) -> None:
    ring = keyring(Watch(), plan(authority.issue("a.test", "b.test")), plan(authority.issue("c.test")))
    assert ring.find("b.test") is ring.find("") is ring.default is ring.hosts[0]
    assert ring.find("c.test") is ring.hosts[1]
    assert ring.find("d.test") is None
    assert repr(ring) == "<Keyring of 2 hosts>"
    assert repr(ring.default).startswith("<Host a.test, b.test until 2")


def test_a_file_that_cannot_be_used_at_the_start_is_an_error(authority: Authority) -> None:
    one, other = authority.issue("a.test"), authority.issue("b.test")
    mixed = HostPlan((CertificateFiles(one.cert, other.key),))
    with pytest.raises(CertificateError, match="this is not the key of the certificate"):
        keyring(Watch(), mixed)


def test_a_renewed_certificate_is_taken(authority: Authority, said: list[str]) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test", file="one")))
    before = ring.default.context
    authority.issue("a.test", "b.test", file="one")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS)
    assert ring.default.context is before  # it may still be changing
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS)
    assert ring.default.context is not before
    assert ring.find("b.test") is ring.default
    assert any(line.startswith("certificate renewed: <Host a.test, b.test") for line in said)


def test_one_that_cannot_be_used_changes_nothing_and_is_told_once(authority: Authority, said: list[str]) -> None:
    watch = Watch()
    one = authority.issue("a.test", file="one")
    ring = keyring(watch, plan(one))
    before = ring.default.context
    Path(one.cert).write_bytes(authority.issue("a.test", file="other").certificate.public_bytes(Encoding.PEM))
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 4)
    assert ring.default.context is before
    told = [line for line in said if "a renewed certificate cannot be used, the old one stays" in line]
    assert len(told) == 1
    assert one.key in told[0]
    authority.issue("a.test", file="one")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 2)
    assert ring.default.context is not before


@pytest.mark.parametrize("dates", [{"days": -1, "since": -9}, {"since": 1}])
def test_one_that_clients_would_refuse_is_not_taken(
    authority: Authority, said: list[str], dates: dict[str, float]
) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test")))
    before = ring.default.context
    authority.issue("a.test", **dates)  # type: ignore[arg-type] # of numbers
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.context is before
    assert any("the old one stays" in line and "it counts from" in line for line in said)
    watch.wall += 2 * 86400  # one that was too early is taken when it is time
    ring.look()
    assert (ring.default.context is before) == ("days" in dates)


def test_with_nothing_better_an_expired_one_is_taken(authority: Authority) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test", days=-1, since=-9)))
    new = authority.issue("a.test", days=-0.5, since=-9)
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.pairs[0].leaf == new.certificate


def test_names_that_are_lost_are_told(authority: Authority, said: list[str]) -> None:
    watch = Watch()
    one = authority.issue("a.test", "b.test", "c.test")
    ring = keyring(watch, plan(one))
    authority.issue("a.test", "d.test", file="a.test")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert f"the certificate in {one.cert} is not for b.test, c.test any more" in said
    assert ring.find("d.test") is ring.default
    assert ring.find("b.test") is None


def test_a_revocation_list_is_renewed_as_well(authority: Authority) -> None:
    watch = Watch()
    asks = ClientPolicy(True, authority.ca, authority.revoke())
    ring = keyring(watch, plan(authority.issue("a.test"), client=asks))
    before = ring.default.context
    authority.revoke(authority.issue("bad.test"))
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.context is not before


def test_session_keys_are_changed_a_few_hosts_at_a_time(authority: Authority) -> None:
    watch = Watch()
    ring = keyring(watch, *[plan(authority.issue(f"h{number}.test")) for number in range(10)])
    before = [host.context for host in ring.hosts]
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert [host.context for host in ring.hosts] == before
    watch.wall += limits.TLS_TICKET_SECONDS
    ring.look()
    assert sum(host.context is not old for host, old in zip(ring.hosts, before, strict=True)) == 8
    ring.look()
    assert all(host.context is not old for host, old in zip(ring.hosts, before, strict=True))


def test_who_expires_soon_is_named_every_day(authority: Authority, said: list[str]) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test", days=3.2)), plan(authority.issue("b.test", days=90)))
    soon = [line for line in said if "expires in 3 days" in line]
    assert len(soon) == 1
    assert "a.test.crt" in soon[0]
    ring.look()
    assert len([line for line in said if "expires in" in line]) == 1
    watch.wall += 4 * 86400
    ring.look()
    assert any("a.test.crt has expired" in line for line in said)


def awaited(folder: Path, name: str = "a.test") -> HostPlan:
    path = str(folder / "awaited.pem")
    return HostPlan((CertificateFiles(path, path),), (name,), awaited=True)


def put(authority: Authority, plan: HostPlan, *names: str) -> None:
    """A certificate and its key are there, in one file."""
    issued = authority.issue(*names, file="put")
    Path(plan.files[0].cert).write_bytes(Path(issued.key).read_bytes() + Path(issued.cert).read_bytes())


def test_a_certificate_may_come_later(authority: Authority, tmp_path: Path, said: list[str]) -> None:
    watch, plan = Watch(), awaited(tmp_path)
    ring = keyring(watch, plan)
    host = ring.find("a.test")
    assert host is not None
    assert host.context is None
    watch.wall += limits.TLS_TICKET_SECONDS * 2
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert (host.context, said) == (None, [])
    put(authority, plan, "a.test")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert host.context is not None


def test_who_has_a_certificate_comes_before_who_has_none_yet(authority: Authority, tmp_path: Path) -> None:
    first = awaited(tmp_path)
    second = plan(authority.issue("a.test"))
    ring = keyring(Watch(), first, second)
    assert ring.default is ring.find("a.test") is ring.hosts[1]
    put(authority, first, "a.test")
    ring.take(first.files[0])
    assert ring.default is ring.find("a.test") is ring.hosts[0]


def test_whoever_put_it_there_can_say_so(authority: Authority, tmp_path: Path) -> None:
    watch, plan = Watch(), awaited(tmp_path)
    ring = keyring(watch, plan)
    for _ in range(2):
        before = ring.default.context
        put(authority, plan, "a.test")
        ring.take(plan.files[0])
        assert ring.default.context is not before
    ring.take(CertificateFiles("another", "another"))
    assert ring.default.pairs[0].names == ("a.test",)


def test_one_that_is_awaited_and_damaged_is_told_and_awaited(
    authority: Authority, tmp_path: Path, said: list[str]
) -> None:
    plan = awaited(tmp_path)
    Path(plan.files[0].cert).write_text("garbage")
    ring = keyring(Watch(), plan)
    assert ring.default.context is None
    assert any(line.startswith("a stored certificate cannot be used, a new one is awaited") for line in said)
    put(authority, plan, "a.test")
    ring.take(plan.files[0])
    assert ring.default.context is not None


def test_one_that_we_make_ourselves_is_made_anew_and_taken(tmp_path: Path) -> None:
    watch = Watch()
    issued = Internal(tmp_path, watch.wall).issue([])
    upkeep = Upkeep(tmp_path, issued)
    ring = Keyring(
        [HostPlan((issued.files,))], POLICY, (b"http/1.1",), watch.alarm, now=lambda: watch.wall, upkeep=upkeep
    )
    ring.start()
    before = ring.default.not_after
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.not_after == before
    watch.wall = issued.due
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.not_after > before


def test_a_revocation_list_is_told_before_it_ends_and_when_it_does(authority: Authority, said: list[str]) -> None:
    watch = Watch()
    asks = ClientPolicy(True, authority.ca, authority.revoke(days=20))
    ring = keyring(watch, plan(authority.issue("a.test"), client=asks))
    assert said == []
    watch.wall += 15 * 86400
    ring.look()
    assert [line.partition(" in ")[0] for line in said] == [f"the revocation list {asks.crl} will have expired"]
    watch.wall = ring.default.terms[1].end
    ring.look()
    over = f"the revocation list {asks.crl} has expired: every client with a certificate is refused"
    assert said.count(over) == 1
    authority.revoke(days=60)
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert said.count(over) == 1
    assert ring.default.terms[1].end > watch.wall


def test_a_renewed_key_that_others_can_read_is_told(authority: Authority, said: list[str]) -> None:
    watch = Watch()
    one = authority.issue("a.test", file="one")
    ring = keyring(watch, plan(one))
    before = ring.default.context
    authority.issue("a.test", file="one")
    Path(one.key).chmod(0o644)
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.context is not before
    assert f"every user of this machine can read {one.key}" in said


def test_a_stopped_one_looks_no_more(authority: Authority) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test", file="one")))
    ring.stop()
    before = ring.default.context
    authority.issue("a.test", file="one")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.default.context is before
    assert not watch.clock.getDelayedCalls()


def test_it_is_known_what_it_was_made_of(authority: Authority) -> None:
    one = plan(authority.issue("a.test"))
    ring = keyring(Watch(), one)
    assert ring.is_for([one], POLICY, True)
    assert not ring.is_for([one], policy("modern"), True)
    assert not ring.is_for([one, one], POLICY, True)
    assert not ring.is_for([one], POLICY, False)


def test_a_thousand_of_them_are_read_once_each_and_found_without_looking_through_them(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = authority.issue("h0.test")
    plans = []
    for number in range(1000):
        copy = authority.write(one.certificate, one.private, f"h{number}.test")
        plans.append(HostPlan((CertificateFiles(copy.cert, copy.key),), (f"h{number}.test",)))
    read: list[CertificateFiles] = []
    pair = plans[0].files[0].load()
    monkeypatch.setattr(CertificateFiles, "load", lambda files: read.append(files) or pair)
    ring = keyring(Watch(), *plans)
    assert read == [plan.files[0] for plan in plans]
    assert ring.find("h999.test") is ring.hosts[999]


@pytest.mark.parametrize("what", ODD)
def test_one_that_makes_no_sense_stops_no_other_renewal(authority: Authority, said: list[str], what: str) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test", file="odd")), plan(authority.issue("b.test", file="good")))
    before = [host.context for host in ring.hosts]
    odd(authority, what)
    authority.issue("b.test", "c.test", file="good")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.hosts[0].context is before[0]
    assert ring.find("c.test") is ring.hosts[1]
    assert any("the old one stays" in line and "odd.crt" in line for line in said)
    authority.issue("a.test", "d.test", file="odd")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.find("d.test") is ring.hosts[0]


def test_not_even_one_that_fails_in_an_unknown_way(
    authority: Authority, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    ring = keyring(watch, plan(authority.issue("a.test")), plan(authority.issue("b.test")))
    before = [host.context for host in ring.hosts]

    def fails(now: float) -> None:
        raise RuntimeError("nobody has thought of this")

    monkeypatch.setattr(ring.hosts[0], "make", fails)
    authority.issue("a.test")
    authority.issue("b.test")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.hosts[0].context is before[0]
    assert ring.hosts[1].context is not before[1]
    assert any("could not be renewed, the old certificate stays" in line for line in said)
    before = [host.context for host in ring.hosts]
    monkeypatch.setattr(ring, "look", lambda: fails(0))
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS)
    monkeypatch.undo()
    authority.issue("b.test")
    watch.passes(limits.CERTIFICATE_LOOK_SECONDS * 3)
    assert ring.hosts[1].context is not before[1]
