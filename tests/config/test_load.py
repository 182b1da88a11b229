"""From a file to a configuration, or to everything that is wrong with it."""

from pathlib import Path

import pytest

from proxy import limits
from proxy.config import Config, ConfigError, Position, load, load_admin, load_text
from proxy.config.problem import Problem

ROOT = Path(__file__).parents[2]
MINIMAL = "routes:\n  - {respond: 204}\n"


def problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    return [str(problem) for problem in load_text(text, "x.yaml", environ or {}).problems]


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(MINIMAL)
    loaded = load(tmp_path / "x.yaml", {})
    assert isinstance(loaded.require(), Config)
    assert loaded.problems == ()
    assert loaded.files == (str(tmp_path / "x.yaml"),)
    assert loaded.position(("routes", 0)) == Position(str(tmp_path / "x.yaml"), 2, 5)


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"\xff\xfe\x00", 1, 1),
        (b"routes:\n  - {respond: \xe9}\n", 2, 15),
        (b"\xef\xbb\xbf# \xc3\xa4\r  \xe9", 2, 3),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes, line: int, column: int) -> None:
    (tmp_path / "x.yaml").write_bytes(data)
    [problem] = load(tmp_path / "x.yaml", {}).problems
    assert "not UTF-8" in problem.message
    assert (problem.line, problem.column) == (line, column)
    assert "�" in problem.source


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    loaded = load(tmp_path / "x.yaml", {})
    assert [problem.code for problem in loaded.problems] == ["file"]
    with pytest.raises(ConfigError, match="No such file"):
        loaded.require()
    assert [problem.code for problem in load(tmp_path, {}).problems] == ["file"]


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONFIG_FILE_BYTES", 10)
    (tmp_path / "x.yaml").write_text(MINIMAL)
    assert "larger than" in load(tmp_path / "x.yaml", {}).problems[0].message


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load(tmp_path / "x.yaml", {}).config


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        "listen: 8080\nupstreams: {a: {servers: []}}\nroutes:\n  - {upstream: b}\n  - {pth: /x, respond: 204}\n"
    )
    assert [line.split(":")[1] for line in found] == ["1", "2", "4", "5"]


def test_a_configuration_with_an_error_is_none_and_warnings_leave_it() -> None:
    assert load_text("routes: []\nx: 1\n", "x.yaml", {}).config is None
    loaded = load_text("upstreams: {a: {servers: [http://a]}}\n" + MINIMAL, "x.yaml", {})
    assert loaded.config is not None
    assert loaded.errors == ()
    assert [problem.code for problem in loaded.problems] == ["unused-upstream"]


def test_the_environment_gives_text_numbers_and_booleans() -> None:
    text = "limits:\n  fields: ${N}\nroutes:\n  - host: ${HOST}\n    static:\n      root: .\n      listing: ${YES}\n"
    loaded = load_text(text, "x.yaml", {"N": "7", "HOST": "a.example", "YES": "true"})
    config = loaded.require()
    assert config.limits.fields == 7
    assert config.routes[0].static is not None
    assert config.routes[0].static.listing is True


def test_what_comes_from_outside_cannot_change_the_structure() -> None:
    environ = {"BODY": "x}\n  - {path: /evil, respond: 200"}
    config = load_text("routes:\n  - {respond: {body: '${BODY}'}}\n", "x.yaml", environ).require()
    assert len(config.routes) == 1


def test_a_value_that_cannot_be_made_out_is_one_problem() -> None:
    assert len(problems("routes:\n  - {host: '${MISSING}', respond: 204}\n")) == 1
    assert len(problems("listen: '${MISSING}'\nroutes:\n  - {respond: '${MISSING_TOO}'}\n")) == 2


def test_the_column_of_a_reference_is_that_of_the_reference() -> None:
    [problem] = load_text("routes:\n  - {respond: {body: 'ab ${C}'}}\n", "x.yaml", {}).problems
    assert problem.source[problem.column - 1 :].startswith("${C}")


@pytest.mark.parametrize(
    ("value", "line", "column"),
    [
        ("|  # ${C} not\n        one $${C}\n        two ${C}", 5, 13),
        (">-\n\n        one ${C}", 5, 13),
        ("one\n        ${C}", 4, 9),
        ("'one\n        ${C}'", 4, 9),
        ('"\\x41 ${C}"', 3, 19),
        ("&name one ${C}", 3, 23),
    ],
)
def test_also_in_a_value_of_many_lines(value: str, line: int, column: int) -> None:
    text = f"routes:\n  - respond:\n      body: {value}\n"
    [problem] = load_text(text, "x.yaml", {}).problems
    assert (problem.line, problem.column, problem.width) == (line, column, 4)
    assert problem.source[problem.column - 1 :].startswith("${C}")


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n", "\x85", "\u2028", "\u2029"])
def test_every_line_end_that_yaml_knows_ends_a_line(end: str) -> None:
    text = end.join(["# one", "routes:", "  - respond: 204", "    pth: /"]) + end
    [problem] = load_text(text, "x.yaml", {}).problems
    assert (problem.line, problem.column, problem.source) == (4, 5, "    pth: /")


