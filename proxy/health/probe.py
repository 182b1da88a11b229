"""What a probe's answer says, and when to send the next one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from proxy.message.head import ResponseHead

#: A body is looked at so far: a health page that is larger is none.
BODY_BYTES = 64 * 1024
#: The part of the interval by which a probe comes earlier or later: many proxies must not probe in step.
JITTER = 0.15


class Verdict(NamedTuple):
    """What a probe found, with the words that are shown and logged."""

    passed: bool
    why: str


class Expectation(NamedTuple):
    """What a healthy server answers.

    @ivar statuses: ranges of status codes.
    @ivar body: must be found in the body, where given.
    @ivar fields: names (in lower case) of fields that must be there, with what must be found in one of their values.
    """

    statuses: tuple[range, ...] = (range(200, 400),)
    body: re.Pattern[bytes] | None = None
    fields: tuple[tuple[bytes, re.Pattern[bytes]], ...] = ()

    def judge(self, head: ResponseHead, body: bytes) -> Verdict:
        """Look at a whole answer.

        @param body: at most the first `BODY_BYTES`.
        """
        if not any(head.status in statuses for statuses in self.statuses):
            return Verdict(False, f"status {head.status}, expected {describe_statuses(self.statuses)}")
        for name, pattern in self.fields:
            if not any(pattern.search(value) for value in head.fields.all(name)):
                return Verdict(
                    False, f"status {head.status}, but no {_text(name)} that matches {_text(pattern.pattern)}"
                )
        if self.body is not None and not self.body.search(body):
            return Verdict(False, f"status {head.status}, but nothing in the body matches {_text(self.body.pattern)}")
        return Verdict(True, f"status {head.status}")


def describe_statuses(statuses: Sequence[range]) -> str:
    """Ranges of statuses as people write them: `200-399`, `200, 204`."""
    return ", ".join(
        f"{each.start}-{each.stop - 1}" if each.stop - each.start > 1 else str(each.start) for each in statuses
    )


def delay(interval: float, random: Random, *, first: bool = False) -> float:
    """Seconds until the next probe.

    @param first: the first probe of a server: soon, and not together with those of all others.
    """
    if first:
        return random.uniform(0.0, min(interval, 1.0))
    return interval * random.uniform(1.0 - JITTER, 1.0 + JITTER)


def _text(raw: bytes) -> str:
    return repr(raw.decode("utf-8", "backslashreplace"))
