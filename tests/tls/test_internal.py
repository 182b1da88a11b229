"""The authority of one machine."""

import stat
import time
from pathlib import Path

import pytest

from proxy.tls.certificates import CertificateError, load_chain, load_pair
from proxy.tls.contexts import CertificateFiles
from proxy.tls.internal import Internal
from proxy.tls.keyring import HostPlan
from tests.tls.peers import Stage, client_context


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    first = Internal(tmp_path / "new" / "internal", time.time())
    again = Internal(tmp_path / "new" / "internal", time.time())
    assert (first.is_new, again.is_new) == (True, False)
    assert str(first.root) in first.advice()
    one, other = (load_pair(*authority.issue([])) for authority in (first, again))
    assert one.leaf.issuer == other.leaf.issuer == load_chain(str(first.root))[0].subject


def test_nobody_else_may_read_its_keys(tmp_path: Path) -> None:
    folder = tmp_path / "internal"
    Internal(folder, time.time()).issue(["a.test"])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"root.crt": 0o644, "root.key": 0o600, "local.crt": 0o644, "local.key": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_client_that_trusts_it_gets_in(tmp_path: Path) -> None:
    authority = Internal(tmp_path / "internal", time.time())
    files = authority.issue(["shop.test", "*.shop.test", "192.0.2.1"])
    stage = Stage(HostPlan((files,)), strict=False)
    context = client_context(str(authority.root))
    context.check_hostname = True
    for name in ("localhost", "shop.test", "x.shop.test", "192.0.2.1", "127.0.0.1"):
        stage.client(name, "", context=context).shake()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CertificateError, match="Not a directory"):
        Internal(tmp_path / "file" / "internal", time.time())
    folder = tmp_path / "broken"
    Internal(folder, time.time())
    (folder / "root.key").write_bytes(b"nonsense")
    with pytest.raises(CertificateError, match="no private key"):
        Internal(folder, time.time())


def test_what_is_issued_is_a_plain_certificate(tmp_path: Path) -> None:
    files = Internal(tmp_path / "internal", time.time()).issue(["a.test"])
    assert isinstance(files, CertificateFiles)
    assert "a.test" in files.load().names
