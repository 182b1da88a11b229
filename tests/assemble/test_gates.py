"""From the gates of a configuration to gates."""

import pytest

from proxy.assemble.gates import edit_of, flat, gates_of
from proxy.config.gates import FieldChanges, Gate


@pytest.mark.parametrize(
    "wish",
    [
        {"strip_prefix": "/a"},
        {"add_prefix": "/a"},
        {"rewrite": {"regex": "^/a", "replace": "/b"}},
        {"headers": {"request": {"set": {"X-A": "1"}}}},
    ],
)
def test_every_wish_is_a_gate(wish: dict[str, object]) -> None:
    [gate] = gates_of(Gate.model_validate(wish))
    assert callable(gate)


def test_fields_in_the_order_in_which_they_are_written() -> None:
    wish = FieldChanges.model_validate({"set": {"X-A": "1"}, "add": {"X-B": ["2", "3"]}, "remove": ["X-C"]})
    edit = edit_of(wish)
    assert flat(wish.add) == ((b"X-B", b"2"), (b"X-B", b"3"))
    assert b"x-c" in edit.remove
