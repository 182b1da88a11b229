"""From the gates that a configuration lists to those that requests go through."""

from __future__ import annotations

from proxy.config import gates as gate_wishes
from proxy.gates.chain import Gate
from proxy.gates.headers import Edit, headers
from proxy.gates.path import add_prefix, rewrite, strip_prefix
from proxy.message.fields import Pair


def gates_of(wish: gate_wishes.Gate) -> list[Gate]:
    """The gates that one item of `gates:` asks for."""
    if wish.strip_prefix is not None:
        return [strip_prefix(wish.strip_prefix)]
    if wish.add_prefix is not None:
        return [add_prefix(wish.add_prefix)]
    if wish.rewrite is not None:
        return [rewrite(wish.rewrite.regex, wish.rewrite.template)]
    assert wish.headers is not None
    return [headers(edit_of(wish.headers.request), edit_of(wish.headers.response))]


def edit_of(wish: gate_wishes.FieldChanges) -> Edit:
    """What happens to the fields of one head."""
    return Edit(frozenset(name.lower() for name in wish.remove), flat(wish.set), flat(wish.add))


def flat(wish: dict[bytes, tuple[bytes, ...]]) -> tuple[Pair, ...]:
    """Fields by name, as pairs."""
    return tuple((name, value) for name, values in wish.items() for value in values)
