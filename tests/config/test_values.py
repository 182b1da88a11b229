"""The small words: durations, sizes, names, fields, regular expressions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from proxy.config import values


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def complaint(kind: Any, value: object) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    [error] = caught.value.errors()
    return error["ctx"]["text"], error["ctx"]["hint"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("500ms", 0.5),
        ("1m", 60.0),
        ("1m30s", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1.5s", 1.5),
        (0, 0.0),
    ],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert read(values.Duration, text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10 s", "1x", "-1s", "1s ", "1_0s", None, True, False, [], {}, "366d", 1]
)
def test_what_is_no_duration(text: object) -> None:
    complaint(values.Duration, text)


def test_a_number_without_unit_is_asked_for_one() -> None:
    assert complaint(values.Duration, 10) == ("10 has no unit", "write 10s for seconds or 10ms for milliseconds")


@pytest.mark.parametrize("text", [0, "0s", "0ms"])
def test_some_times_cannot_be_switched_off(text: object) -> None:
    assert read(values.Duration, text) == 0.0
    complaint(values.PositiveDuration, text)


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m"]))
def test_a_duration_of_one_unit_is_exact(number: int, unit: str) -> None:
    expected = number * {"ms": 0.001, "s": 1, "m": 60}[unit]
    if expected <= 365 * 86400:
        assert read(values.Duration, f"{number}{unit}") == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512B", 512),
        ("16KiB", 16384),
        ("10MiB", 10 << 20),
        ("1GiB", 1 << 30),
        ("1kB", 1000),
        ("2MB", 2_000_000),
        (0, 0),
        (7, 7),
    ],
)
def test_sizes_are_bytes(text: object, size: int) -> None:
    assert read(values.Size, text) == size


@pytest.mark.parametrize("text", ["", "10", "KiB", "1.5MiB", "-1B", -1, True, None, "10mib"])
def test_what_is_no_size(text: object) -> None:
    complaint(values.Size, text)


@pytest.mark.parametrize(("text", "hint"), [("10M", "10MiB"), ("10 k", "10KiB"), ("1gb", "1GiB")])
def test_loose_sizes_are_translated(text: str, hint: str) -> None:
    assert complaint(values.Size, text)[1] == f"write {hint}"


@pytest.mark.parametrize("name", ["api", "a.b-c_d", "0", 7, "a" * 64])
def test_names(name: object) -> None:
    assert read(values.Name, name) == str(name)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a:b", "é", "a" * 65, None, True, []])
def test_what_is_no_name(name: object) -> None:
    complaint(values.Name, name)


def test_fields_are_bytes() -> None:
    assert read(values.FieldName, "X-Tag") == b"X-Tag"
    assert read(values.FieldValue, " a \t") == b"a"
    assert read(values.FieldValue, 7) == b"7"
    assert read(values.FieldValue, "é") == "é".encode()


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", None, "a\n"])
def test_what_is_no_field_name(name: object) -> None:
    complaint(values.FieldName, name)


@pytest.mark.parametrize("value", ["a\r\nb", "a\x00", "\x7f", None, True, [], "a\n"])
def test_what_is_no_field_value(value: object) -> None:
    complaint(values.FieldValue, value)


def test_numbers_are_text_where_text_is_wanted() -> None:
    assert read(values.Text, 12) == "12"
    with pytest.raises(ValidationError):
        read(values.Text, True)


def test_regular_expressions_are_compiled_for_bytes() -> None:
    assert read(values.Regex, r"^/\d+$").search(b"/12")
    with pytest.raises(ValidationError) as caught:
        read(values.Regex, "a(b")
    assert caught.value.errors()[0]["ctx"]["offset"] == 1
    complaint(values.Regex, 7)


def test_tokens() -> None:
    assert read(values.Token, "PATCH") == "PATCH"
    complaint(values.Token, "PA TCH")


def test_long_values_are_cut_in_messages() -> None:
    assert values.shown("x" * 100) == f"`{'x' * 57}...`"
    assert [values.shown(one) for one in ({}, [], None, True, 3)] == ["a mapping", "a list", "nothing", "`true`", "`3`"]


class Pair(values.ShortWish):
    shorthand = "left"

    left: values.StrictInt | None = None
    right: values.StrictInt | None = None


def test_the_short_form_stands_for_one_key() -> None:
    assert Pair.model_validate(3) == Pair.model_validate({"left": 3})
    with pytest.raises(ValidationError):
        Pair.model_validate(None)


def test_exactly_one() -> None:
    assert Pair(left=1).only_one("left", "right") == "left"
    for faulty in (Pair(), Pair(left=1, right=2)):
        with pytest.raises(Exception, match=r"missing|exclude"):
            faulty.only_one("left", "right")


def test_a_wish_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Pair(left=1).left = 2  # type: ignore[misc]  # that is the point
