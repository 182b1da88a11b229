"""What would happen to a request: the same judgement as a real one meets. The words are in tests/cli/golden."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from proxy.assemble import House
from proxy.cli.reading import offline_house
from proxy.config import load_text
from proxy.explain.question import Question
from proxy.explain.report import explain
from proxy.flow.walk import Promise
from proxy.gates.chain import Proceed
from proxy.message import Exchange, Fields, Response, ResponseHead

TEXT = """\
upstreams:
  api: {servers: [http://127.0.0.1:1, http://127.0.0.1:2], host: upstream}
  next: {servers: http://127.0.0.1:3}
gates:
  named: [{headers: {request: {set: {X-Api-Key: "${KEY}"}}, response: {remove: Server}}}]
routes:
  - {name: api, path: /v1, upstream: api, gates: [named, {strip_prefix: /v1}]}
  - {name: split, path: /s, split: {branches: [{upstream: api, weight: 3}, next], by: "header:X-User"}}
  - {name: old, path: /old, redirect: {to: /new, status: 308}, gates: [named]}
  - {name: get, path: /get, methods: [GET], respond: 204}
"""


def house() -> House:
    return offline_house(load_text(TEXT, "x.yaml", {"KEY": "hunter2-hunter2"}))


def asked(method: str, url: str, *headers: str, client: str = "127.0.0.1") -> dict[str, Any]:
    return explain(house(), Question(method, url, headers, client))


def test_the_way_to_an_upstream() -> None:
    said = asked("GET", "http://a.example/v1/x?y=z")
    assert said["route"] == {"name": "api", "position": "x.yaml:7:5"}
    assert {"name": "api", "position": "x.yaml:7:5", "rejected": None} in said["routes"]
    assert [(step["gate"], step["position"]) for step in said["gates"]] == [
        ("headers", "x.yaml:5:11"),
        ("strip_prefix", "x.yaml:7:58"),
    ]
    assert said["gates"][0]["response"] == ["- Server"]
    assert "target /v1/x?y=z -> /x?y=z" in said["gates"][1]["did"]
    assert said["upstream_request"]["line"] == "GET /x?y=z HTTP/1.1"
    assert said["upstream_request"]["fields"][0] == "Host: 127.0.0.1:1"
    assert [upstream["name"] for upstream in said["upstreams"]] == ["api"]
    assert "answer" not in said


def test_a_secret_is_shown_only_to_whoever_sent_it() -> None:
    ours = asked("GET", "/v1", "Authorization: mine")
    assert "hunter2" not in str(ours)
    assert "Authorization: mine" in ours["upstream_request"]["fields"]
    assert sum(line.startswith("X-Api-Key: *** (") for line in ours["upstream_request"]["fields"]) == 1


def test_a_split_is_certain_where_there_is_a_key() -> None:
    chosen = {}
    for user in map(str, range(40)):
        said = asked("GET", "/s", f"X-User: {user}")
        [upstream] = said["upstreams"]
        [branch] = [branch for branch in said["split"]["branches"] if branch["chosen"]]
        assert branch["upstream"] == upstream["name"]
        chosen[user] = upstream["name"]
    assert set(chosen.values()) == {"api", "next"}
    lots = asked("GET", "/s")
    assert [upstream["name"] for upstream in lots["upstreams"]] == ["api", "next"]
    assert [(branch["share"], branch["chosen"]) for branch in lots["split"]["branches"]] == [(0.75, None), (0.25, None)]


STICKING = """\
upstreams:
  cache: {servers: [http://127.0.0.1:1, http://127.0.0.1:2, http://127.0.0.1:3], balance: {hash: path}}
  app: {servers: [{url: http://127.0.0.1:1, name: one}, {url: http://127.0.0.1:2, name: two}], sticky: {route: SID}}
routes:
  - {path: /c, upstream: cache, gates: [{strip_prefix: /c}]}
  - {path: /, upstream: app}
"""


def test_the_server_that_a_key_or_a_cookie_leads_to_is_certain() -> None:
    house = offline_house(load_text(STICKING, "x.yaml", {}))

    def led_to(url: str, *headers: str) -> Any:
        return explain(house, Question("GET", url, headers, "127.0.0.1"))["upstreams"][0]["leads_to"]

    pool = house.pools["cache"]
    for path in (f"/{number}" for number in range(9)):
        chosen = pool._choice.choose(pool.servers, path.encode(), 0.0, Random(1))
        assert chosen is not None
        assert led_to(f"/c{path}") == chosen.name, "a gate has changed the path"
    assert led_to("/", "Cookie: SID=0A.two") == "two"
    assert led_to("/", "Cookie: SID=0A.three") is None
    assert led_to("/") is None
    house.pools["app"].servers[1].drain()
    assert led_to("/", "Cookie: SID=0A.two") is None


def test_an_answer_that_is_known_is_given() -> None:
    said = asked("GET", "/old")
    assert said["answer"]["status"] == 308 and said["answer"]["by"] == "the route"
    assert "Location: /new" in said["answer"]["fields"]
    assert said["target"] == {"kind": "redirect", "position": "x.yaml:9:39"}


def test_what_no_route_takes_says_why_none_does() -> None:
    said = asked("POST", "/get")
    assert "route" not in said
    assert said["answer"]["status"] == 405 and said["answer"]["reason"] == "route.method"
    assert {"name": "get", "position": "x.yaml:10:5", "rejected": "the method is not GET"} in said["routes"]


def test_a_gate_that_answers_or_waits() -> None:
    async def refuse(exchange: Exchange, proceed: Proceed) -> Response:
        return Response(ResponseHead(403, b"Forbidden", Fields()))

    async def wait(exchange: Exchange, proceed: Proceed) -> Response:
        return await Promise[Response]()

    built = house()
    node = built.root.nodes[0]
    node.gates = (refuse, node.gates[1])
    said = explain(built, Question("GET", "/v1"))
    assert said["answer"] == {"status": 403, "by": "the gate headers", "fields": []}
    assert len(said["gates"]) == 1 and "upstream_request" not in said
    node.gates = (wait, node.gates[1])
    said = explain(built, Question("GET", "/v1"))
    assert said["answer"]["status"] is None and said["answer"]["by"].startswith("the gate headers, once")


def test_no_secret_of_a_route_is_shown_that_the_client_did_not_send(tmp_path: Path) -> None:
    (tmp_path / "sec").write_text("hunter2-file")
    text = """\
routes:
  - {path: /cond, headers: {Authorization: Bearer hunter2-cond, X-Other: "${file:sec}"}, respond: 204}
  - {path: /q, query: {token: {regex: ^hunter2-cond$}}, respond: 204}
  - {path: /hook/hunter2-file, respond: 204}
  - {path: /to, redirect: {to: "https://user:hunter2-cond@x/?token=hunter2-cond"}}
  - {path: /on, redirect: {to: "https://x/", keep_query: true}}
"""
    built = offline_house(load_text(text, str(tmp_path / "x.yaml"), {}))
    for url, headers in (("/cond", ()), ("/cond", ("Authorization: Bearer hunter2-cond",)), ("/q", ()), ("/to", ())):
        said = explain(built, Question("GET", url, headers))
        assert "hunter2" not in str({key: value for key, value in said.items() if key != "request"})
    assert "the header Authorization is not '*** (" in str(explain(built, Question("GET", "/cond")))
    mine = explain(built, Question("GET", "/on?my_token=mine"))["answer"]["fields"]
    assert [line.rpartition("?")[2] for line in mine] == ["my_token=mine"]


LISTENING = """\
listen:
  - {endpoint: "tcp:80", redirect: https}
  - {endpoint: "tcp:443", tls: internal}
  - tcp:8080:interface=127.0.0.1
routes:
  - {name: api, host: api, upstream: http://127.0.0.1:1}
"""


def test_a_listener_that_redirects_is_told_with_what_comes_of_it() -> None:
    built = offline_house(load_text(LISTENING, "x.yaml", {}))
    said = explain(built, Question("GET", "http://api/a?b", ("Host: api",)))
    assert said["listener"] == {"endpoint": "tcp:80", "scheme": "http", "position": "x.yaml:2:5", "others": []}
    assert said["answer"]["by"] == "the listener" and said["answer"]["status"] == 308
    assert said["answer"]["fields"] == ["Location: https://api/a?b"]
    assert "route" not in said and "routes" not in said
    then = said["then"]
    assert then["listener"]["endpoint"] == "tcp:443"
    assert then["route"]["name"] == "api" and [one["name"] for one in then["routes"]] == ["api"]
    assert "X-Forwarded-Proto: https" in then["upstream_request"]["fields"]


def test_another_listener_is_asked_for_by_its_port_or_its_name() -> None:
    built = offline_house(load_text(LISTENING, "x.yaml", {}))
    for question in (
        Question("GET", "http://api:8080/"),
        Question("GET", "http://api/", listener="tcp:8080:interface=127.0.0.1"),
    ):
        said = explain(built, question)
        assert said["listener"]["endpoint"] == "tcp:8080:interface=127.0.0.1"
        assert said["route"]["name"] == "api"


def test_a_listener_of_its_own_has_fields_of_its_own() -> None:
    text = LISTENING.replace("tls: internal", "tls: {issuer: internal, hsts: 1d}")
    text = text.replace("upstream: http://127.0.0.1:1", "respond: 204")
    said = explain(offline_house(load_text(text, "x.yaml", {})), Question("GET", "https://api/"))
    assert any(line.startswith("Strict-Transport-Security: ") for line in said["answer"]["fields"])


def test_a_body_that_is_too_large_is_refused_by_its_length() -> None:
    text = "routes: [{respond: 204, limits: {body: 1KiB}}]\n"
    built = offline_house(load_text(text, "x.yaml", {}))
    assert explain(built, Question("POST", "/", ("Content-Length: 1024",)))["answer"]["status"] == 204
    said = explain(built, Question("POST", "/", ("Content-Length: 1025",)))
    assert said["answer"]["status"] == 413 and said["route"]["name"] == "*/"
