"""An accepted connection as uvloop takes it: a descriptor. A socket object is made for those only who ask for one.

Making one costs a look at the socket and five conversions to enumerations, and hardly anybody asks.
"""

from __future__ import annotations

import socket

__all__ = ["Accepted"]


class Accepted:
    """The descriptor of an accepted connection. It belongs to whoever made this, and then to the uvloop transport.

    @ivar family: of addresses.
    """

    __slots__ = ("_number", "_socket", "family")

    type = socket.SOCK_STREAM

    def __init__(self, number: int, family: int) -> None:
        self.family = family
        self._number = number
        self._socket: socket.socket | None = None

    def fileno(self) -> int:
        """The descriptor; -1 when it is closed."""
        return self._number

    @property
    def untouched(self) -> bool:
        """Whether nobody has had the socket object: then its options are as uvloop has set them."""
        return self._socket is None

    def whole(self) -> socket.socket:
        """The same connection as a socket object, always the same one; closed when the connection is."""
        if self._socket is None:
            closed = self._number < 0
            self._socket = socket.socket(self.family, self.type, 0, None if closed else self._number)
            if closed:
                self._socket.close()
        return self._socket

    def close(self) -> None:
        """Told by uvloop, which closes the descriptor itself."""
        self._number = -1
        if self._socket is not None:
            self._socket.detach()

    def __repr__(self) -> str:
        return f"<Accepted {self._number}>"
