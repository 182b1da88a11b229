"""From an order to its certificate, and every way in which that fails."""

from pathlib import Path

import pytest
from cryptography import x509

from proxy.acme.account import Account, AccountWish, enter
from proxy.acme.jws import Signer, new_account_key
from proxy.acme.keys import request
from proxy.acme.order import Proof, Wanted, obtain
from proxy.acme.session import Session
from proxy.acme.words import RefusedError, UnprovenError, UnreachedError
from proxy.tls.certificates import names_of
from tests.acme.directory import BEGIN, URL, Directory, Refusal, Time, done


class Stage:
    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.directory = Directory(folder, self.time)
        self.directory.sees = self.sees
        self.shown: dict[tuple[str, str], Proof] = {}
        self.most = 0
        key = new_account_key()
        self.session = Session(URL, Signer(key), self.directory.fetch, self.time.pause, self.time.now)
        done(enter(self.session, Account(key), AccountWish()))

    def show(self, proof: Proof) -> None:
        self.shown[proof.challenge, proof.name] = proof
        self.most = max(self.most, len(self.shown))

    def hide(self, proof: Proof) -> None:
        del self.shown[proof.challenge, proof.name]

    def sees(self, kind: str, name: str, token: str, text: str) -> bool:
        return self.shown.get((kind, name)) == Proof(kind, name, token, text)

    def obtains(self, *names: str, challenge: str = "http-01", replaces: str = "") -> list[x509.Certificate]:
        made = request(names, "ecdsa-p256")

        async def csr() -> bytes:
            return made.csr

        chain = done(obtain(self.session, Wanted(names, challenge, replaces), self, csr))
        return x509.load_pem_x509_certificates(chain.encode())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_a_certificate_for_several_names(stage: Stage, challenge: str) -> None:
    stage.directory.polls = 2
    chain = stage.obtains("a.test", "b.test", challenge=challenge)
    assert names_of(chain[0]) == ("a.test", "b.test")
    assert len(chain) == 2
    assert stage.most == 2  # all are shown before the first is looked at
    assert stage.shown == {}


def test_names_that_were_proved_not_long_ago_are_not_proved_again(stage: Stage) -> None:
    stage.directory.reused = True
    assert names_of(stage.obtains("a.test")[0]) == ("a.test",)
    assert stage.most == 0


def test_a_name_that_is_not_ours_is_told_with_the_reason_of_the_authority(stage: Stage) -> None:
    stage.directory.sees = lambda kind, name, token, text: name != "b.test"
    with pytest.raises(UnprovenError, match=r"b.test is not proved by http-01: nobody is there \(connection\)"):
        stage.obtains("a.test", "b.test")
    assert stage.shown == {}  # nothing stays
    assert "/finalize/1" not in stage.directory.asked


def test_a_challenge_that_is_not_offered(stage: Stage) -> None:
    stage.directory.offers = ("dns-01",)
    with pytest.raises(UnprovenError, match=r"does not offer http-01 for it, but dns-01"):
        stage.obtains("a.test")


def test_an_authority_that_does_not_come_to_an_end_is_left(stage: Stage) -> None:
    stage.directory.polls = 10_000
    with pytest.raises(UnreachedError, match="has not decided"):
        stage.obtains("a.test")
    assert stage.time.now() - BEGIN < 610
    assert stage.shown == {}


def test_trouble_in_the_middle_hides_what_was_shown(stage: Stage) -> None:
    stage.directory.trouble["/challenge/1-1-http-01"] = [Refusal("serverInternal", "sorry", 500)]
    with pytest.raises(UnreachedError, match="sorry"):
        stage.obtains("a.test", "b.test")
    assert stage.most == 2
    assert stage.shown == {}


def test_a_refused_name(stage: Stage) -> None:
    stage.directory.trouble["/order"] = [Refusal("rejectedIdentifier", "policy forbids a.test")]
    with pytest.raises(RefusedError, match=r"policy forbids a.test \(rejectedIdentifier\)"):
        stage.obtains("a.test")


def test_a_refused_key(stage: Stage) -> None:
    stage.directory.trouble["/finalize/1"] = [Refusal("badCSR", "a weak key")]
    with pytest.raises(RefusedError, match="a weak key"):
        stage.obtains("a.test")


def test_what_is_replaced_is_named_where_the_authority_wants_to_know(stage: Stage) -> None:
    stage.obtains("a.test", replaces="abc.def")
    assert stage.directory.replaced == []
    stage.directory.window = (BEGIN, BEGIN + 1)
    stage.session = Session(URL, stage.session.signer, stage.directory.fetch, stage.time.pause, stage.time.now)
    stage.session.account = next(iter(stage.directory.accounts))
    stage.obtains("a.test", replaces="abc.def")
    assert stage.directory.replaced == ["abc.def"]


def test_what_cannot_be_replaced_is_ordered_all_the_same(stage: Stage) -> None:
    stage.directory.window = (BEGIN, BEGIN + 1)
    session = Session(URL, stage.session.signer, stage.directory.fetch, stage.time.pause, stage.time.now)
    session.account, stage.session = stage.session.account, session
    stage.directory.trouble["/order"] = [Refusal("alreadyReplaced", "twice?", 409)]
    assert stage.obtains("a.test", replaces="abc.def")
    assert stage.directory.replaced == []
