"""The commands that talk to a running proxy, against the real control site on real sockets with a stub behind it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy import cli
from proxy.cli.live import certificate_lines, render_status
from proxy.cli.terminal import Ink
from tests.support.ports import free_port
from tests.support.proxy import ROOT

TOKEN = "token-0123456789abcdef"

# A process of its own: the site needs a reactor that runs, and the commands are as blocking as people are.
SITE = """
import sys
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from proxy.admin.control import Refused, control_site

class Stub:
    def status(self):
        server = {"name": "http://127.0.0.1:1", "address": "127.0.0.1:1", "state": "ejected",
                  "why": "5 failures in a row", "weight": 2, "priority": 1, "in_flight": 3, "idle": 4,
                  "latency_ms": 1.5, "requests": 60, "failures": 7, "probed_seconds": 3.1}
        pool = {"name": "api", "servers": [server], "queued": 2, "retrying": 1, "circuit": "open",
                "unresolved": "there is no api.test"}
        return {"version": "0.1.0", "pid": 7, "state": "serving", "reactor": "UVLoopReactor", "configuration": "x.yaml",
                "reloads": {"accepted": 2, "refused": 0, "error": ""},
                "listeners": [{"endpoint": "tcp:80", "connections": 1}], "upstreams": [pool]}
    def config(self):
        return {}
    async def explain(self, question):
        if question["method"] == "BAD":
            raise Refused(400, {"error": "no question"})
        return {"request": question, "routes": [], "route": {"name": "live", "position": "x.yaml:1:1"}}
    def plan(self, new):
        change = {"verb": "changed", "kind": "listener", "name": new["listen"][0]["endpoint"],
                  "differences": [{"path": "backlog", "old": 1, "new": 2}], "touches": "4 client connections stay"}
        return {"changes": [change]}
    def drain(self, asked):
        return {"connections": 0}
    async def renew(self, wish):
        return {"certificates": []}
    async def reload(self):
        with open(sys.argv[2]) as file:
            word = file.read()
        if word == "refuse":
            problem = {"severity": "error", "message": "wrong", "text": "x.yaml:1:1: error: wrong"}
            raise Refused(409, {"problems": [problem]})
        return {"changes": []}

