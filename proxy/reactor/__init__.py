"""A Twisted reactor whose TCP and UNIX streams are uvloop's own.

``install()`` is what ``twistd --reactor=uvloop`` calls. Importing this package costs nothing: Twisted's
reactor machinery and uvloop are imported only when a reactor is made.

Map, in the order a connection meets it:

- ``loop.py``     the reactor: which transports `listenTCP` and its five siblings use, timers, threads, signals
- ``ports.py``    listening ports, stock Twisted but for the plain way of accepting and the transport they hand out
- ``accepted.py`` an accepted connection before anybody asks for its socket
- ``dialing.py``  connectors, stock Twisted until the connection stands
- ``stream.py``   the transport itself: Twisted's interfaces in front, a uvloop transport behind
- ``sending.py``  its sending half: the queue of a turn, and producers
- ``outbox.py``   the writes of one loop turn, flushed together
- ``piping.py``, ``relay.py``   ways for bytes that no protocol wants to see
- ``heap.py``     what was read is freed a moment later: the C library keeps it for the next read
"""

from __future__ import annotations

__all__ = ["install"]


def install() -> None:
    """Make a `UvloopReactor` the global reactor.

    Raises `ImportError` with the command to run if uvloop is not installed, and
    `twisted.internet.error.ReactorAlreadyInstalledError` if there is a reactor already.
    """
    try:
        import uvloop  # noqa: F401 - asked for by name, to fail with a sentence
    except ImportError as error:
        raise ImportError("the uvloop reactor needs uvloop: run `pip install uvloop`") from error
    from proxy.reactor import loop

    loop.install()
