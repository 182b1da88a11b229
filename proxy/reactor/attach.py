"""Give a connected socket to uvloop, at once; and take it back.

uvloop offers this only as the coroutine `connect_accepted_socket`, which makes the transport before its first
`await` and then waits, for its caller's sake only, for `connection_made` to have been called. Nobody here awaits it,
so a task (about 4 µs and two loop turns) would be paid for nothing: the coroutine is driven by hand, and stays where
it waits. To whoever is cancelled there it promises to close what it has made: so it is also the one way to close a
transport at once, in place of two turns later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["Attachment", "attach"]

#: As long as it is there, the transport is. `close()` closes transport and descriptor at once, and tells the protocol
#: nothing; not to be called while uvloop reads, nor before `connection_made`.
Attachment = Coroutine[Any, Any, Any]


def attach(loop: asyncio.AbstractEventLoop, protocol: Any, sock: Any) -> Attachment:
    """Make a uvloop transport for `sock`, which from now on belongs to it.

    ``protocol.connection_made`` is the next thing queued on the loop, so whatever the caller queues after this runs
    after it and still before the loop polls. Raises `OSError` if the socket is not usable.

    @param sock: a connected socket, or what has of it `family`, `type`, `fileno` and `close` (see `accepted`).
    @return: to be kept while the transport is to live.
    """
    attachment = loop.connect_accepted_socket(lambda: protocol, sock)
    attachment.send(None)
    return attachment
