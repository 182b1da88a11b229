"""The names of a head's fields, apart from their values: what is new is said in the same few forms.

A browser sends a dozen names in the same order for ever, with another path and another cookie each time. So whatever
depends on the names alone is worked out once for each form (`Shape`) and then costs one look-up: where which field is,
and which fields may pass (`proxy.policy.hop.NameFilter`).
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

#: Forms that are remembered, and the bytes of names in one of them: every client that exists, and no more than that.
SHAPES_REMEMBERED = 512
SHAPE_BYTES = 1024

_THOUGHT_ABOUT = frozenset(b"connection content-length expect te transfer-encoding upgrade via".split())

_NAME = itemgetter(0)


class Shape:
    """One form: which names, in which order, in which spelling. Equal only to itself.

    @ivar names: as they came.
    @ivar places: by lower-case name, where its fields are in the head, from 0.
    @ivar plain: none of the names says how the message is framed, what becomes of the connection, or what else is to
        be thought about before it goes on: mostly so, and then nobody need look for each of them.
    @ivar remembered: it is worth while to remember something for it, as it may come again.
    """

    __slots__ = ("names", "places", "plain", "remembered")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        self.names = names
        self.remembered = sum(map(len, names)) <= SHAPE_BYTES
        self.places: dict[bytes, tuple[int, ...]] = {}
        for place, name in enumerate(names):
            lower = name.lower()
            self.places[lower] = (*self.places.get(lower, ()), place)
        self.plain = not self.places.keys() & _THOUGHT_ABOUT

    def __repr__(self) -> str:
        return f"Shape({b', '.join(self.names)!r})"


class _Shapes(dict[tuple[bytes, ...], Shape]):
    """All shapes that are remembered. Who invents names fills no memory: when it is full all is learned again."""

    def __missing__(self, names: tuple[bytes, ...]) -> Shape:
        shape = Shape(names)
        if shape.remembered:
            if len(self) >= SHAPES_REMEMBERED:
                self.clear()
            self[names] = shape
        return shape


_shapes = _Shapes()


def shape_of(pairs: Iterable[tuple[bytes, bytes]]) -> Shape:
    """The shape of these fields: mostly the same object for the same names."""
    return _shapes[tuple(map(_NAME, pairs))]
