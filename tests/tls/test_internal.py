"""The authority of one machine."""

import os
import stat
import time
from pathlib import Path

import pytest

from proxy import limits
from proxy.tls.certificates import CertificateError, load_chain, load_pair
from proxy.tls.contexts import CertificateFiles
from proxy.tls.internal import Internal, Upkeep
from proxy.tls.keyring import HostPlan
from tests.tls.peers import Stage, client_context


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    first = Internal(tmp_path / "new" / "internal", time.time())
    again = Internal(tmp_path / "new" / "internal", time.time())
    assert (first.is_new, again.is_new) == (True, False)
    assert str(first.root) in first.advice()
    one, other = (load_pair(*authority.issue([]).files) for authority in (first, again))
    assert one.leaf.issuer == other.leaf.issuer == load_chain(str(first.root))[0].subject


def test_nobody_else_may_read_its_keys(tmp_path: Path) -> None:
    folder = tmp_path / "internal"
    Internal(folder, time.time()).issue(["a.test"])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"root.crt": 0o644, "root.key": 0o600, "local.crt": 0o644, "local.key": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_client_that_trusts_it_gets_in(tmp_path: Path) -> None:
    authority = Internal(tmp_path / "internal", time.time())
    issued = authority.issue(["shop.test", "*.shop.test", "192.0.2.1"])
    stage = Stage(HostPlan((issued.files,)), strict=False)
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
    issued = Internal(tmp_path / "internal", time.time()).issue(["a.test"])
    assert isinstance(issued.files, CertificateFiles)
    assert set(issued.files.load().names) == set(issued.names) > {"a.test", "localhost"}


def test_it_is_issued_anew_for_other_names_only(tmp_path: Path) -> None:
    def issued(*names: str, folder: Path = tmp_path / "internal") -> int:
        return Internal(folder, time.time()).issue(names).files.load().leaf.serial_number

    first = issued("b.test", "a.test")
    assert issued("a.test", "b.test") == first
    second = issued("a.test", "c.test")
    assert second != first
    assert "b.test" not in load_pair(*Internal(tmp_path / "internal", time.time()).issue(["c.test"]).files).names
    (tmp_path / "internal" / "root.key").unlink()  # then it is another authority
    assert issued("a.test", "c.test") != second


def test_it_is_made_anew_in_time_while_the_process_runs(tmp_path: Path, said: list[str]) -> None:
    now = time.time()
    folder = tmp_path / "internal"
    issued = Internal(folder, now).issue(["a.test"])
    first = issued.files.load()
    upkeep = Upkeep(folder, issued)
    assert 200 * 86400 < issued.due - now < 300 * 86400
    upkeep.look(issued.due - 1)
    assert issued.files.load().leaf == first.leaf
    (folder / "root.crt").rename(folder / "aside.crt")
    (folder / "root.crt").mkdir()
    upkeep.look(issued.due)
    upkeep.look(issued.due + 5)
    assert issued.files.load().leaf == first.leaf
    assert len([line for line in said if "cannot be made anew" in line]) == 1
    (folder / "root.crt").rmdir()
    (folder / "aside.crt").rename(folder / "root.crt")
    upkeep.look(issued.due + limits.INTERNAL_RETRY_SECONDS)
    second = issued.files.load()
    assert second.names == first.names
    assert second.not_after > first.not_after
    upkeep.look(issued.due + 30 * 86400)
    assert issued.files.load().leaf == second.leaf


def test_what_a_crash_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "internal"
    Internal(folder, time.time())
    for name in ("local.key", "local.crt"):
        (folder / f".{name}.{os.getpid()}").write_bytes(b"half of it")
    assert "a.test" in Internal(folder, time.time()).issue(["a.test"]).files.load().names
