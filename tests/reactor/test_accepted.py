from __future__ import annotations

import os
import socket

from proxy.reactor.accepted import Accepted


def pair() -> tuple[Accepted, socket.socket]:
    ours, theirs = socket.socketpair()
    return Accepted(ours.detach(), ours.family), theirs


def test_the_socket_object_is_the_connection_and_always_the_same() -> None:
    accepted, theirs = pair()
    assert accepted.untouched
    whole = accepted.whole()
    whole.sendall(b"hello")
    assert theirs.recv(5) == b"hello"
    assert (accepted.whole(), accepted.fileno()) == (whole, whole.fileno())
    assert not accepted.untouched
    whole.close()


def test_closing_is_left_to_who_owns_the_descriptor() -> None:
    accepted, _ = pair()
    number, whole = accepted.fileno(), accepted.whole()
    accepted.close()
    assert (accepted.fileno(), whole.fileno()) == (-1, -1)
    os.fstat(number)  # still open
    os.close(number)


def test_a_socket_that_is_asked_for_too_late_is_closed() -> None:
    accepted, _ = pair()
    os.close(accepted.fileno())
    accepted.close()
    assert accepted.whole().fileno() == -1
