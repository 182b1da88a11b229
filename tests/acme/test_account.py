"""The account: found, made, bound, changed."""

from pathlib import Path

import pytest

from proxy.acme.account import Account, AccountWish, enter
from proxy.acme.jws import Signer, encoded, new_account_key
from proxy.acme.session import Session
from proxy.acme.words import RefusedError
from tests.acme.directory import URL, Directory, Refusal, Time, done

SECRET = b"0123456789abcdef0123456789abcdef"


class Stage:
    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.directory = Directory(folder, self.time)
        self.account = Account(new_account_key())

    def enters(self, wish: AccountWish) -> Account:
        session = Session(URL, Signer(self.account.key), self.directory.fetch, self.time.pause, self.time.now)
        self.account = done(enter(session, self.account, wish))
        assert session.account == self.account.url
        return self.account


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_new_account_is_made_once(stage: Stage) -> None:
    made = stage.enters(AccountWish("a@b.test"))
    assert made.url == "https://ca.test/account/1"
    assert stage.directory.accounts[made.url]["contact"] == ["mailto:a@b.test"]
    before = len(stage.directory.asked)
    assert stage.enters(AccountWish("a@b.test")) == made
    assert len(stage.directory.asked) == before  # nothing to ask


def test_one_that_the_authority_knows_by_its_key_is_found(stage: Stage) -> None:
    made = stage.enters(AccountWish())
    stage.account = Account(made.key)
    assert stage.enters(AccountWish()).url == made.url
    assert len(stage.directory.accounts) == 1


def test_a_new_address_is_told(stage: Stage) -> None:
    stage.enters(AccountWish("a@b.test"))
    for email, contact in (("new@b.test", ["mailto:new@b.test"]), ("", [])):
        made = stage.enters(AccountWish(email))
        assert stage.directory.accounts[made.url]["contact"] == contact


def test_one_that_the_authority_has_forgotten_is_made_anew(stage: Stage) -> None:
    stage.enters(AccountWish("a@b.test"))
    stage.directory.accounts.clear()
    assert stage.enters(AccountWish("new@b.test")).url in stage.directory.accounts


def test_terms_have_to_be_agreed_to(stage: Stage) -> None:
    stage.directory.terms = "https://ca.test/terms.pdf"
    with pytest.raises(RefusedError, match=r"the terms are at https://ca.test/terms.pdf"):
        stage.enters(AccountWish(terms_agreed=False))
    assert stage.enters(AccountWish()).url


def test_a_binding(stage: Stage) -> None:
    stage.directory.bindings = {"kid-1": SECRET}
    with pytest.raises(RefusedError, match="configure `eab`"):
        stage.enters(AccountWish())
    assert stage.enters(AccountWish("", True, "kid-1", encoded(SECRET))).url


def test_what_the_authority_does_not_want_is_told(stage: Stage) -> None:
    made = stage.enters(AccountWish("a@b.test"))
    refusal = Refusal("invalidContact", "not this address")
    stage.directory.trouble[made.url.removeprefix("https://ca.test")] = [refusal]
    with pytest.raises(RefusedError, match="not this address"):
        stage.enters(AccountWish("x@example.com"))
