"""Storage on disk: rights, replacement in one step, locks, and what has been damaged."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proxy import limits
from proxy.acme.account import Account
from proxy.acme.folder import Folder, directory_label
from proxy.acme.storage import Record, StorageError
from tests.acme.directory import URL
from tests.support.authority import Authority

ACCOUNT = Account("a key", "https://ca.test/account/1", "a@b.test")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "acme", URL)


def modes(folder: Folder) -> set[tuple[str, int]]:
    found = [folder.base, *folder.base.rglob("*")]
    return {("d" if path.is_dir() else "f", stat.S_IMODE(path.stat().st_mode)) for path in found}


def keep(folder: Folder, tmp_path: Path, label: str = "a") -> None:
    issued = Authority(tmp_path).issue("a.test")
    folder.keep_certificate(label, Path(issued.key).read_text(), Path(issued.cert).read_text())


def test_nothing_is_there_at_first_and_looking_makes_nothing(folder: Folder) -> None:
    assert folder.account() is None
    assert folder.certificate("a") is None
    assert folder.seen("a") is None
    assert folder.record("a") == Record()
    assert folder.proof("http-01.x") is None
    assert not folder.base.exists()


def test_only_we_can_read_any_of_it(folder: Folder, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder.keep_account(ACCOUNT)
        keep(folder, tmp_path)
        folder.keep_record("a", Record(1))
        folder.keep_proof("http-01.x", "text")
        assert folder.lock("a") is not None
    finally:
        os.umask(before)
    assert modes(folder) == {("d", 0o700), ("f", 0o600)}


def test_what_is_kept_is_found(folder: Folder, tmp_path: Path) -> None:
    folder.keep_account(ACCOUNT)
    keep(folder, tmp_path)
    record = Record(3, "no", 5.5, 1.0, 2.0, 3.0, True)
    folder.keep_record("a", record)
    again = Folder(folder.base, URL)
    assert again.account() == ACCOUNT
    kept = again.certificate("a")
    assert kept is not None
    assert kept.key_type == "ecdsa-p256"
    assert again.record("a") == record
    assert again.files("a").load().names == ("a.test",)


def test_directories_are_kept_apart(folder: Folder) -> None:
    folder.keep_account(ACCOUNT)
    assert Folder(folder.base, "https://ca.test/other").account() is None
    assert directory_label(URL).startswith("ca.test-")
    assert directory_label("https://localhost:14000/dir").startswith("localhost+14000-")


def test_a_replacement_is_seen_and_leaves_nothing_beside(folder: Folder, tmp_path: Path) -> None:
    keep(folder, tmp_path)
    before = folder.seen("a")
    keep(folder, tmp_path)
    assert folder.seen("a") != before
    assert [path.name for path in (folder.path / "certificates").iterdir()] == ["a.pem"]


def test_a_file_that_was_left_half_written_is_no_obstacle(folder: Folder, tmp_path: Path) -> None:
    keep(folder, tmp_path)
    (folder.path / "certificates" / f".a.pem.{os.getpid()}").write_text("half")
    keep(folder, tmp_path)
    assert folder.certificate("a") is not None


@pytest.mark.parametrize("text", ["", "garbage", "-----BEGIN CERTIFICATE-----\n"])
def test_a_damaged_certificate_is_told(folder: Folder, tmp_path: Path, text: str) -> None:
    keep(folder, tmp_path)
    Path(folder.files("a").cert).write_text(text)
    with pytest.raises(StorageError, match=r"a\.pem"):
        folder.certificate("a")


def test_every_certificate_that_can_be_used_is_found_whoever_gave_it(folder: Folder, tmp_path: Path) -> None:
    assert list(folder.others()) == []
    elsewhere = Folder(folder.base, "https://another.test/dir")
    keep(elsewhere, tmp_path, "x")
    keep(folder, tmp_path, "a")
    keep(folder, tmp_path, "b")
    Path(folder.files("b").cert).write_text("garbage")
    assert [files for files, _ in folder.others()] == [folder.files("a"), elsewhere.files("x")]


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\0"])
def test_a_damaged_account_is_told_and_never_overwritten(folder: Folder, text: str) -> None:
    folder.keep_account(ACCOUNT)
    (folder.path / "account.json").write_text(text)
    with pytest.raises(StorageError, match=r"account.json"):
        folder.account()


@pytest.mark.parametrize("text", ["{", "[]", '{"failures": "many", "error": 5, "try_at": null}'])
def test_what_cannot_be_remembered_is_forgotten(folder: Folder, text: str) -> None:
    folder.keep_record("a", Record(1))
    (folder.path / "certificates" / "a.json").write_text(text)
    assert folder.record("a") == Record()


def test_one_of_two_processes_orders(folder: Folder) -> None:
    lock = folder.lock("a")
    assert lock is not None
    code = f"""
from proxy.acme.folder import Folder
folder = Folder({str(folder.base)!r}, {URL!r})
print(folder.lock("a") is None, folder.lock("b") is not None)
"""

    def other() -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert other() == "True True"
    lock.release()
    lock.release()
    assert other() == "False True"


def test_proofs_are_shared_and_taken_back(folder: Folder) -> None:
    folder.keep_proof("tls-alpn-01.a.test", "text")
    assert Folder(folder.base, URL).proof("tls-alpn-01.a.test") == "text"
    folder.drop_proof("tls-alpn-01.a.test")
    folder.drop_proof("tls-alpn-01.a.test")
    assert folder.proof("tls-alpn-01.a.test") is None


@pytest.mark.parametrize("key", ["../account.json", "a/b", "", "x" * 300, "a\0"])
def test_nobody_gets_out_of_the_folder(folder: Folder, key: str) -> None:
    folder.keep_account(ACCOUNT)
    folder.keep_proof("x", "y")
    assert folder.proof(key) is None
    with pytest.raises(StorageError, match="cannot be the name"):
        folder.keep_proof(key, "text")


def test_what_a_killed_process_left_is_swept_up(folder: Folder) -> None:
    folder.keep_proof("old", "text")
    past = time.time() - limits.ACME_PROOF_SECONDS - 10
    os.utime(folder.path / "proofs" / "old", (past, past))
    folder.keep_proof("new", "text")
    assert folder.proof("old") is None
    assert folder.proof("new") == "text"


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_ordered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = Folder(tmp_path / "file" / "acme", URL)
    for write in (lambda: folder.lock("a"), lambda: folder.keep_account(ACCOUNT), lambda: folder.keep_proof("x", "y")):
        with pytest.raises(StorageError, match="Not a directory"):
            write()
