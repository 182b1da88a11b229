"""A conversation with a directory: nonces, problems, polling."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy import limits
from proxy.acme.jws import Signer, new_account_key
from proxy.acme.session import Directory as Offered
from proxy.acme.session import Offer, Session
from proxy.acme.words import Answer, Ask, RefusedError, UnreachedError
from tests.acme.directory import URL, Directory, Refusal, Time, done

ACCOUNT = "https://ca.test/account"


class Stage:
    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.directory = Directory(folder, self.time)
        self.session = self.begin()

    def begin(self, offer: Offer | None = None) -> Session:
        signer = Signer(new_account_key())
        return Session(URL, signer, self.directory.fetch, self.time.pause, self.time.now, offer)

    def enter(self) -> Answer:
        answer: Answer = done(
            self.session.post(ACCOUNT, {"termsOfServiceAgreed": True, "contact": []}, by_key=True)
        )
        self.session.account = answer.fields["location"]
        return answer


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_nonces_are_used_once_and_come_with_every_answer(stage: Stage) -> None:
    stage.enter()
    done(stage.session.post(f"{ACCOUNT}/1", {"contact": []}))
    assert stage.directory.asked == ["/dir", "/account", "/account/1"]


def test_the_directory_is_asked_once_and_can_be_shared(stage: Stage) -> None:
    offer = Offer()
    for _ in range(2):
        assert done(stage.begin(offer).directory()).new_order == "https://ca.test/order"
    assert stage.directory.asked == ["/dir"]


def test_a_nonce_is_asked_for_where_there_is_none(stage: Stage) -> None:
    offer = Offer()
    done(stage.begin(offer).directory())
    stage.session = stage.begin(offer)
    stage.enter()
    assert stage.directory.asked == ["/dir", "/nonce", "/account"]


def test_a_refused_nonce_is_replaced_several_times(stage: Stage) -> None:
    stage.directory.bad_nonces = limits.ACME_NONCE_TRIES - 1
    assert stage.enter().status == 201
    assert stage.directory.asked.count("/account") == limits.ACME_NONCE_TRIES


def test_but_not_for_ever(stage: Stage) -> None:
    stage.directory.bad_nonces = 1000
    with pytest.raises(RefusedError, match="badNonce"):
        stage.enter()
    assert stage.directory.asked.count("/account") == limits.ACME_NONCE_TRIES


def test_a_rate_limit_says_how_long(stage: Stage) -> None:
    stage.directory.trouble["/account"] = [Refusal("rateLimited", "too many accounts", 429)]
    stage.directory.retry_after = "1800"
    with pytest.raises(RefusedError, match=r"too many accounts \(rateLimited\)") as refused:
        stage.enter()
    assert (refused.value.kind, refused.value.retry_after) == ("rateLimited", 1800.0)


def answering(status: int, body: bytes, **fields: str) -> Any:
    async def fetch(ask: Ask) -> Answer:
        return Answer(status, {"replay-nonce": "n", **fields}, body)

    return fetch


@pytest.mark.parametrize("status", [500, 503, 404, 302])
def test_what_is_no_problem_of_acme_is_a_fault_of_the_server(status: int) -> None:
    time = Time()
    session = Session(URL, None, answering(status, b"<html>", **{"retry-after": "9"}), time.pause, time.now)
    with pytest.raises(UnreachedError, match=f"HTTP {status}") as failed:
        done(session.directory())
    assert failed.value.retry_after == 9.0


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"newNonce": "http://ca.test/n", "newAccount": "https://ca.test/a", "newOrder": "https://ca.test/o"},
        {"newNonce": 1, "newAccount": "https://ca.test/a", "newOrder": "https://ca.test/o"},
    ],
)
def test_what_is_no_directory_is_told(value: dict[str, Any]) -> None:
    time = Time()
    session = Session(URL, None, answering(200, json.dumps(value).encode()), time.pause, time.now)
    with pytest.raises(RefusedError, match="not that of an ACME directory"):
        done(session.directory())


def test_what_a_directory_may_leave_out() -> None:
    needed = {name: f"https://ca.test/{name}" for name in ("newNonce", "newAccount", "newOrder")}
    found = Offered.of({**needed, "meta": "odd"})
    assert (found.renewal_info, found.revoke, found.terms, found.needs_binding) == ("", "", "", False)


@pytest.mark.parametrize("url", ["http://127.0.0.1/admin", "file:///etc/passwd", ""])
def test_an_authority_sends_us_nowhere_else(stage: Stage, url: str) -> None:
    stage.enter()
    before = len(stage.directory.asked)
    with pytest.raises(RefusedError, match="not https"):
        done(stage.session.post(url))
    assert len(stage.directory.asked) == before


def test_a_server_without_nonces_is_no_authority() -> None:
    time = Time()

    async def fetch(ask: Ask) -> Answer:
        needed = {name: f"https://ca.test/{name}" for name in ("newNonce", "newAccount", "newOrder")}
        return Answer(200, {}, json.dumps(needed).encode())

    session = Session(URL, Signer(new_account_key()), fetch, time.pause, time.now)
    with pytest.raises(RefusedError, match="Replay-Nonce"):
        done(session.post(ACCOUNT, {}))


def test_polling_waits_as_long_as_it_is_told_and_gives_up(stage: Stage) -> None:
    stage.enter()
    made = done(stage.session.post("https://ca.test/order", {"identifiers": [{"type": "dns", "value": "a.test"}]}))
    stage.directory.retry_after = "20"
    url = made.json()["authorizations"][0]
    with pytest.raises(UnreachedError, match="has not decided for"):
        done(stage.session.poll(url, ("valid",), stage.time.now()))
    assert set(stage.time.pauses) == {20.0}
    assert 0 <= limits.ACME_ORDER_SECONDS - sum(stage.time.pauses) < 20


def test_the_first_answer_may_be_there_already(stage: Stage) -> None:
    first = Answer(200, {}, b'{"status": "valid"}')
    assert done(stage.session.poll("https://ca.test/x", ("valid",), 0.0, first)) == {"status": "valid"}
    assert stage.directory.asked == []
