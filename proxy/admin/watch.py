"""The files of the configuration, watched: somebody is told when they have changed and all has been quiet for a while.

Directories are watched, not files: editors replace files by renaming others over them, and Kubernetes swaps a symbolic
link (`..data`) beside them. What happened is not believed but looked at: only files that are other than before count.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.filepath import FilePath

log = Logger()

#: Where something happens all the time, the news are put off by so many times `debounce` at most.
PATIENCE = 10
_SUFFIXES = (".yaml", ".yml")

#: What a file looks like from outside; None where there is none.
_Look = tuple[str, int, int, int] | None


def inotify(reactor: Any) -> Any:
    """The kernel's watch.

    @raise ImportError: this system has none.
    """
    from twisted.internet.inotify import INotify

    notifier = INotify(reactor)
    notifier.startReading()
    return notifier


class FileWatch:
    """Watches the files of a configuration.

    @param changed: called when they have changed, after `debounce` seconds in which nothing happened.
    @param make: makes the kernel's watch; see `inotify`.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        changed: Callable[[], None],
        debounce: float,
        make: Callable[[Any], Any] = inotify,
    ) -> None:
        self._reactor = reactor
        self._changed = changed
        self.debounce = debounce
        self._make = make
        self._notifier = make(reactor)
        self._paths: tuple[str, ...] = ()
        self._seen: dict[str, _Look] = {}
        self._timer: Any = None
        self._since = 0.0

    def look_at(self, paths: Iterable[str]) -> None:
        """Watch these from now on: those that are new as they are now, the others as they were when last `read`.

        @param paths: files, which may be missing, and directories, of which every YAML file counts.
        """
        before = set(self._paths)
        self._paths = tuple(os.path.abspath(path) for path in paths)  # noqa: PTH100 - keeps links as they are
        self._arm()
        now = self._look()
        # What is new in a directory that was watched already came after that was read.
        known = {file: None if os.path.dirname(file) in before else look for file, look in now.items()}  # noqa: PTH120
        self._seen = {file: self._seen.get(file, look) for file, look in known.items()}
        if self._seen != now:
            self._happened()

    def read(self) -> None:
        """The files are about to be read: what changes from now on is news."""
        self._seen = self._look()

    def stop(self) -> None:
        """Watch nothing any more."""
        self._notifier.loseConnection()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        """Watch every directory on the way to a path: where its name is, where it is itself, and itself if it is one.

        With a new notifier each time: the kernel watches the directory itself, not whatever has its name by now, and
        Twisted's closes as a whole when one directory is deleted.
        """
        from twisted.internet.inotify import IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO
        from twisted.python._inotify import INotifyError

        before, self._notifier = self._notifier, self._make(self._reactor)
        before.loseConnection()
        mask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        directories = {_nearest(end) for path in self._paths for end in (path, os.path.realpath(path))}
        directories |= {os.path.realpath(path) for path in self._paths if os.path.isdir(path)}  # noqa: PTH112
        for directory in sorted(directories):
            try:
                self._notifier.watch(FilePath(directory), mask, callbacks=[lambda *_: self._happened()])
            except INotifyError as error:
                log.warn("{directory} cannot be watched: {error}", directory=directory, error=error)

    def _happened(self) -> None:
        """Something happened in a directory, to whatever file."""
        now = self._reactor.seconds()
        if self._timer is None:
            self._since = now
        elif now - self._since < PATIENCE * self.debounce:
            self._timer.cancel()
        else:
            return
        self._timer = self._reactor.callLater(self.debounce, self._quiet)

    def _quiet(self) -> None:
        self._timer = None
        self._arm()
        now = self._look()
        if now != self._seen:
            self._seen = now
            self._changed()

    def _look(self) -> dict[str, _Look]:
        """What all files look like, those in the directories as well."""
        found: dict[str, _Look] = {}
        for path in self._paths:
            try:
                names = os.listdir(path)  # noqa: PTH208
            except OSError:  # a file, or nothing at all
                found[path] = _look_at(path)
                continue
            for name in names:
                if name.endswith(_SUFFIXES) and not name.startswith("."):
                    file = os.path.join(path, name)  # noqa: PTH118
                    found[file] = _look_at(file)
        return found

    def __repr__(self) -> str:
        return f"<FileWatch of {len(self._paths)} paths>"


def _nearest(path: str) -> str:
    """The directory that `path` is in; where there is none yet, the one in which that will appear."""
    above = os.path.dirname(path)  # noqa: PTH120
    while not os.path.isdir(above):  # noqa: PTH112
        above = os.path.dirname(above)  # noqa: PTH120
    return above


def _look_at(file: str) -> _Look:
    try:
        about = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return os.path.realpath(file), about.st_ino, about.st_mtime_ns, about.st_size
