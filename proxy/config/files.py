"""Files that a configuration is made of or names: its own, those it includes, those that hold a value, certificates."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from proxy import limits

# What a shell or another program hands over: it may be a pipe, to whoever it was handed.
_HANDED_OVER = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


class NotRegularError(OSError):
    """A pipe, a device or the like."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(errno.EINVAL, "not a regular file", str(path))


def read_regular(path: str | Path, most: int) -> bytes:
    """What is in a regular file, the first `most` bytes of it.

    Nobody writes to a forgotten pipe, and a device may never end: whoever reads them in a thread does so for ever.

    @raise OSError: it cannot be had.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            number = file.fileno()
            if not stat.S_ISREG(os.fstat(number).st_mode) and not str(path).startswith(_HANDED_OVER):
                raise NotRegularError(path)
            os.set_blocking(number, True)
            return file.read(most)
    except ValueError as error:  # a NUL in its name
        raise OSError(errno.EINVAL, str(error), str(path)) from error


def read_file(path: Path, most: int) -> bytes | str:
    """What is in a regular file, or in words that follow its name why that cannot be had.

    @param most: so many bytes and no more.
    """
    try:
        data = read_regular(path, most + 1)
    except NotRegularError:
        return "is not a regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return data if len(data) <= most else f"is larger than {most // limits.MIB} MiB"


def _without_waiting(path: str, flags: int) -> int:
    """To open a pipe is to wait for somebody who writes to it, unless one says that one does not want to."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
