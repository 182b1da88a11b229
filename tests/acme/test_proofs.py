"""What an authority sees that looks whether a name is ours."""

from pathlib import Path

import pytest

from proxy.acme.folder import Folder
from proxy.acme.order import Proof
from proxy.acme.proofs import PATH, Proofs, Shared, key_of
from proxy.acme.storage import StorageError
from tests.acme.directory import URL

HTTP = Proof("http-01", "a.test", "token_1", "token_1.print")
ALPN = Proof("tls-alpn-01", "a.test", "token_2", "token_2.print")


def test_http_01() -> None:
    proofs = Proofs()
    assert proofs.answer(PATH + b"token_1") is None
    proofs.show(HTTP)
    assert proofs.answer(PATH + b"token_1") == b"token_1.print"
    for path in (b"/", PATH, PATH + b"token_2", PATH + b"token_1/x", b"/x" + PATH + b"token_1", PATH + b"\xff"):
        assert proofs.answer(path) is None
    proofs.hide(HTTP)
    proofs.hide(HTTP)
    assert proofs.answer(PATH + b"token_1") is None


def test_tls_alpn_01() -> None:
    proofs = Proofs()
    assert proofs.context("a.test") is None
    proofs.show(ALPN)
    context = proofs.context("a.test")
    assert context is not None
    assert proofs.context("a.test") is context
    assert proofs.context("b.test") is None
    proofs.show(ALPN._replace(text="token_3.print"))
    assert proofs.context("a.test") is not context
    proofs.hide(ALPN)
    assert proofs.context("a.test") is None


def test_any_process_with_the_same_storage_answers(tmp_path: Path) -> None:
    one, other = Proofs(), Proofs()
    other.storages = (Folder(tmp_path, "https://another.test/dir"), Folder(tmp_path, URL))
    shared = Shared(one, Folder(tmp_path, URL))
    for proof in (HTTP, ALPN):
        shared.show(proof)
    assert other.answer(PATH + b"token_1") == b"token_1.print"
    assert other.context("a.test") is not None
    for proof in (HTTP, ALPN):
        shared.hide(proof)
    assert other.answer(PATH + b"token_1") is None
    assert other.context("a.test") is None
    assert one.answer(PATH + b"token_1") is None


def test_a_name_that_could_lead_out_of_the_storage_finds_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path, URL)
    folder.keep_proof("http-01.x", "secret")
    proofs = Proofs()
    proofs.storages = (folder,)
    for token in (b"../proofs/http-01.x", b"..", b"x%2f", b"x\0", b"x" * 200):
        assert proofs.answer(PATH + token) is None
    assert proofs.context("../http-01.x") is None


def test_storage_that_fails_is_no_answer() -> None:
    class Broken:
        def proof(self, key: str) -> str:
            raise StorageError("the disk is gone")

    proofs = Proofs()
    proofs.storages = (Broken(),)  # type: ignore[assignment]
    assert proofs.answer(PATH + b"token_1") is None


@pytest.mark.parametrize(("proof", "key"), [(HTTP, "http-01.token_1"), (ALPN, "tls-alpn-01.a.test")])
def test_what_a_proof_is_found_by(proof: Proof, key: str) -> None:
    assert key_of(proof) == key
