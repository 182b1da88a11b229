"""What is said to an authority and what comes back; and every way in which that can fail."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

# The prefix of every type of problem (RFC 8555 section 6.7).
_URN = "urn:ietf:params:acme:error:"
# An authority's words stand in logs and on terminals.
_DETAIL_CHARACTERS = 400


class Ask(NamedTuple):
    """A request.

    @ivar body: JSON, or nothing.
    @ivar accept: a media type, where it matters.
    """

    method: str
    url: str
    body: bytes = b""
    accept: str = ""


class Answer(NamedTuple):
    """What came back. Names of fields are in lower case."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """@raise RefusedError: it is not an object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise RefusedError(Problem("", f"an answer that is not ACME (HTTP {self.status})", self.status))
        return value

    def retry_after(self, now: float) -> float:
        """How many seconds the authority wants us to wait (RFC 9110 section 10.2.3); 0 where it does not say."""
        value = self.fields.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - now)
        except (ValueError, TypeError, OverflowError):
            return 0.0


#: Takes a request to its server. Raises `UnreachedError` where there is no answer.
Fetch = Callable[[Ask], Awaitable[Answer]]
#: Waits for so many seconds.
Pause = Callable[[float], Awaitable[None]]


class Problem(NamedTuple):
    """What an authority complains about (RFC 7807, RFC 8555 section 6.7).

    @ivar kind: its type without the common prefix, such as `rateLimited`; "" where it has none of ACME's.
    @ivar status: of the HTTP answer.
    @ivar parts: the same for single names.
    """

    kind: str
    detail: str
    status: int = 0
    parts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: Any, status: int = 0) -> Problem:
        """From JSON; whatever is not as it should be is left out."""
        if not isinstance(value, Mapping):
            return cls("", f"HTTP {status}" if status else "no reason given", status)
        parts = [part for part in value.get("subproblems") or () if isinstance(part, Mapping)]
        return cls(
            str(value.get("type", "")).removeprefix(_URN),
            printable(value.get("detail") or value.get("title") or f"HTTP {status}"),
            status,
            tuple((_identified(part), printable(part.get("detail", ""))) for part in parts[:20]),
        )

    @property
    def words(self) -> str:
        """The same for people."""
        more = "; ".join(f"{name}: {detail}" if name else detail for name, detail in self.parts)
        return f"{self.detail}{f' ({self.kind})' if self.kind else ''}{f': {more}' if more else ''}"


def _identified(part: Mapping[str, Any]) -> str:
    identifier = part.get("identifier")
    return printable(identifier.get("value", "")) if isinstance(identifier, Mapping) else ""


def printable(text: object) -> str:
    """What somebody else said, in one line without control characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return line if len(line) <= _DETAIL_CHARACTERS else line[: _DETAIL_CHARACTERS - 3] + "..."


class AcmeError(Exception):
    """There is no certificate; and why, in words for people.

    @ivar retry_after: how many seconds the authority wants us to wait; 0 where it does not say.
    @ivar kind: the type of problem, where the authority named one.
    """

    kind = ""

    def __init__(self, words: str, retry_after: float = 0.0) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class UnreachedError(AcmeError):
    """The directory did not answer, or failed itself."""


class RefusedError(AcmeError):
    """The authority has answered, and not with what was asked for."""

    def __init__(self, problem: Problem, retry_after: float = 0.0, about: str = "") -> None:
        super().__init__(f"{about}: {problem.words}" if about else problem.words, retry_after)
        self.problem = problem
        self.kind = problem.kind


class UnprovenError(RefusedError):
    """The authority does not believe that a name is ours."""
