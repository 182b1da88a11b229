"""Host names in TLS."""

import pytest
from pydantic_core import PydanticCustomError

from proxy.config.server_name import server_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("A.Example.", "a.example"),
        ("*.B.example", "*.b.example"),
        ("localhost", "localhost"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),  # as routes take it
    ],
)
def test_names_are_as_tables_have_them(written: str, name: str) -> None:
    assert server_name(written) == name


@pytest.mark.parametrize(
    "written",
    ["", "a b", "*.*.example", "a.*", "https://a.example", "a:443", "-a", "bü cher", 64 * "ü", 5, None],
)
def test_what_is_no_name(written: object) -> None:
    with pytest.raises(PydanticCustomError, match="is not a host name"):
        server_name(written)
