"""Bytes go from one stream to another through a pipe of the kernel, and this process sees none of them (splice(2)).

Reading 10 MiB and writing them again takes 8 ms, nearly all of it for copying them twice; through a pipe, 2.5 ms.

While it lasts, the pipe takes the place of uvloop at both streams: the source is not read otherwise, and what is
written to the target waits behind what comes through the pipe. The notifications stay Twisted's: the target's producer
is paused when the kernel takes no more and resumed when all has been sent, and the source can be paused and resumed.
Whatever is out of the ordinary, such as the end of the source, ends the pipe and is left to uvloop, which sees it next.

What a pipe waits for:

    bytes are in it                                             the target, to be writable
    none are, some are wanted, and nobody paused the source     the source, to be readable
    else, or while older bytes for the target are unsent        nothing
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
from typing import TYPE_CHECKING, Protocol

from proxy.reactor.sending import LOST

if TYPE_CHECKING:
    from proxy.reactor.stream import Stream

__all__ = ["PIPE_BYTES", "Pipe", "PipeOwner", "most_pipes"]

#: What a pipe holds, and what moves in a turn of the loop. The kernel's usual 64 KiB cost half as much again.
PIPE_BYTES = 256 * 1024

# Pipes at the same time: the kernel lets a user have 64 MiB of them, and each takes four descriptors, most of which
# connections need.
_PIPES = 128
_DESCRIPTORS_A_PIPE = 64

_NO_WAITING = os.O_NONBLOCK | os.O_CLOEXEC


def most_pipes() -> int:
    """How many pipes a reactor may have at the same time; 0 where there is no such system call."""
    if not hasattr(os, "splice"):
        return 0
    return int(min(_PIPES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _DESCRIPTORS_A_PIPE))


class PipeOwner(Protocol):
    """Whoever wants the bytes moved."""

    def piped(self, size: int) -> None:
        """So many bytes, 1 or more, have left through the target."""

    def pipe_over(self) -> None:
        """The streams are as before: all bytes have been moved, or the source has ended. Not called when a stream is
        lost: then its protocol is told."""


class Pipe:
    """Moves bytes of `source` to `target`; see `Stream.pipe_to`, which makes one.

    @param count: how many bytes, at least 1.
    @raise OSError: the system has no more descriptors; nothing has changed.
    """

    __slots__ = (
        "_ends",
        "_inside",
        "_left",
        "_loop",
        "_owner",
        "_ready",
        "_source",
        "_target",
        "_watched",
        "_watches",
    )

    def __init__(self, source: Stream, target: Stream, count: int, owner: PipeOwner) -> None:
        self._left = count  # bytes that are still to be taken from the source
        self._inside = 0  # bytes in the pipe
        self._source, self._target, self._owner = source, target, owner
        self._loop = source.reactor.loop
        # uvloop lets nobody watch the descriptors of its transports, so copies of them are watched.
        self._watches = _copies(source.fileno(), target.fileno())
        try:
            self._ends: tuple[int, ...] = os.pipe2(_NO_WAITING)
        except OSError:
            _close(self._watches)
            raise
        with contextlib.suppress(OSError):  # the user has too many; the kernel's usual size is good enough
            fcntl.fcntl(self._ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._watched: int | None = None  # 0 for the source, 1 for the target
        source.reactor.pipes.add(self)
        self._ready = target.write_through(self)  # whether all that was written to it before has been sent
        source.read_through(self)
        if self._ready and target.producerPaused:
            self._loop.call_soon(self.target_drained)  # it waits for the end of the turn, which is ours now

    # What the streams tell

    def look(self) -> None:
        """The source was paused or resumed: see what to wait for."""
        if self._inside:
            self._watch(1)
        elif self._ready and self._left and self._source.reading:
            self._watch(0)
        else:
            self._watch(None)

    def target_drained(self) -> None:
        """All that was written to the target before has been sent."""
        if not self._ends:
            return
        self._ready = True
        self._target.resume_producer()
        self.look()

    def stop(self) -> None:
        """One of the streams is lost: what is in the pipe is dropped."""
        if not self._ends:
            return
        self._watch(None)
        _close(self._ends + self._watches)
        self._ends = self._watches = ()
        source, target = self._source, self._target
        source.reactor.pipes.discard(self)
        source.read_through(None)
        target.write_through(None)
        if self._ready and not target.disconnected:
            target.resume_writing()

    # What the loop calls

    def _source_readable(self) -> None:
        source = self._source
        source.reactor.serving = source
        try:
            size = self._splice(source.fileno(), self._ends[1], min(self._left, PIPE_BYTES))
        except OSError:
            source.lose(LOST)
            return
        if size is None:
            return
        if not size:
            self._left = 0  # the source has ended; uvloop tells its protocol
        self._left -= size
        self._inside = size
        self._target_writable()

    def _target_writable(self) -> None:
        target, before = self._target, self._inside
        size: int | None = 0
        target.reactor.serving = target
        try:
            while self._inside and size is not None:
                size = self._splice(self._ends[0], target.fileno(), self._inside)
                self._inside -= size or 0
        except OSError:
            target.write_failed()
            return
        try:
            self._tell(before - self._inside)
        except BaseException:  # noqa: BLE001 - logged; whatever a protocol raises ends its connection only
            self._source.fail()

    def _tell(self, moved: int) -> None:
        if moved:
            self._owner.piped(moved)
        if self._inside:
            self._target.pause_producer()
        else:
            self._target.resume_producer()
        if not self._ends:
            return  # whoever was told has ended a connection
        if self._left or self._inside:
            self.look()
        else:
            self.stop()
            self._owner.pipe_over()

    @staticmethod
    def _splice(source: int, target: int, count: int) -> int | None:
        """How many bytes have moved: 0 at the end of the source, None where one of both is not ready."""
        try:
            return os.splice(source, target, count, flags=os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return None

    def _watch(self, which: int | None) -> None:
        watched, self._watched = self._watched, which
        if watched == which:
            return
        if watched == 0:
            self._loop.remove_reader(self._watches[0])
        elif watched == 1:
            self._loop.remove_writer(self._watches[1])
        if which == 0:
            self._loop.add_reader(self._watches[0], self._source_readable)
        elif which == 1:
            self._loop.add_writer(self._watches[1], self._target_writable)

    def __repr__(self) -> str:
        return f"<Pipe {self._left} bytes to come, {self._inside} inside>"


def _copies(*descriptors: int) -> tuple[int, ...]:
    copies: list[int] = []
    try:
        for descriptor in descriptors:
            copies.append(os.dup(descriptor))
    except OSError:
        _close(copies)
        raise
    return tuple(copies)


def _close(descriptors: tuple[int, ...] | list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