def test_secrets_are_known(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cr3t\n")
    text = "routes:\n  - {respond: {body: 'key ${file:key}', headers: {X: '${NAME}'}}}\n"
    loaded = load_text(text, str(tmp_path / "x.yaml"), {"NAME": "no secret"})
    assert loaded.secrets == {"key s3cr3t"}


def test_gates_know_where_they_are_written() -> None:
    text = (
        "gates:\n  one: [{add_prefix: /a}, two]\n  two: [{add_prefix: /b}]\n"
        "routes:\n  - {upstream: 'http://a', gates: [{add_prefix: /c}, {use: one}]}\n"
    )
    loaded = load_text(text, "x.yaml", {})
    gates = loaded.require().routes[0].gates
    assert [gate.add_prefix for gate in gates] == [b"/c", b"/a", b"/b"]
    assert [position.line for position in loaded.gate_positions(0)] == [5, 2, 3]


def test_others_may_add_problems() -> None:
    loaded = load_text(MINIMAL, "x.yaml", {})
    problem = loaded.problem_at(("routes", 0, "respond"), "code", "words", error=True)
    assert problem == Problem("error", "code", "words", "x.yaml", 2, 15, "  - {respond: 204}", 3)


def test_the_sample_of_the_readers_of_the_design() -> None:
    text = r"""
listen: [tcp:8080]
trusted_proxies: [10.0.0.0/8]
upstreams:
  api:
    servers:
      - http://127.0.0.1:9001
      - {url: "http://127.0.0.1:9002", weight: 3}
routes:
  - {host: api.example.com, path: /v1, upstream: api, gates: [{strip_prefix: /v1}]}
  - {host: "*.example.com", upstream: http://127.0.0.1:9003}
  - {path: {exact: /}, redirect: https://www.example.com/}
  - {host: {regex: '^t\d+\.example\.com$'}, path: {regex: '^/x/\d+$'}, methods: [GET], respond: {status: 204}}
"""
    assert problems(text) == []


def test_ten_thousand_routes_are_counted_in_seconds_not_in_minutes() -> None:
    # Nothing in loading may look at every route for each route: the nodes looked at grow with the file.
    def lines(count: int) -> str:
        return MINIMAL + "".join(f"  - {{host: h{n}.example.com, path: /v{n}, respond: 204}}\n" for n in range(count))

    loaded = load_text(lines(10_000), "x.yaml", {})
    assert loaded.problems == ()
    assert len(loaded.require().routes) == 10_001


@pytest.mark.parametrize(
    ("text", "listen", "token"),
    [
        (
            "admin: {listen: unix:/x, token: 0123456789abcdef}\nroutes: [{pth: 1}]\n",
            "unix:/x:mode=600",
            "0123456789abcdef",
        ),
        ("admin: unix:/x\nroutes: [\n", "unix:/x:mode=600", None),
        ("routes: [\nadmin:\n  listen: unix:/x\n\n  token: ${TOKEN}\nlisten: }\n", "unix:/x:mode=600", "f" * 16),
        ("admin: {listen: unix:/x, token: short}\n", "unix:/x:mode=600", None),
        ("admin: {listen: unix:/x, token: '${file:none}'}\n", "unix:/x:mode=600", None),
    ],
)
def test_of_a_faulty_file_the_control_site_is_still_found(
    tmp_path: Path, text: str, listen: str, token: str | None
) -> None:
    (tmp_path / "x.yaml").write_text(text)
    found = load_admin(tmp_path / "x.yaml", {"TOKEN": "f" * 16})
    assert found is not None
    assert (found.listen, found.token or None) == (listen, token)


@pytest.mark.parametrize(
    "text", ["routes: [\n", "admin: [\n", "admin: tcp:80\n", "admin: {lisen: unix:/x}\n", "admin: false\n", "- a\n", ""]
)
def test_or_it_is_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    assert load_admin(tmp_path / "x.yaml", {}) is None
    assert load_admin(tmp_path / "none.yaml", {}) is None
