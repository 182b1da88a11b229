"""One directory and our account there, shared by all its certificates."""

from pathlib import Path

import pytest

from proxy.acme.account import Account, AccountWish
from proxy.acme.authority import Authority, Issued
from proxy.acme.folder import Folder
from proxy.acme.jws import encoded
from proxy.acme.keys import checked
from proxy.acme.order import Wanted
from proxy.acme.proofs import PATH, Proofs
from proxy.acme.storage import StorageError
from proxy.acme.words import AcmeError, RefusedError, UnreachedError
from tests.acme.directory import URL, Directory, Refusal, Time, done, world

WISH = AccountWish("a@b.test")
SECRET = b"0123456789abcdef0123456789abcdef"


class Stage:
    def __init__(self, folder: Path, wish: AccountWish = WISH) -> None:
        self.time = Time()
        self.directory = Directory(folder, self.time)
        self.directory.sees = self.sees
        self.storage = Folder(folder / "acme", URL)
        self.proofs = Proofs(self.time.now)
        self.world = world(self.time, self.directory)
        self.authority = self.begin(wish)

    def begin(self, wish: AccountWish) -> Authority:
        return Authority(URL, "", wish, self.storage, self.proofs, self.world)

    def sees(self, kind: str, name: str, token: str, text: str) -> bool:
        return self.proofs.answer(PATH + token.encode()) == text.encode()

    def issues(self, *names: str, key_type: str = "ecdsa-p256") -> Issued:
        issued: Issued = done(self.authority.issue(Wanted(names, "http-01"), key_type))
        checked(issued.chain, issued.key, names, self.time.now())
        return issued


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_one_account_for_all_orders_and_for_the_next_start(stage: Stage) -> None:
    stage.issues("a.test")
    stage.issues("b.test", key_type="ecdsa-p384")
    stage.authority = stage.begin(AccountWish("a@b.test"))
    stage.issues("c.test")
    assert len(stage.directory.accounts) == 1
    kept = stage.storage.account()
    assert kept is not None
    assert (kept.url, kept.email) == ("https://ca.test/account/1", "a@b.test")
    assert stage.directory.asked.count("/dir") == 2  # one for each start


def test_the_key_of_an_account_is_kept_before_the_account_is_made(stage: Stage) -> None:
    stage.directory.trouble["/account"] = [Refusal("serverInternal", "sorry", 500)]
    with pytest.raises(UnreachedError):
        stage.issues("a.test")
    kept = stage.storage.account()
    assert kept is not None
    assert kept.url == ""
    stage.issues("a.test")
    assert stage.storage.account() == kept._replace(url="https://ca.test/account/1", email="a@b.test")


def test_an_authority_that_has_forgotten_us_gets_us_anew(stage: Stage) -> None:
    stage.issues("a.test")
    stage.directory.accounts.clear()
    stage.issues("b.test")
    assert len(stage.directory.accounts) == 1
    stage.directory.accounts.clear()
    stage.authority = stage.begin(AccountWish("a@b.test"))
    stage.issues("c.test")
    assert len(stage.directory.accounts) == 1


def test_a_binding(tmp_path: Path) -> None:
    stage = Stage(tmp_path, AccountWish("", True, "kid-1", encoded(SECRET)))
    stage.directory.bindings = {"kid-1": SECRET}
    stage.issues("a.test")


def test_a_damaged_account_stops_everything_before_it_is_asked_for(stage: Stage) -> None:
    stage.storage.keep_account(Account("no key"))
    with pytest.raises(StorageError, match="move the file away"):
        stage.issues("a.test")
    assert stage.directory.asked == []


def test_a_failed_order_leaves_room_for_the_next(stage: Stage) -> None:
    stage.directory.sees = lambda *proof: False
    for _ in range(10):
        with pytest.raises(RefusedError):
            stage.issues("a.test")
    stage.directory.sees = stage.sees
    stage.issues("a.test")


def test_another_key_is_not_taken(stage: Stage) -> None:
    stage.directory.other_key = True
    with pytest.raises(AcmeError, match="another key"):
        stage.issues("a.test")


def test_revoking(stage: Stage) -> None:
    stage.issues("a.test")
    [certificate] = stage.directory.issued
    done(stage.authority.revoke(certificate, "key-compromise"))
    assert stage.directory.revoked == [(certificate.serial_number, 1)]
    stage.directory.trouble["/revoke"] = [Refusal("alreadyRevoked"), Refusal("unauthorized", "not yours", 403)]
    done(stage.authority.revoke(certificate, "superseded"))
    with pytest.raises(RefusedError, match="not yours"):
        done(stage.authority.revoke(certificate, "superseded"))


def test_what_the_directory_offers_is_asked_for_again_some_day(stage: Stage) -> None:
    stage.issues("a.test")
    stage.time.wall += 7 * 3600
    stage.issues("b.test")
    assert stage.directory.asked.count("/dir") == 2


def test_renewal_information_needs_no_account(stage: Stage) -> None:
    stage.issues("a.test")
    before = len(stage.directory.asked)
    assert done(stage.authority.renewal_info(stage.directory.issued[0])).window is None
    assert len(stage.directory.asked) == before
