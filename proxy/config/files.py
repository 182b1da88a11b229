"""Files that a configuration is made of: its own, those it includes, and those that hold a value."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from proxy import limits

# What a shell or another program hands over: it may be a pipe, to whoever it was handed.
_HANDED_OVER = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


def read_file(path: Path, most: int) -> bytes | str:
    """What is in a regular file, or in words that follow its name why that cannot be had.

    Nobody writes to a forgotten pipe, and a device may never end: whoever reads them in a thread does so for ever.

    @param most: so many bytes and no more.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            number = file.fileno()
            if not stat.S_ISREG(os.fstat(number).st_mode) and not str(path).startswith(_HANDED_OVER):
                return "is not a regular file"
            os.set_blocking(number, True)
            data = file.read(most + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError as error:
        return f"cannot be read: {error}"  # a NUL in its name
    return data if len(data) <= most else f"is larger than {most // limits.MIB} MiB"


def _without_waiting(path: str, flags: int) -> int:
    """To open a pipe is to wait for somebody who writes to it, unless one says that one does not want to."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
