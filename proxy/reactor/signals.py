"""Child processes, reaped on SIGCHLD.

Twisted learns of SIGCHLD through `signal.set_wakeup_fd`, of which a process has one. A running uvloop loop owns it (it
must, to run Python signal handlers at all while it polls), so Twisted's pipe would stay silent. With the wake-up
taken care of, a plain Python signal handler does.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from twisted.internet import process
from twisted.internet._signals import SignalHandling

__all__ = ["ReapOnSIGCHLD", "SignalPair"]


class ReapOnSIGCHLD:
    """Reap Twisted's child processes whenever one has ended."""

    def __init__(self, call_from_thread: Callable[[Callable[[], None]], None]) -> None:
        self._call_from_thread = call_from_thread

    def install(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: self._call_from_thread(process.reapAllProcesses))
        signal.siginterrupt(signal.SIGCHLD, False)
        # Those that ended before anybody listened; and in the loop's first turn again, for a signal that arrives while
        # uvloop sets up its wake-up is noted by Python but wakes nobody.
        process.reapAllProcesses()
        self._call_from_thread(process.reapAllProcesses)

    def uninstall(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


class SignalPair:
    """Two signal handlings as one. Twisted uninstalls more often than it installs."""

    def __init__(self, *handlings: SignalHandling) -> None:
        self._handlings = handlings
        self._installed = False

    def install(self) -> None:
        for handling in self._handlings:
            handling.install()
        self._installed = True

    def uninstall(self) -> None:
        if self._installed:
            self._installed = False
            for handling in self._handlings:
                handling.uninstall()
