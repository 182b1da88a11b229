"""Files that change: told once, when all is quiet, and only if they are other than before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from proxy.admin.watch import PATIENCE, FileWatch


class Notifier:
    """In place of the kernel's: the test says when something happens."""

    def __init__(self) -> None:
        self.watched: dict[str, Callable[..., None]] = {}
        self.open = True

    def watch(self, path: Any, mask: int, callbacks: Any) -> None:
        [self.watched[path.path]] = callbacks

    def loseConnection(self) -> None:
        self.open = False


class Desk:
    """A watch on the files of a directory."""

    def __init__(self, path: Path, *names: str) -> None:
        self.clock = Clock()
        self.path = path
        self.told = 0
        self.notifiers: list[Notifier] = []
        for name in names:
            (path / name).write_text("1")
        self.watch = FileWatch(self.clock, self._tell, 1.0, self._make)
        self.watch.look_at([str(path / name) for name in names])

    def _make(self, reactor: Any) -> Notifier:
        self.notifiers.append(Notifier())
        return self.notifiers[-1]

    def _tell(self) -> None:
        self.told += 1

    def happens(self, directory: Path | None = None) -> None:
        """The kernel says that something happened in there."""
        self.notifiers[-1].watched[str(directory or self.path)](None, None, 0)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "a.yaml", "secret.txt")


def test_a_change_is_told_when_all_has_been_quiet(desk: Desk) -> None:
    (desk.path / "a.yaml").write_text("22")
    desk.happens()
    desk.clock.advance(0.9)
    desk.happens()
    desk.clock.advance(0.9)
    assert desk.told == 0
    desk.clock.advance(0.1)
    assert desk.told == 1
    desk.clock.advance(10)
    assert desk.told == 1


def test_what_is_not_about_the_files_is_not_told(desk: Desk) -> None:
    (desk.path / "access.log").write_text("x")
    desk.happens()
    desk.clock.advance(1)
    assert desk.told == 0


def test_a_neighbor_that_nobody_includes_is_not_told(desk: Desk) -> None:
    (desk.path / "b.yaml").write_text("1")
    desk.happens()
    desk.clock.advance(1)
    assert desk.told == 0


@pytest.mark.parametrize("names", [(), ("old.yaml",)])
def test_a_new_file_in_a_directory_is_told(tmp_path: Path, names: tuple[str, ...]) -> None:
    included = tmp_path / "d"
    included.mkdir()
    for name in names:
        (included / name).write_text("1")
    desk = Desk(tmp_path, "a.yaml")
    desk.watch.look_at([str(tmp_path / "a.yaml"), str(included)])
    assert sorted(desk.notifiers[-1].watched) == [str(tmp_path), str(included)]
    for name, told in (("notes.txt", 0), (".hidden.yaml", 0), ("new.yaml", 1)):
        (included / name).write_text("1")
        desk.happens(included)
        desk.clock.advance(1)
        assert desk.told == told


def test_a_file_that_comes_after_its_directory_was_read_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "a.yaml")
    paths = [str(tmp_path / "a.yaml"), str(tmp_path)]
    desk.watch.look_at(paths)
    desk.watch.read()
    (tmp_path / "late.yaml").write_text("1")
    desk.watch.look_at(paths)
    desk.clock.advance(1)
    assert desk.told == 1


def test_what_is_missing_is_told_when_it_comes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "a.yaml")
    desk.watch.look_at([str(tmp_path / "a.yaml"), str(tmp_path / "d" / "e" / "key")])
    assert sorted(desk.notifiers[-1].watched) == [str(tmp_path)]
    (tmp_path / "d").mkdir()
    desk.happens()
    desk.clock.advance(1)
    assert (desk.told, sorted(desk.notifiers[-1].watched)) == (0, [str(tmp_path), str(tmp_path / "d")])
    (tmp_path / "d" / "e").mkdir()
    (tmp_path / "d" / "e" / "key").write_text("1")
    desk.happens(tmp_path / "d")
    desk.clock.advance(1)
    assert desk.told == 1


def test_a_file_that_goes_is_told(desk: Desk) -> None:
    (desk.path / "secret.txt").unlink()
    desk.happens()
    desk.clock.advance(1)
    assert desk.told == 1


def test_where_something_happens_all_the_time_it_is_told_all_the_same(desk: Desk) -> None:
    (desk.path / "a.yaml").write_text("22")
    for _ in range(2 * (PATIENCE + 2)):
        desk.happens()
        desk.clock.advance(0.5)
    assert desk.told == 1


def test_what_changes_while_the_files_are_read_is_told(desk: Desk) -> None:
    desk.watch.read()
    (desk.path / "a.yaml").write_text("22")
    desk.watch.look_at([str(desk.path / "a.yaml")])
    desk.clock.advance(1)
    assert desk.told == 1


def test_links_are_followed_where_they_lead(tmp_path: Path) -> None:
    """As Kubernetes mounts them."""
    for name in ("..one", "..two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text("1")
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    desk = Desk(tmp_path)
    desk.watch.look_at([str(tmp_path / "a.yaml")])
    assert sorted(desk.notifiers[-1].watched) == [str(tmp_path), str(tmp_path / "..one")]
    (tmp_path / "..tmp").symlink_to("..two")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    desk.happens()
    desk.clock.advance(1)
    assert desk.told == 1
    assert sorted(desk.notifiers[-1].watched) == [str(tmp_path), str(tmp_path / "..two")]
    assert [notifier.open for notifier in desk.notifiers].count(True) == 1


def test_the_end(desk: Desk) -> None:
    (desk.path / "a.yaml").write_text("22")
    desk.happens()
    desk.watch.stop()
    assert desk.clock.getDelayedCalls() == []
    assert not desk.notifiers[-1].open
    assert repr(desk.watch) == "<FileWatch of 2 paths>"