endpoint, unix = sys.argv[1], sys.argv[1].startswith("unix:")
site = control_site(Stub(), reactor, unix=unix, token=%r)
serverFromString(reactor, endpoint).listen(site).addCallback(lambda _: print("ready", flush=True))
reactor.run()
""" % TOKEN.encode()  # noqa: UP031 - the text is full of braces


class Site(NamedTuple):
    """Where it is, for --admin, and the file whose word decides over reloads."""

    where: str
    endpoint: str
    word: Path


def serve(endpoint: str, where: str, word: Path) -> Iterator[Site]:
    word.write_text("accept")
    command = [sys.executable, "-c", SITE, endpoint, str(word)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield Site(where, endpoint, word)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def unix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    path = directory / "s.sock"
    yield from serve(f"unix:{path}:mode=600", f"unix:{path}", directory / "word")


@pytest.fixture(scope="module")
def tcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    directory = tmp_path_factory.mktemp("site")
    yield from serve(f"tcp:{port}:interface=127.0.0.1", f"tcp:127.0.0.1:{port}", directory / "word")


@pytest.fixture
def config(tmp_path: Path, unix: Site) -> str:
    path = tmp_path / "x.yaml"
    path.write_text(f"listen: tcp:8080\nadmin: '{unix.endpoint}'\nroutes: [{{respond: 204}}]\n")
    return str(path)


def test_status(unix: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--admin", unix.where]) == 0
    assert capsys.readouterr().out == (
        "serving  version 0.1.0, pid 7, reactor UVLoopReactor, configuration x.yaml\n"
        "reloads: 2 accepted, 0 refused\n"
        "\n"
        "listeners\n"
        "  tcp:80  1 connection\n"
        "\n"
        "upstream api  2 queued, 1 retrying, circuit open\n"
        "  unresolved  there is no api.test\n"
        "  ejected  http://127.0.0.1:1    weight 2, rank 1  3 in flight  4 idle  1.5 ms  60 requests  7 failed"
        "  5 failures in a row; probed 3.1 s ago\n"
    )


def test_certificates_are_shown_by_when_they_expire() -> None:
    def one(names: list[str], days: float, staple: str, error: str = "", key: str = "ECDSA") -> dict[str, object]:
        told = {"state": staple, "seconds_left": None, "error": error}
        until = "2027-01-24T12:00:00Z"
        seconds = int(days * 86400)
        return {
            "listener": "tcp:443", "file": f"{names[0]}.crt", "names": names, "key": key,
            "not_after": until, "seconds_left": seconds, "staple": told,
        }

    shown = certificate_lines(
        [
            one(["a.test", "b.test", "c.test", "d.test", "e.test"], 63, "good"),
            one(["late.test"], 1.5, "failing", "HTTP 503", "RSA"),
            one(["gone.test"], -0.5, "off"),
            one(["today.test"], 0.05, "none"),
            one(["today.test"], 0.05, "none"),  # on another listener
            {**one(["ca"], 70, "none", key="CA"), "names": [], "upstreams": ["api", "mail"]},
            {**one(["me.test"], 71, "none"), "upstreams": ["api"]},
        ],
        Ink(False),
    )
    assert [re.split("  +", line.strip()) for line in shown] == [
        ["expired 12 hours ago", "gone.test", "ECDSA", "until 2027-01-24", "gone.test.crt"],
        ["1 hour", "today.test", "ECDSA", "until 2027-01-24", "today.test.crt"],
        ["1 day", "late.test", "RSA", "until 2027-01-24", "late.test.crt", "staple failing: HTTP 503"],
        ["63 days", "a.test, b.test, c.test and 2 more", "ECDSA", "until 2027-01-24", "a.test.crt", "stapled"],
        ["70 days", "for api, mail", "CA", "until 2027-01-24", "ca.crt"],
        ["71 days", "me.test, for api", "ECDSA", "until 2027-01-24", "me.test.crt"],
    ]
    assert len({line.index("until") for line in shown}) == 1
    many = certificate_lines([one([f"h{days}.test"], days, "none") for days in range(30, 0, -1)], Ink(False))
    assert (len(many), many[-1]) == (11, "  and 20 that expire later")
    assert "h1.test" in many[0]


def test_the_site_is_found_from_the_configuration(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pid"] == 7


def test_a_proxy_that_does_not_serve_is_not_well() -> None:
    assert render_status({"state": "draining"}, Ink(False)).startswith("draining")


def test_an_upstream_that_drains_says_so() -> None:
    pool = {"name": "api", "servers": [], "draining": True}
    assert render_status({"upstreams": [pool]}, Ink(False)).endswith("\nupstream api  draining")


def test_certificates_that_are_ordered_have_a_line_each_and_their_last_error() -> None:
    good = {"names": ["a.test", "b.test"], "state": "valid", "expires": "2027-01-01T00:00:00Z",
            "next_attempt": "2026-12-01T00:00:00Z", "failures": 0, "error": ""}  # fmt: skip
    bad = {"names": ["c.test"], "state": "missing", "expires": None, "next_attempt": None,
           "failures": 2, "error": "c.test is not proved"}  # fmt: skip
    text = render_status({"state": "serving", "acme": [good, bad]}, Ink(False))
    assert text.endswith(
        "certificates by ACME\n"
        "  valid    a.test, b.test  until 2027-01-01T00:00:00Z, next attempt 2026-12-01T00:00:00Z\n"
        "  missing  c.test\n"
        "           2 failures, the last: c.test is not proved"
    )


def test_a_refused_reload_is_remembered() -> None:
    said = {"state": "serving", "reloads": {"accepted": 1, "refused": 1, "error": "x:1:1: error: a\n    1 | b"}}
    text = render_status(said, Ink(False))
    assert text.endswith("reloads: 1 accepted, 1 refused\nthe last one was refused: x:1:1: error: a")


def test_reload(config: str, unix: Site, capsys: pytest.CaptureFixture[str]) -> None:
    unix.word.write_text("accept")
    assert cli.main(["reload", config]) == 0
    assert capsys.readouterr().out == "no changes\n"
    unix.word.write_text("refuse")
    assert cli.main(["reload", config]) == 1
    assert capsys.readouterr().err == (
        "x.yaml:1:1: error: wrong\nrefused: the old configuration stays in force\n"
    )
    assert cli.main(["reload", config, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["message"] == "wrong"


@pytest.mark.parametrize("fault", ["lisen: 1\n", "listen: [\n"])
def test_a_faulty_file_leads_to_the_proxy_that_runs(
    fault: str, config: str, unix: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(config)
    file.write_text(f"admin: '{unix.endpoint}'\nroutes: [{{respond: 204}}]\n{fault}")
    note = f"{file}: 1 error; asking the control site at {unix.where}\n"
    assert cli.main(["status", config]) == 0
    assert capsys.readouterr().err == note
    unix.word.write_text("refuse")
    assert cli.main(["reload", config]) == 1
    assert capsys.readouterr().err == note + (
        "x.yaml:1:1: error: wrong\nrefused: the old configuration stays in force\n"
    )
    assert cli.main(["drain", "--config", config]) == 0
    assert cli.main(["explain", "--live", config, "GET", "/"]) == 0


def test_over_tcp_a_change_needs_the_token(
    tcp: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVERSEPROXY_ADMIN_TOKEN", raising=False)
    assert cli.main(["status", "--admin", tcp.where]) == 0
    assert cli.main(["reload", "--admin", tcp.where]) == 1
    assert "Bearer" in capsys.readouterr().err
    monkeypatch.setenv("REVERSEPROXY_ADMIN_TOKEN", TOKEN)
    assert cli.main(["reload", "--admin", tcp.where]) == 0
    assert cli.main(["reload", "--admin", f"http://{tcp.where.removeprefix('tcp:')}/"]) == 0


def test_the_token_is_found_in_the_configuration_too(
    tcp: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVERSEPROXY_ADMIN_TOKEN", raising=False)
    path = tmp_path / "x.yaml"
    path.write_text(f"admin: {{listen: '{tcp.endpoint}', token: {TOKEN}}}\nroutes: [{{respond: 204}}]\n")
    assert cli.main(["reload", str(path)]) == 0


def test_explain_live(config: str, unix: Site, capsys: pytest.CaptureFixture[str]) -> None:
    question = ["GET", "http://x/", "-H", "A: b", "--from", "192.0.2.1"]
    assert cli.main(["explain", "--live", "--admin", unix.where, *question]) == 0
    assert "route  live  x.yaml:1:1" in capsys.readouterr().out
    assert cli.main(["explain", "--live", config, *question, "--json"]) == 0
    asked = json.loads(capsys.readouterr().out)["request"]
    assert asked == {"method": "GET", "url": "http://x/", "headers": ["A: b"], "client": "192.0.2.1"}
    assert cli.main(["explain", "--live", config, "BAD", "/"]) == 1
    assert "no question" in capsys.readouterr().err


def test_plan_beside_the_running_proxy(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", config]) == 0
    assert capsys.readouterr().out == "~ listener tcp:8080   (4 client connections stay)\n    backlog: 1 -> 2\n"
