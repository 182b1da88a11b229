"""Gates as they are written."""

import pytest
from pydantic import ValidationError

from proxy.config.gates import FRAMING_FIELDS, FieldChanges, Gate


def test_each_gate_has_a_kind() -> None:
    written = [
        {"strip_prefix": "/v1/"},
        {"add_prefix": "/x"},
        {"rewrite": {"regex": "a", "replace": "b"}},
        {"headers": {}},
        "name",
    ]
    gates = [Gate.model_validate(one) for one in written]
    assert [gate.kind for gate in gates] == ["strip_prefix", "add_prefix", "rewrite", "headers", "use"]
    assert gates[0].strip_prefix == b"/v1"


@pytest.mark.parametrize(
    "faulty",
    [{}, {"strip_prefix": "/a", "add_prefix": "/b"}, {"strip_prefix": ""}, {"strip_prefix": "/"}, {"add_prefix": "a"},
     {"add_prefix": "/a?b"}, {"add_prefix": "/é"}, {"add_prefix": "/a%2"}, {"add_prefix": "/%41"}, {"use": 3}, []],
)  # fmt: skip
def test_what_is_no_gate(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(faulty)


def test_prefixes_are_spelled_like_normalized_paths() -> None:
    assert Gate.model_validate({"strip_prefix": "/caf%c3%a9"}).strip_prefix == b"/caf%C3%A9"


@pytest.mark.parametrize("replace", [r"\2", r"\g<name>", "\\"])
def test_a_replacement_that_does_not_fit(replace: str) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate({"rewrite": {"regex": "(a)", "replace": replace}})


def test_a_replacement_that_fits() -> None:
    gate = Gate.model_validate({"rewrite": {"regex": r"^/u/(\d+)", "replace": r"/users/\1"}})
    assert gate.rewrite is not None
    assert gate.rewrite.regex.sub(gate.rewrite.template, b"/u/7") == b"/users/7"


def test_fields_are_bytes_and_one_value_is_a_list_of_one() -> None:
    changes = FieldChanges.model_validate({"set": {"X-A": "1"}, "add": {"X-B": [1, "two"]}, "remove": "X-C"})
    assert changes.set == {b"X-A": (b"1",)}
    assert changes.add == {b"X-B": (b"1", b"two")}
    assert changes.remove == (b"X-C",)


@pytest.mark.parametrize("name", sorted(FRAMING_FIELDS))
def test_framing_is_not_for_gates(name: bytes) -> None:
    for changes in ({"set": {name.decode().title(): "x"}}, {"remove": [name.decode()]}):
        with pytest.raises(ValidationError):
            FieldChanges.model_validate(changes)
