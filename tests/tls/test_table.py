"""Exact, wildcard, default."""

import pytest

from proxy.tls.table import NameTable


@pytest.fixture
def table() -> NameTable[str]:
    table = NameTable("default")
    table.add(["a.example", "*.b.example"], "first")
    table.add(["x.b.example", "a.example", "*.b.example", "192.0.2.1"], "second")
    return table


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "default"),
        ("a.example", "first"),
        ("y.b.example", "first"),
        ("x.b.example", "second"),
        ("b.example", None),
        ("z.y.b.example", None),
        (".b.example", None),
        ("example", None),
        ("192.0.2.1", "second"),
    ],
)
def test_whose_name_it_is(table: NameTable[str], name: str, value: str | None) -> None:
    assert table.find(name) == value


def test_a_table_that_is_not_strict_has_an_answer_for_all() -> None:
    table = NameTable("default", strict=False)
    table.add(["a.example"], "first")
    assert [table.find(name) for name in ("", "a.example", "b.example")] == ["default", "first", "default"]
    assert table.known("b.example") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.example", "exact"),
        ("b.a.example", "near"),
        ("d.c.b.a.example", "near"),
        ("c.x.a.example", "nearest"),
        ("b.example", "far"),
        ("example", None),
        ("b.elsewhere", None),
        ("", None),
    ],
)
def test_whose_wildcard_it_stands_below(name: str, value: str | None) -> None:
    table = NameTable("default")
    for names, one in (("*.example", "far"), ("*.a.example", "near"), ("*.x.a.example", "nearest")):
        table.add([names], one)
    table.add(["a.example"], "exact")
    assert table.around(name) == value


def test_repr(table: NameTable[str]) -> None:
    assert repr(table) == "<NameTable of 4 names, strict>"
