from __future__ import annotations

import signal
import subprocess
import sys

from twisted.internet import process

from proxy.reactor.signals import ReapOnSIGCHLD, SignalPair


class Handling:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def install(self) -> None:
        self.log.append("install")

    def uninstall(self) -> None:
        self.log.append("uninstall")


def test_a_pair_uninstalls_only_what_is_installed() -> None:
    log: list[str] = []
    pair = SignalPair(Handling(log), Handling(log))
    pair.uninstall()
    assert log == []
    pair.install()
    pair.uninstall()
    pair.uninstall()
    assert log == ["install", "install", "uninstall", "uninstall"]


def test_sigchld_asks_the_reactor_thread_to_reap() -> None:
    asked: list[object] = []
    before = signal.getsignal(signal.SIGCHLD)
    reaping = ReapOnSIGCHLD(asked.append)
    try:
        reaping.install()
        signal.raise_signal(signal.SIGCHLD)
        reaping.uninstall()
        assert asked == [process.reapAllProcesses] * 2  # once for what ended before, once for the signal
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGCHLD, before)


RUN = """
from proxy.reactor import install
install()
from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol

class Child(ProcessProtocol):
    def processEnded(self, reason):
        print(reason.value.exitCode)
        reactor.stop()

# Its descriptors stay open in a grandchild, so that only SIGCHLD tells of its end. Not before the reactor runs: a child
# that has ended by then is told of at once, and nothing that does not run can be stopped.
args = ["sh", "-c", "sleep 1 & exit 7"]
reactor.callWhenRunning(reactor.spawnProcess, Child(), "/bin/sh", args, childFDs={})
reactor.run()
"""


def test_a_child_is_reaped_by_a_running_reactor() -> None:
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("7\n", 0), done.stderr


STOP = """
from proxy.reactor import install
install()
import os, signal, sys
from twisted.internet import reactor
reactor.callLater(0.1, os.kill, os.getpid(), getattr(signal, sys.argv[1]))
reactor.run()
print("stopped")
"""


def test_sigterm_and_sigint_stop_the_reactor() -> None:
    for name in ("SIGTERM", "SIGINT"):
        done = subprocess.run([sys.executable, "-c", STOP, name], capture_output=True, text=True, timeout=30)
        assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr
