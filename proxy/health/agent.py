"""What a server's agent says of it: the words of HAProxy's agent check, so that agents there are can stay.

An agent is a small program beside the server that answers every connection with one line, such as `75%`, `drain` or
`down #disk full`: it knows what no probe sees from outside. See section 5.2 of HAProxy's manual, `agent-check`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from proxy.health.change import Change

#: More than this is no answer of an agent.
REPLY_BYTES = 1024

_PERCENT = re.compile(r"([0-9]{1,4})%")
_CONNECTIONS = re.compile(r"maxconn:([0-9]{1,6})")
_SEPARATOR = re.compile(r"[\s,]+")


class Mode(Enum):
    """What the agent wants done with its server."""

    READY = "ready"
    DRAIN = "drain"
    MAINTENANCE = "maintenance"


class Word(Enum):
    """What the agent thinks of its server's health."""

    UP = "up"
    DOWN = "down"


_MODES = {"ready": Mode.READY, "drain": Mode.DRAIN, "maint": Mode.MAINTENANCE}
_WORDS = {"up": Word.UP, "down": Word.DOWN, "fail": Word.DOWN, "failed": Word.DOWN, "stopped": Word.DOWN}


class Report(NamedTuple):
    """One answer of an agent. What it does not speak of stays as it was.

    @ivar share: the part of its configured weight that the server should have.
    @ivar connections: how many exchanges it may have at once; 0 for as many as configured.
    @ivar why: what stands behind `#`.
    """

    share: float | None = None
    connections: int | None = None
    mode: Mode | None = None
    word: Word | None = None
    why: str = ""


def parse_report(line: bytes) -> Report:
    """The first line that an agent sent.

    @raise ValueError: it holds a word that no agent says, or none at all; in words for people.
    """
    said, _, why = line.decode("utf-8", "replace").partition("#")
    report = Report(why=why.strip())
    words = [word for word in _SEPARATOR.split(said.strip()) if word]
    if not words:
        raise ValueError("it said nothing")
    for word in words:
        lower = word.lower()
        if match := _PERCENT.fullmatch(lower):
            report = report._replace(share=int(match[1]) / 100)
        elif match := _CONNECTIONS.fullmatch(lower):
            report = report._replace(connections=int(match[1]))
        elif lower in _MODES:
            report = report._replace(mode=_MODES[lower])
        elif lower in _WORDS:
            report = report._replace(word=_WORDS[lower])
        else:
            raise ValueError(f"it said {word[:40]!r}, which is no word of an agent")
    return report


class Agent:
    """All that the agent of one server has said so far.

    @ivar share: of the configured weight.
    @ivar connections: at once; 0 for as many as configured.
    @ivar why: the words behind what it thinks and wants.
    """

    __slots__ = ("connections", "mode", "share", "why", "word")

    def __init__(self) -> None:
        self.share = 1.0
        self.connections = 0
        self.mode = Mode.READY
        self.word = Word.UP
        self.why = "its agent says so"

    @property
    def usable(self) -> bool:
        """Whether it lets its server have requests at all; a server that drains still gets those that stick to it."""
        return self.word is Word.UP and self.mode is not Mode.MAINTENANCE

    @property
    def weight(self) -> float:
        """What to multiply the configured weight by."""
        return 0.0 if self.mode is Mode.DRAIN else self.share

    def heard(self, report: Report) -> list[Change]:
        """Take a report to heart.

        @return: what is other than before, weight and connections aside.
        """
        why = f"its agent says so{f': {report.why}' if report.why else ''}"
        changes = []
        if report.mode is not None and report.mode is not self.mode:
            changes.append(Change(self.mode, report.mode, why))
            self.mode = report.mode
        if report.word is not None and report.word is not self.word:
            changes.append(Change(self.word, report.word, why))
            self.word = report.word
        if changes or report.why:
            self.why = why
        if report.share is not None:
            self.share = report.share
        if report.connections is not None:
            self.connections = report.connections
        return changes

    def __repr__(self) -> str:
        return f"<Agent {self.mode.value} {self.word.value} {self.share:.0%}>"
