"""OCSP responses in handshakes: when they are asked for, who gets which, and when they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, globalLogPublisher

from proxy import limits
from proxy.tls.contexts import CertificateFiles
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.ocsp import OcspError
from proxy.tls.policies import policy
from proxy.tls.shelf import Shelf
from proxy.tls.stapling import Stapling
from tests.support.authority import Authority, Issued
from tests.support.ocsp import REVOKED, answer, with_issuer
from tests.tls.peers import Stage

NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)
URL = "http://ocsp.test/"


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is logged from `warn` on."""
    lines: list[str] = []

    def observe(event: Any) -> None:
        if event["log_level"] >= LogLevel.warn:
            lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


class Desk:
    """Responders that answer when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Deferred[bytes]] = []
        self.urls: list[str] = []

    def ask(self, url: str, question: bytes) -> Deferred[bytes]:
        self.urls.append(url)
        self.asked.append(Deferred())
        return self.asked[-1]


class Scene(Stage):
    """A listener in memory whose responders are a desk."""

    def __init__(self, *hosts: tuple[Issued, ...], staple: bool = True, shelf: Shelf | None = None) -> None:
        self.desk = Desk()
        plans = [HostPlan(tuple(CertificateFiles(one.cert, one.key) for one in host), staple=staple) for host in hosts]
        super().__init__(*plans, ask=self.desk.ask, shelf=shelf, wall=NOW.timestamp())
        self.keyring.start()

    def later(self, seconds: float) -> None:
        self.wall += seconds
        self.keyring.look()

    def stapled(self, name: str, options: Callable[[SSL.Context], None] = lambda context: None) -> bytes | None:
        """The response that a client gets; None where none comes."""
        heard: list[bytes] = []
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_ocsp_client_callback(lambda connection, data, extra: not heard.append(data))
        options(context)
        client = SSL.Connection(context, None)
        client.set_tlsext_host_name(name.encode())
        client.request_ocsp()
        client.set_connect_state()
        end, _ = self.accept()
        for _ in range(8):
            try:
                client.do_handshake()
                break
            except SSL.WantReadError:
                end.says(client.bio_read(65536))
                client.bio_write(end.takes_raw())
        else:
            raise AssertionError("the handshake does not end")
        return heard[0] or None

    @property
    def states(self) -> list[str]:
        stapling = self.keyring.stapling
        assert stapling is not None
        return [stapling.entry(pair).state for host in self.keyring.hosts for pair in host.pairs]


def asking(authority: Authority, name: str = "a.test", **more: Any) -> Issued:
    return with_issuer(authority, authority.issue(name, ocsp=URL, **more))


def test_the_response_is_asked_for_and_given(authority: Authority) -> None:
    one = asking(authority)
    scene = Scene((one,))
    assert (scene.desk.urls, scene.states) == ([URL], ["waiting"])
    assert scene.stapled("a.test") is None  # nobody waits for it
    good = answer(authority, one.certificate, NOW, NOW + WEEK)
    scene.desk.asked[0].callback(good)
    assert scene.states == ["good"]
    assert scene.stapled("a.test") == good
    assert scene.stapled("a.test", lambda context: context.set_max_proto_version(SSL.TLS1_2_VERSION)) == good
    scene.later(60)
    assert len(scene.desk.asked) == 1


def test_certificates_that_name_no_responder_need_none(authority: Authority) -> None:
    scene = Scene((authority.issue("a.test"),))
    assert (scene.desk.asked, scene.states) == ([], ["none"])
    assert scene.stapled("a.test") is None


def test_off_is_off(authority: Authority) -> None:
    scene = Scene((asking(authority),), staple=False)
    assert scene.desk.asked == []
    assert scene.stapled("a.test") is None


def test_each_of_two_kinds_gets_its_own(authority: Authority) -> None:
    curve, rsa = asking(authority, file="ec"), asking(authority, file="rsa", use_rsa=True)
    scene = Scene((curve, rsa), (authority.issue("b.test"),))
    responses = {one.cert: answer(authority, one.certificate, NOW, NOW + WEEK) for one in (curve, rsa)}
    scene.desk.asked[0].callback(responses[curve.cert])
    scene.desk.asked[1].callback(responses[rsa.cert])

    def only(kind: bytes) -> Callable[[SSL.Context], None]:
        def choose(context: SSL.Context) -> None:
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            context.set_cipher_list(b"ECDHE-%b-AES128-GCM-SHA256" % kind)

        return choose

    assert scene.stapled("a.test", only(b"ECDSA")) == responses[curve.cert]
    assert scene.stapled("a.test", only(b"RSA")) == responses[rsa.cert]
    assert scene.stapled("b.test") is None


def test_it_is_renewed_at_half_its_life_and_at_least_once_a_day(authority: Authority) -> None:
    one = asking(authority)
    for life, pause in ((timedelta(hours=2), 3600.0), (WEEK, limits.OCSP_RENEW_SECONDS)):
        scene = Scene((one,))
        scene.desk.asked[0].callback(answer(authority, one.certificate, NOW, NOW + life))
        scene.later(pause * 0.89)
        assert len(scene.desk.asked) == 1
        scene.later(pause * 0.11 + 1)
        assert len(scene.desk.asked) == 2
        now = datetime.fromtimestamp(int(scene.wall), UTC)
        newer = answer(authority, one.certificate, now, now + life)
        scene.desk.asked[1].callback(newer)
        assert scene.stapled("a.test") == newer


def test_the_last_good_one_is_kept_until_it_is_out_of_date(authority: Authority, said: list[str]) -> None:
    one = asking(authority)
    scene = Scene((one,))
    good = answer(authority, one.certificate, NOW, NOW + timedelta(hours=2))
    scene.desk.asked[0].callback(good)
    scene.later(3600)
    scene.desk.asked[1].errback(OcspError("HTTP 503"))
    assert said == ["no OCSP response for a.test, the last one is still good: HTTP 503"]
    assert (scene.states, scene.stapled("a.test")) == (["good"], good)
    scene.later(3590)
    scene.desk.asked[2].callback(b"nonsense")
    assert scene.stapled("a.test") == good
    scene.later(6)
    assert scene.states == ["failing"]
    assert scene.stapled("a.test") is None
    assert said[1].startswith("no OCSP response for a.test: out of date, and no newer one could be had: the answer can")


def test_it_is_asked_again_soon_and_then_less_and_less_often(authority: Authority, said: list[str]) -> None:
    scene = Scene((asking(authority),))
    times = []
    for _ in range(12):
        scene.desk.asked[-1].errback(OcspError("HTTP 503"))
        count, before = len(scene.desk.asked), scene.wall
        while len(scene.desk.asked) == count:
            scene.later(1)
        times.append(scene.wall - before)
    assert 8 <= times[0] <= 13
    assert 16 <= times[1] <= 25
    assert 0.8 * 3600 <= times[-1] <= 1.2 * 3600 + 1
    assert said == ["no OCSP response for a.test: HTTP 503"]  # once


def test_a_revoked_certificate_gets_no_response_and_many_words(authority: Authority, said: list[str]) -> None:
    one = asking(authority)
    scene = Scene((one,))
    scene.desk.asked[0].callback(answer(authority, one.certificate, NOW, NOW + WEEK))
    scene.later(limits.OCSP_RENEW_SECONDS + 1)
    scene.desk.asked[1].callback(answer(authority, one.certificate, NOW, NOW + WEEK, status=REVOKED))
    assert (scene.states, scene.stapled("a.test")) == (["revoked"], None)
    assert said == [f"the certificate of a.test is revoked, says {URL}"]


def test_one_that_must_be_stapled_and_cannot(authority: Authority, said: list[str]) -> None:
    scene = Scene((asking(authority, must_staple=True),))
    assert said == []  # it has only just been asked for
    scene.desk.asked[0].errback(OcspError("HTTP 503"))
    refused = "clients may refuse the certificate of {}: it needs an OCSP response, and there is none: {}"
    assert said == [refused.format("a.test", "HTTP 503")]
    scene.keyring._warn()  # every day
    assert len(said) == 2
    del said[:]
    Scene((authority.issue("b.test", must_staple=True),)).keyring._warn()
    assert said[-1] == refused.format("b.test", "it names no responder")
    Scene((authority.issue("c.test", must_staple=True, ocsp=URL),)).keyring._warn()
    assert said[-1] == refused.format("c.test", "its file lacks the certificate of its issuer")


def test_a_renewed_certificate_is_asked_about_and_the_old_one_forgotten(authority: Authority) -> None:
    one = asking(authority)
    scene = Scene((one,))
    scene.desk.asked[0].callback(answer(authority, one.certificate, NOW, NOW + WEEK))
    new = asking(authority)
    scene.later(5)
    scene.later(5)
    assert scene.keyring.hosts[0].pairs[0].leaf == new.certificate
    assert scene.stapled("a.test") is None  # never that of another certificate
    good = answer(authority, new.certificate, NOW, NOW + WEEK)
    scene.desk.asked[1].callback(good)
    assert scene.stapled("a.test") == good
    assert scene.keyring.stapling is not None
    assert len(scene.keyring.stapling._known) == 1


def test_few_are_asked_at_once(authority: Authority) -> None:
    hosts = [(asking(authority, f"h{number}.test"),) for number in range(2 * limits.OCSP_AT_ONCE)]
    scene = Scene(*hosts)
    assert len(scene.desk.asked) == limits.OCSP_AT_ONCE
    scene.desk.asked[0].callback(answer(authority, hosts[0][0].certificate, NOW, NOW + WEEK))
    assert len(scene.desk.asked) == limits.OCSP_AT_ONCE + 1


def test_answers_that_come_at_once_do_not_pile_up(authority: Authority) -> None:
    one = asking(authority, "h0.test")
    copies = [authority.write(one.certificate, one.private, f"h{number}") for number in range(1, 3)]
    plans = [HostPlan((CertificateFiles(with_issuer(authority, copy).cert, copy.key),)) for copy in copies]
    asked: list[str] = []

    def ask(url: str, question: bytes) -> Deferred[bytes]:
        asked.append(url)
        return fail(OcspError("no"))

    stage = Stage(*plans, ask=ask)
    stage.keyring.start()
    assert asked == [URL]  # one certificate, however many files it is in
    stage.keyring.look()
    assert asked == [URL]


def test_a_reload_keeps_what_is_known(authority: Authority) -> None:
    one = asking(authority)
    scene = Scene((one,))
    good = answer(authority, one.certificate, NOW, NOW + WEEK)
    scene.desk.asked[0].callback(good)
    desk = Desk()
    before = scene.keyring
    stapling = Stapling(desk.ask, lambda: scene.wall, before.stapling._random, before.stapling)  # type: ignore[union-attr]
    plans = [before.hosts[0].plan, HostPlan((CertificateFiles(*asking(authority, "b.test")[2:]),))]
    scene.keyring = Keyring(
        plans, policy("intermediate"), (b"http/1.1",), scene.alarm, now=lambda: scene.wall, stapling=stapling
    )
    scene.server.keyring = scene.keyring
    assert scene.stapled("a.test") == good
    scene.keyring.start()
    before.stop()
    assert len(desk.asked) == 1
    assert scene.states == ["good", "waiting"]


def test_nothing_is_asked_after_the_end(authority: Authority, said: list[str]) -> None:
    scene = Scene((asking(authority),))
    scene.keyring.stop()
    assert scene.desk.asked[0].called
    assert said == []
    scene.later(3600)
    assert len(scene.desk.asked) == 1


def test_a_restart_has_the_answer_at_once(authority: Authority, tmp_path: Path, said: list[str]) -> None:
    one = asking(authority)
    shelf = Shelf(tmp_path / "state" / "ocsp")
    first = Scene((one,), shelf=shelf)
    good = answer(authority, one.certificate, NOW, NOW + WEEK)
    first.desk.asked[0].callback(good)
    second = Scene((one,), shelf=shelf)
    assert (second.states, second.stapled("a.test")) == (["good"], good)
    assert second.desk.asked == []
    second.later(limits.OCSP_RENEW_SECONDS + 1)
    assert len(second.desk.asked) == 1
    [file] = shelf._folder.iterdir()
    file.write_bytes(b"nonsense")
    third = Scene((one,), shelf=shelf)
    assert (third.states, len(third.desk.asked)) == (["waiting"], 1)
    assert said == []
