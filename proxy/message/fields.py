"""Header fields: an ordered list of raw pairs, as they came and as they go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.message.shape import Shape, shape_of

Pair = tuple[bytes, bytes]


class Fields:
    """The fields of one head, in order, names spelled as they came. A value: nothing changes it once made.

    Look-ups take the name in lower case and see every spelling of it. Each method that "changes" something
    returns new fields.

    @ivar pairs: `(name, value)` as bytes, the value without surrounding white space.
    @ivar lines: these fields as they are written, once somebody has (see `proxy.wire.writer`).
    """

    __slots__ = ("_shape", "lines", "pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.pairs: tuple[Pair, ...] = tuple(pairs)
        self._shape: Shape | None = None
        self.lines: bytes | None = None

    @property
    def shape(self) -> Shape:
        """The names, apart from their values; shared with all fields that have the same."""
        shape = self._shape
        if shape is None:
            shape = self._shape = shape_of(self.pairs)
        return shape

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field `name` (lower case), or None."""
        places = self.shape.places.get(name)
        return self.pairs[places[0]][1] if places else None

    def all(self, name: bytes) -> list[bytes]:
        """Every value of the field `name` (lower case), in order."""
        places = self.shape.places.get(name)
        return [self.pairs[place][1] for place in places] if places else []

    def tokens(self, name: bytes) -> list[bytes]:
        """The members of a comma-separated list field, lower-cased, empty ones left out (RFC 9110 section 5.6.1)."""
        found: list[bytes] = []
        for value in self.all(name):
            found.extend(token for part in value.lower().split(b",") if (token := part.strip(b" \t")))
        return found

    def without(self, names: Iterable[bytes]) -> Fields:
        """These fields less every one named in `names` (lower case)."""
        gone = frozenset(names)
        return Fields(pair for pair in self.pairs if pair[0].lower() not in gone)

    def added(self, *pairs: Pair) -> Fields:
        """These fields with `pairs` after them."""
        return Fields(self.pairs + pairs)

    def replaced(self, name: bytes, value: bytes) -> Fields:
        """These fields with exactly one field `name`, of this value, at the end."""
        return self.without((name.lower(),)).added((name, value))

    def __contains__(self, name: bytes) -> bool:
        return name in self.shape.places

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Fields({list(self.pairs)!r})"
