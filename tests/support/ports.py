"""Ports for programs that must be told one before they start."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"


@contextmanager
def held_port(host: str = LOOPBACK) -> Iterator[int]:
    """
    A TCP port of `host` where nobody listens yet, for a test that lets time pass before somebody does.

    It stays bound meanwhile, so that the kernel gives it to nobody; a server with SO_REUSEADDR may listen there.
    For a server that listens on all addresses of both families, `host` is "::": a port that is held for IPv4 alone
    may be somebody's at ::1.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, 0))
        yield holder.getsockname()[1]


def free_port(host: str = LOOPBACK) -> int:
    """
    A TCP port of `host` that a program started next can bind, and that no `bind(0)` hands out meanwhile.

    Binding port 0 and closing again is a race with every other process that does the same. So one
    connection is made to the port and closed from the accepting side: that leaves the port in TIME_WAIT for
    a minute, where the kernel offers it to nobody, while a server with SO_REUSEADDR (nginx, HAProxy,
    Twisted, uvloop: all of them) may still bind it by number.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen(1)
        port: int = listener.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            accepted, _ = listener.accept()
            accepted.close()
            client.recv(1)
    return port
