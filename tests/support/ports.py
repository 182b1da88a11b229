"""Ports for programs that must be told one before they start."""

import socket

LOOPBACK = "127.0.0.1"


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
