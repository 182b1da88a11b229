"""Values from outside: the environment and files."""

from pathlib import Path

import pytest

from proxy import limits
from proxy.config.interpolate import interpolate

ENVIRONMENT = {"NAME": "value", "EMPTY": "", "NESTED": "${NAME}"}
HERE = Path()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a ${NAME} b ${NAME}", "a value b value"),
        ("${NAME:-other}", "value"),
        ("${MISSING:-other}", "other"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", ""),
        ("${MISSING:-http://127.0.0.1:9001}", "http://127.0.0.1:9001"),
        ("$${NAME}", "${NAME}"),
        ("$NAME $$ $", "$NAME $$ $"),
        ("^/x$", "^/x$"),
        ("${NESTED}", "${NAME}"),
    ],
)
def test_references_are_replaced_once(text: str, expected: str) -> None:
    done = interpolate(text, ENVIRONMENT, HERE)
    assert done == (expected, (), (), False)


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("${MISSING}", "environment", 0),
        ("$${NAME} ${NAME} ${MISSING}", "environment", 2),
        ("x ${NAME", "interpolation", 0),
        ("${}", "interpolation", 0),
        ("${1NAME}", "interpolation", 0),
        ("${A B}", "interpolation", 0),
        ("${file:missing}", "secret-file", 0),
    ],
)
def test_faults_know_where_they_stand(text: str, code: str, number: int) -> None:
    [fault] = interpolate(text, ENVIRONMENT, HERE).faults
    assert (fault.code, fault.number) == (code, number)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${MISSING:-${NAME}}", "they do not nest"),
        ("${MISSING:-a ${file:x}}", "they do not nest"),
        ("${MISSING:-{}}", "braces cannot stand in there"),
        ("${MISSING:-a", "`${` without `}`"),
        ("${MISSING ${NAME}", "they do not nest"),
    ],
)
def test_references_do_not_nest(text: str, words: str) -> None:
    assert words in interpolate(text, ENVIRONMENT, HERE).faults[0].message


def test_every_fault_is_told() -> None:
    assert len(interpolate("${A} ${B} ${NAME} ${C}", ENVIRONMENT, HERE).faults) == 3


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cr3t\n")
    assert interpolate("Bearer ${file:key}", {}, tmp_path) == ("Bearer s3cr3t", (), (tmp_path / "key",), True)
    assert interpolate(f"${{file:{tmp_path}/key}}", {}, HERE).text == "s3cr3t"


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x" * (limits.MIB + 1)])
def test_a_file_that_is_no_secret(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    done = interpolate("${file:key}", {}, tmp_path)
    assert done.text == ""
    assert [fault.code for fault in done.faults] == ["secret-file"]


@pytest.mark.parametrize("name", ["API_TOKEN", "STICKY_KEY", "db_password", "KEY", "OIDC_CLIENT_SECRET", "BASIC_AUTH"])
def test_a_variable_with_such_a_name_holds_a_secret(name: str) -> None:
    assert interpolate(f"a ${{HOME}} ${{{name}}}", {"HOME": "/", name: "x"}, Path()).secret


@pytest.mark.parametrize("name", ["HOME", "MONKEY", "KEYBOARD", "AUTHOR", "API_URL"])
def test_one_with_another_name_does_not(name: str) -> None:
    assert not interpolate(f"${{{name}}}", {name: "x"}, Path()).secret


def test_nobody_is_told_to_write_a_secret_down() -> None:
    [fault] = interpolate("${API_TOKEN}", {}, HERE).faults
    assert (fault.message, fault.hint) == (
        "the environment variable `API_TOKEN` is not set", "set it where the proxy is started",
    )  # fmt: skip
