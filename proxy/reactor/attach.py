"""Give a connected socket to uvloop, at once.

uvloop offers this only as the coroutine `connect_accepted_socket`, which makes the transport before its first
`await` and then waits, for its caller's sake only, for `connection_made` to have been called. Nobody here awaits it,
so a task (about 4 µs and two loop turns) would be paid for nothing: the coroutine is driven by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from functools import partial
from typing import Any

__all__ = ["attach"]


def attach(loop: asyncio.AbstractEventLoop, protocol: Any, sock: socket.socket) -> None:
    """Make a uvloop transport for `sock`, which from now on belongs to it.

    ``protocol.connection_made`` is the next thing queued on the loop, so whatever the caller queues after this runs
    after it and still before the loop polls. Raises `OSError` if the socket is not usable.
    """
    coroutine = loop.connect_accepted_socket(lambda: protocol, sock)
    made = coroutine.send(None)
    # Dropping the suspended coroutine would close the transport: let it return.
    made.add_done_callback(partial(_finish, coroutine))


def _finish(coroutine: Coroutine[Any, Any, Any], made: asyncio.Future[None]) -> None:
    with contextlib.suppress(StopIteration):
        coroutine.send(None)
