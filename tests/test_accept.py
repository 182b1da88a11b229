"""What a configuration must pass before it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.accept import Examined, examine


def examined(tmp_path: Path, text: str) -> Examined:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return examine(path, {})


def test_a_good_one_passes(tmp_path: Path) -> None:
    found = examined(tmp_path, "routes: [{path: /, respond: 204}]\n")
    assert found.usable
    assert found.problems == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("routes: [{upstream: nobody}]\n", "unknown-upstream"),
        ("routes: [{path: /, respond: 204}]\ntests: [{request: GET http://a/, status: 200}]\n", "test-failed"),
        (
            "routes: [{path: /, redirect: /x}]\ntests: [{request: GET http://a/, headers: {Location: /y}}]\n",
            "test-failed",
        ),
    ],
)
def test_an_error_keeps_it_from_being_used(tmp_path: Path, text: str, code: str) -> None:
    found = examined(tmp_path, text)
    assert not found.usable
    assert code in [problem.code for problem in found.problems]


def test_a_redirect_is_rehearsed_with_its_real_location(tmp_path: Path) -> None:
    text = "routes: [{path: /, redirect: {to: 'https://b.example', keep_path: true, keep_query: true}}]\n"
    text += "tests: [{request: 'GET http://a/x?y', headers: {Location: 'https://b.example/x?y'}}]\n"
    assert examined(tmp_path, text).usable


def test_warnings_do_not_and_all_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "routes:\n  - {host: a.example, path: /, respond: 204}\n  - {host: a.example, path: /, respond: 200}\n"
    found = examined(tmp_path, text)
    assert found.usable
    assert [problem.code for problem in found.problems] == ["no-catch-all", "unreachable-route"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = examine(tmp_path / "none.yaml", {})
    assert not found.usable
    assert "none.yaml" in str(found.problems[0])
