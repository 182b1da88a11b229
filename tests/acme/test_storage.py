"""Labels: what stored certificates are called."""

import pytest

from proxy.acme.storage import Record, label_of


def test_a_label_belongs_to_a_set_of_names() -> None:
    assert label_of(("a.test", "b.test"))[:7] == "a.test-"
    assert label_of(("a.test", "b.test"))[7:] == label_of(("b.test", "a.test"))[7:]
    assert label_of(("a.test",)) != label_of(("a.test", "b.test"))


@pytest.mark.parametrize("name", ["a" * 63 + ".test", ".".join(["abcdefghi"] * 24)])
def test_it_can_be_the_name_of_a_file(name: str) -> None:
    assert len(f".{label_of((name,))}.json.1234567") < 255


def test_nothing_is_remembered_at_first() -> None:
    assert Record() == (0, "", 0.0, 0.0, 0.0, 0.0, False, False)
