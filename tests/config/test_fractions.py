"""Parts of a whole."""

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.config.fractions import Fraction, number

FRACTION: TypeAdapter[float] = TypeAdapter(Fraction)


@pytest.mark.parametrize(
    ("written", "meant"), [("0.2", 0.2), ("20%", 0.2), (0, 0.0), (1, 1.0), ("12.5%", 0.125), ("100%", 1.0), (0.5, 0.5)]
)
def test_what_is_a_part(written: object, meant: float) -> None:
    assert FRACTION.validate_python(written) == pytest.approx(meant)


@pytest.mark.parametrize("written", [True, "", "half", "-0.1", "1.5", "120%", "%", "1e-1", None, [0.5], 20, "0.5.5"])
def test_what_is_none(written: object) -> None:
    with pytest.raises(ValidationError):
        FRACTION.validate_python(written)


def test_numbers() -> None:
    assert number("1.25") == 1.25
    assert number(3) == 3.0
    assert number("three") is None
    assert number(True) is None
