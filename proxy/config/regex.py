"""Regular expressions that may take exponential time.

Python's `re` tries every way to match a text before it says no. Where a loop can take the same characters in two ways,
the ways multiply with each round. So an expression is turned into an automaton whose states are the places of its
characters, and two questions are asked (Weideman et al., 2016): does a loop have two edges between the same states, and
can two walks over the same characters part in a loop and meet again?
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from re import _parser as sre_parser  # type: ignore[attr-defined]  # what `re` itself makes of a text
from typing import Any, NamedTuple

# A bounded repetition is spelled out up to so many rounds. Of more, only that there are more is known.
_COPIES = 6
# So many rounds of something that repeats without bound are as bad as any number of them.
_MANY_ROUNDS = 4
# From so many characters on, a bounded repetition is as good as one without bound.
_LONG = 32
# Beyond them nothing is said: the question would cost more than it is worth.
_MOST_PLACES = 300
_MOST_PAIRS_OF_EDGES = 1_000_000

_EVERY = (1 << 256) - 1
_NO_NEWLINE = _EVERY & ~(1 << ord("\n"))
_BOUNDARIES = (sre_parser.AT_BOUNDARY, sre_parser.AT_NON_BOUNDARY)
_REPEATS = (sre_parser.MAX_REPEAT, sre_parser.MIN_REPEAT)
_CATEGORIES = {
    category: sum(1 << byte for byte in range(256) if re.match(escape, bytes((byte,))))
    for category, escape in (
        (sre_parser.CATEGORY_DIGIT, rb"\d"), (sre_parser.CATEGORY_NOT_DIGIT, rb"\D"),
        (sre_parser.CATEGORY_SPACE, rb"\s"), (sre_parser.CATEGORY_NOT_SPACE, rb"\S"),
        (sre_parser.CATEGORY_WORD, rb"\w"), (sre_parser.CATEGORY_NOT_WORD, rb"\W"),
    )
}  # fmt: skip


@lru_cache(maxsize=4096)
def may_explode(regex: re.Pattern[bytes]) -> bool:
    """Whether some text may take `regex` a time that doubles with every few characters.

    What comes behind the loop is not looked at: without it the loop may never fail, but few leave it at that.
    """
    parsed = sre_parser.parse(regex.pattern)
    for copies in (_COPIES, 1):
        automaton = _Automaton(parsed.state.flags, copies)
        try:
            automaton.read(parsed, parsed.state.flags)
        except OverflowError:
            continue  # once more, with less detail
        return automaton.inner or _is_ambiguous(automaton)
    return False


class _Part(NamedTuple):
    """What a piece of an expression may begin and end with: places, each with the ways that lead there, 1 or 2 (for
    "more"); and in how many ways it matches nothing at all."""

    first: dict[int, int]
    last: dict[int, int]
    empty: int


_NOTHING = _Part({}, {}, 1)


class _Automaton:
    """The places of an expression where it takes a character, and how one comes from one to the next.

    @ivar masks: which bytes each place takes, one bit for each; 0 where nobody knows.
    @ivar edges: from each place to the next ones, with the number of ways, at most 2.
    @ivar inner: a piece that is matched as a whole, such as `(?=...)`, is ambiguous in itself.
    """

    def __init__(self, flags: int, copies: int) -> None:
        self.masks: list[int] = []
        self.edges: list[dict[int, int]] = []
        self.inner = False
        self._flags = flags
        self._copies = copies

    def read(self, pieces: Iterable[tuple[Any, Any]], flags: int) -> _Part:
        part = _NOTHING
        for code, value in pieces:
            part = self._then(part, self._piece(code, value, flags))
        return part

    def _piece(self, code: Any, value: Any, flags: int) -> _Part:
        if code in _REPEATS:
            return self._repeat(value[0], value[1], value[2], flags)
        if code is sre_parser.SUBPATTERN:
            _, add, remove, pieces = value
            return self.read(pieces, (flags | add) & ~remove)
        if code is sre_parser.BRANCH:
            return self._either(self.read(pieces, flags) for pieces in value[1])
        if code is sre_parser.GROUPREF_EXISTS:
            return self._either(self.read(pieces or (), flags) for pieces in value[1:])
        if code in (sre_parser.ASSERT, sre_parser.ASSERT_NOT):
            self._whole(value[1], flags)
            return _NOTHING
        if code is sre_parser.ATOMIC_GROUP:
            return self._whole(value, flags)
        if code is sre_parser.POSSESSIVE_REPEAT:
            part = self._whole(value[2], flags)  # each round is
            return part._replace(empty=1) if not value[0] else part
        if code is sre_parser.AT:
            # Two words need something between them: a boundary in a loop keeps its rounds apart.
            return self._place(0) if value in _BOUNDARIES else _NOTHING
        return self._place(_mask(code, value, flags))

    def _place(self, mask: int) -> _Part:
        place = len(self.masks)
        if place >= _MOST_PLACES:
            raise OverflowError
        self.masks.append(mask)
        self.edges.append({})
        return _Part({place: 1}, {place: 1}, 0)

    def _whole(self, pieces: Any, flags: int) -> _Part:
        """What is matched in one way or not at all: no other is tried afterwards, so that nothing can multiply."""
        inside = _Automaton(self._flags, self._copies)
        empty = inside.read(pieces, flags).empty
        self.inner = self.inner or inside.inner or _is_ambiguous(inside)
        return self._place(0)._replace(empty=min(empty, 1))

    def _then(self, one: _Part, other: _Part) -> _Part:
        self._join(one.last, other.first)
        return _Part(
            _sum(one.first, other.first, one.empty),
            _sum(other.last, one.last, other.empty),
            min(2, one.empty * other.empty),
        )

    def _either(self, parts: Iterable[_Part]) -> _Part:
        whole = _Part({}, {}, 0)
        for part in parts:
            whole = _Part(
                _sum(whole.first, part.first, 1), _sum(whole.last, part.last, 1), min(2, whole.empty + part.empty)
            )
        return whole

    def _join(self, last: dict[int, int], first: dict[int, int]) -> None:
        for place, ways in last.items():
            edges = self.edges[place]
            for following, more in first.items():
                edges[following] = min(2, edges.get(following, 0) + ways * more)

    def _repeat(self, least: int, most: int, body: Any, flags: int) -> _Part:
        low, high = body.getwidth()
        endless = most >= _LONG and (least < most or low < high)
        endless = endless or (most >= _MANY_ROUNDS and high - low >= _LONG)
        if endless:
            least = min(least, 1) if least < most else 0
        part = _NOTHING
        for _ in range(min(least, self._copies)):
            part = self._then(part, self.read(body, flags))
        if endless:
            return self._then(part, self._loop(body, flags))
        rest = _NOTHING
        for _ in range(min(most - least, self._copies)):
            rest = self._either((self._then(self.read(body, flags), rest), _NOTHING))
        return self._then(part, rest)

    def _loop(self, body: Any, flags: int) -> _Part:
        part = self.read(body, flags)
        self._join(part.last, part.first)
        # One round that takes nothing is tried as well, and it is another way than no round.
        return part._replace(empty=1 + min(1, part.empty))


def _sum(one: dict[int, int], other: dict[int, int], ways: int) -> dict[int, int]:
    """What leads to each place: `one`, and `other` in so many ways."""
    if not ways or not other:
        return one
    found = dict(one)
    for place, more in other.items():
        found[place] = min(2, found.get(place, 0) + more * ways)
    return found


def _mask(code: Any, value: Any, flags: int) -> int:
    if code is sre_parser.LITERAL:
        return _case(1 << value, flags)
    if code is sre_parser.NOT_LITERAL:
        return _EVERY & ~_case(1 << value, flags)
    if code is sre_parser.ANY:
        return _EVERY if flags & re.DOTALL else _NO_NEWLINE
    if code is not sre_parser.IN:
        return 0  # a reference to a group: what that took is not known
    mask, negated = 0, False
    for kind, what in value:
        if kind is sre_parser.NEGATE:
            negated = True
        elif kind is sre_parser.LITERAL:
            mask |= 1 << what
        elif kind is sre_parser.RANGE:
            mask |= (1 << what[1] + 1) - (1 << what[0])
        else:
            mask |= _CATEGORIES[what]
    mask = _case(mask, flags)
    return _EVERY & ~mask if negated else mask


def _case(mask: int, flags: int) -> int:
    if not flags & re.IGNORECASE:
        return mask
    for upper in range(ord("A"), ord("Z") + 1):
        both = 1 << upper | 1 << upper + 32
        if mask & both:
            mask |= both
    return mask


# --- two ways in one loop -----------------------------------------------------------------------------------------


def _is_ambiguous(automaton: _Automaton) -> bool:
    return any(_parts_and_meets(automaton, loop) for loop in _loops(automaton.edges))


def _parts_and_meets(automaton: _Automaton, loop: frozenset[int]) -> bool:
    """Whether two walks in `loop` over the same characters begin and end at one place and differ in between."""
    masks = automaton.masks
    following = {place: [to for to in automaton.edges[place] if to in loop] for place in loop}
    if any(automaton.edges[place][to] > 1 for place, targets in following.items() for to in targets):
        return True
    if sum(map(len, following.values())) ** 2 > _MOST_PAIRS_OF_EDGES:
        return False
    seen: set[tuple[int, int]] = set()
    pending = [(place, place) for place in loop]
    while pending:
        here, there = pending.pop()
        for one in following[here]:
            for other in following[there]:
                if one == other:
                    if here != there:
                        return True
                elif masks[one] & masks[other]:
                    pair = (one, other) if one < other else (other, one)
                    if pair not in seen:
                        seen.add(pair)
                        pending.append(pair)
    return False


def _loops(edges: list[dict[int, int]]) -> Iterator[frozenset[int]]:
    """The sets of places from each of which all others of the set can be reached (Tarjan, 1972)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    for start in range(len(edges)):
        if start in number:
            continue
        work = [(start, iter(edges[start]))]
        number[start] = low[start] = len(number)
        path.append(start)
        while work:
            place, rest = work[-1]
            for to in rest:
                if to not in number:
                    number[to] = low[to] = len(number)
                    path.append(to)
                    work.append((to, iter(edges[to])))
                    break
                if to in low:
                    low[place] = min(low[place], low[to])
            else:
                work.pop()
                if work and place in low:
                    above = work[-1][0]
                    low[above] = min(low[above], low[place])
                if low[place] == number[place]:
                    cut = path.index(place)
                    found, path = frozenset(path[cut:]), path[:cut]
                    for one in found:
                        del low[one]
                    if len(found) > 1 or place in edges[place]:
                        yield found
