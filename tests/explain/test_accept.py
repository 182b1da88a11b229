"""What a configuration must pass before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proxy.assemble.apps import applications
from proxy.config import ConfigError
from proxy.explain.accept import Examined, examine
from proxy.reloading import located


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


def test_what_a_start_would_find_out_is_found_ahead_with_the_code_of_a_reload(tmp_path: Path) -> None:
    (tmp_path / "breaks_when_imported.py").write_text("raise RuntimeError('not here')\n")
    text = f"""\
access_log: {tmp_path}/none/log
routes:
  - {{path: /a, app: "resource:no_such_module:x"}}
  - {{path: /b, app: "resource:breaks_when_imported:x"}}
  - {{path: /c, app: "resource:os:sep"}}
  - {{path: /d, app: "resource:twisted.web.resource:Resource"}}
  - {{path: /, respond: 204}}
"""
    assert examined(tmp_path, text).usable, "whoever starts finds it out by itself"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        found = examine(tmp_path / "site.yaml", {}, ahead=True)
    assert not found.usable
    assert [(problem.code, problem.line) for problem in found.problems] == [("missing", line) for line in (1, 3, 4, 5)]
    log, none, broken, no_resource = (problem.message for problem in found.problems)
    assert log == f"the access log {tmp_path}/none/log cannot be opened: No such file or directory"
    assert "No module named 'no_such_module'" in none and "RuntimeError: not here" in broken
    assert "`resource:os:sep` is not an IResource" in no_resource
    with pytest.raises(ConfigError) as failed, located(found.loaded):
        applications(found.loaded.require())
    assert failed.value.problems == (found.problems[1],)


def test_a_log_that_can_be_opened_is_not_made_ahead(tmp_path: Path) -> None:
    text = f"access_log: {tmp_path}/log\nroutes: [{{path: /, respond: 204}}]\n"
    examined(tmp_path, text)
    assert examine(tmp_path / "site.yaml", {}, ahead=True).usable
    assert not (tmp_path / "log").exists()
    (tmp_path / "log").mkdir()
    [problem] = examine(tmp_path / "site.yaml", {}, ahead=True).problems
    assert problem.message.endswith("cannot be opened: Is a directory")


@pytest.mark.parametrize(("tls", "met"), [(False, []), (True, ["OpenSSL", "twisted"])])
def test_what_no_configuration_of_plain_http_needs_is_not_imported(tmp_path: Path, tls: bool, met: list[str]) -> None:
    """It took a quarter of a `check` of 10,000 routes, and most of one of ten."""
    servers = "{servers: [https://127.0.0.1:1], tls: {}}" if tls else "{servers: [http://127.0.0.1:1]}"
    path = tmp_path / "site.yaml"
    path.write_text(f"upstreams: {{a: {servers}}}\nroutes: [{{path: /, upstream: a}}]\n")
    program = f"""\
import sys
from proxy.explain.accept import examine
assert examine({str(path)!r}, {{}}, ahead=True).usable
print(*(name for name in ("OpenSSL", "twisted", "proxy.assemble") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == met
