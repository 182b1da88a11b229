"""Responses in a folder."""

import os
from pathlib import Path

from proxy import limits
from proxy.tls.shelf import Shelf


def test_what_is_put_is_got(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a" / "b")
    assert shelf.get(b"one") == b""
    shelf.put(b"one", b"first")
    shelf.put(b"one", b"second")
    shelf.put(b"two", b"other")
    assert (shelf.get(b"one"), shelf.get(b"two")) == (b"second", b"other")
    assert len(list((tmp_path / "a" / "b").iterdir())) == 2  # nothing is left lying beside them
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_what_nobody_renews_goes(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(b"old", b"x")
    shelf.put(b"new", b"x")
    now = 2_000_000_000.0
    for name, age in ((b"old", limits.OCSP_SHELF_SECONDS + 1), (b"new", 86400.0)):
        os.utime(tmp_path / f"{name.hex()}.der", (now - age, now - age))
    shelf.tidy(now)
    assert (shelf.get(b"old"), shelf.get(b"new")) == (b"", b"x")


def test_a_folder_that_cannot_be_used_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shelf = Shelf(tmp_path / "file" / "ocsp")
    shelf.put(b"one", b"x")
    shelf.tidy(0.0)
    assert shelf.get(b"one") == b""
    assert shelf._complained
