"""Header fields: an ordered list of raw pairs, as they came and as they go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Pair = tuple[bytes, bytes]

_NONE: list[bytes] = []


class Fields:
    """The fields of one head, in order, names spelled as they came. A value: nothing changes it once made.

    Look-ups take the name in lower case and see every spelling of it. Each method that "changes" something
    returns new fields.

    @ivar pairs: `(name, value)` as bytes, the value without surrounding white space.
    @ivar lines: these fields as they are written, once somebody has (see `proxy.wire.writer`).
    """

    __slots__ = ("_index", "lines", "pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.pairs: tuple[Pair, ...] = tuple(pairs)
        self._index: dict[bytes, list[bytes]] | None = None
        self.lines: bytes | None = None

    def index(self) -> dict[bytes, list[bytes]]:
        """All values by lower-case name. The caller must not change what it gets."""
        index = self._index
        if index is None:
            index = self._index = {}
            for name, value in self.pairs:
                lower = name.lower()
                if lower in index:
                    index[lower].append(value)
                else:
                    index[lower] = [value]
        return index

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field `name` (lower case), or None."""
        values = self.index().get(name)
        return values[0] if values else None

    def all(self, name: bytes) -> list[bytes]:
        """Every value of the field `name` (lower case), in order. The caller must not change the list."""
        return self.index().get(name, _NONE)

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
        return name in self.index()

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
