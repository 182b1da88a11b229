"""What a running proxy says about itself, and does when it is asked to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import orjson
import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.testing import MemoryReactorClock

from proxy.acme.storage import StorageError
from proxy.acme.words import AcmeError
from proxy.admin.control import Refused
from proxy.admin.plan import Change, Difference
from proxy.assemble import House, assemble
from proxy.config import ConfigError, load_text
from proxy.leaving import Leaving
from proxy.ports import StartError
from proxy.running import Reloads, Running, shown, touched
from tests.support.authority import Authority
from tests.support.ends import End
from tests.support.playbook import GET, OK

TEXT = """
access_log: false
admin: {listen: "unix:/run/x.sock", token: secret-secret-secret}
listen: ["tcp:8080"]
upstreams: {app: {servers: ["http://10.0.0.1:9001"]}}
routes: [{name: r, path: /, upstream: app}]
"""


class State(Enum):
    SERVING = "serving"


class Service:
    """What is asked of the service."""

    def __init__(self, text: str = TEXT) -> None:
        self.reactor = MemoryReactorClock()
        self.house: House | None = assemble(load_text(text, "x.yaml", {}), self.reactor)
        self.leaving: set[Leaving] = set()
        self.state: Enum = State.SERVING
        self.reloads = Reloads()
        self.reactor_name = "MemoryReactor"
        self.source = "x.yaml"
        self.error: Exception | None = None
        self.drained = False

    def in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(work)

    def drain(self) -> None:
        self.drained = True

    def reopen(self) -> None:
        if self.error is not None:
            raise self.error

    async def reload(self) -> list[Change]:
        if self.error is not None:
            raise self.error
        return [Change("added", "route", "x")]

    def visit(self) -> None:
        """A client whose request is under way."""
        assert self.house is not None
        end = End(self.reactor, IPv4Address("TCP", "192.0.2.7", 50000))
        end.joins(self.house.listeners[0].site.buildProtocol(None))
        end.says(GET)


def result(coroutine: Any) -> Any:
    """What a coroutine that waits for nothing returns, or raises."""
    told: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(told.append)
    [outcome] = told
    if hasattr(outcome, "raiseException"):
        outcome.raiseException()
    return outcome


def test_status() -> None:
    service = Service()
    service.visit()
    said = Running(service).status()
    assert said["pid"] == os.getpid()
    assert (said["state"], said["reactor"], said["configuration"]) == ("serving", "MemoryReactor", "x.yaml")
    assert said["reloads"] == {"accepted": 0, "refused": 0, "error": ""}
    assert said["listeners"] == [{"endpoint": "tcp:8080", "connections": 1}]
    assert said["leaving"] == 0
    [upstream] = said["upstreams"]
    assert upstream["name"] == "app"
    assert upstream["servers"][0]["in_flight"] == 1
    assert orjson.dumps(said)


def test_an_upstream_that_a_reload_took_away_is_shown_until_it_is_done() -> None:
    service = Service()
    service.visit()
    house = service.house
    assert house is not None
    service.leaving.add(Leaving(house.alarm, 30.0, service.leaving.discard, pools=list(house.pools.values())))
    for leaving in service.leaving:
        leaving.start()
    service.house = assemble(load_text(TEXT, "x.yaml", {}), service.reactor)
    running = Running(service)

    def shown_now() -> list[tuple[str, bool, str, int]]:
        return [
            (pool["name"], pool["draining"], pool["servers"][0]["state"], pool["servers"][0]["in_flight"])
            for pool in running.status()["upstreams"]
        ]

    assert shown_now() == [("app", False, "up", 0), ("app", True, "draining", 1)]
    assert running.metrics().count(b'server_in_flight{upstream="app"') == 1, "Prometheus knows no two of one name"
    end = End(service.reactor, IPv4Address("TCP", "10.0.0.1", 9001))
    end.joins(service.reactor.tcpClients.pop()[2].buildProtocol(end.transport.getPeer()))
    end.says(OK)
    assert shown_now() == [("app", False, "up", 0)]


def test_the_status_tells_of_certificates(tmp_path: Path) -> None:
    one = Authority(tmp_path).issue("a.test", days=10)
    tls = f"{{endpoint: tcp:8443, tls: {{certificates: {{cert: {one.cert}, key: {one.key}}}}}}}"
    told = Running(Service(TEXT.replace('"tcp:8080"', f"tcp:8080, {tls}"))).status()["certificates"]
    assert [(entry["listener"], entry["file"]) for entry in told] == [("tcp:8443", one.cert)]
    assert 9.9 * 86400 < told[0]["seconds_left"] <= 10 * 86400
    assert orjson.loads(orjson.dumps(told)) == told


def test_the_status_tells_of_those_who_judge_servers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    mine = authority.issue("me.test", days=10)
    whom = f"ca: {authority.ca}, crl: {authority.revoke(days=20)}, cert: {mine.cert}, key: {mine.key}"
    text = f"""\
defaults: {{upstream: {{tls: {{{whom}}}}}}}
upstreams:
  one: {{servers: ["https://127.0.0.1:1"]}}
  two: {{servers: ["https://not-looked-up-yet.test"]}}
  plain: {{servers: ["http://127.0.0.1:3"]}}
routes: [{{path: /1, upstream: one}}, {{path: /2, upstream: two}}, {{path: /3, upstream: plain}}]
"""
    told = Running(Service(text)).status()["certificates"]
    assert [(entry["upstreams"], entry["key"]) for entry in told] == [
        (["one", "two"], "ECDSA"), (["one", "two"], "CA"), (["one", "two"], "CRL"),
    ]  # fmt: skip
    assert (told[0]["names"], told[0]["file"]) == (["me.test"], mine.cert)
    assert 19.9 * 86400 < told[2]["seconds_left"] <= 20 * 86400


def test_status_of_a_proxy_that_has_not_started() -> None:
    service = Service()
    service.house = None
    assert Running(service).status()["listeners"] == []
    with pytest.raises(Refused) as refused:
        result(Running(service).config())
    assert refused.value.status == 503


def test_the_configuration_has_its_secrets_masked() -> None:
    said = orjson.dumps(result(Running(Service()).config()))
    assert b"/run/x.sock" in said
    assert b"secret-secret-secret" not in said


def test_what_is_explained_is_what_would_happen() -> None:
    running = Running(Service())
    said = orjson.loads(orjson.dumps(result(running.explain({"method": "GET", "url": "http://a/"}))))
    assert said["route"]["name"] == "r"
    assert [(route["name"], route["rejected"]) for route in said["routes"]] == [("r", None)]
    refused_early = result(running.explain({"method": "GET", "url": "/%zz"}))
    assert refused_early["answer"]["status"] == 400
    assert "routes" not in refused_early
    with pytest.raises(Refused) as refused:
        result(running.explain({"method": "GET"}))
    assert refused.value.status == 400


def test_a_plan_says_which_connections_it_touches() -> None:
    service = Service()
    service.visit()
    other = TEXT.replace("8080", "8081").replace("9001", "9002")
    new = shown(load_text(other, "x.yaml", {}))
    said = result(Running(service).plan(orjson.loads(orjson.dumps(new, default=str))))["changes"]
    assert [(change["verb"], change["kind"], change["touches"]) for change in said] == [
        ("added", "listener", ""),
        ("removed", "listener", "1 client connections drain"),
        ("changed", "upstream", "1 exchanges in flight end as they began"),
    ]
    whole = {"listen": [], "routes": [], "upstreams": {}}
    for wrong in (
        None, [], {"listen": []}, {"listen": 1, "routes": 2, "upstreams": 3}, whole | {"listen": [1]},
        whole | {"routes": [{}]}, whole | {"routes": {}}, whole | {"upstreams": []},
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            result(Running(service).plan(wrong))
        assert refused.value.status == 400


def test_connections_stay_at_a_listener_unless_it_begins_or_ends_to_speak_tls() -> None:
    service = Service()
    service.visit()
    house = service.house
    assert house is not None
    stays, drains = Difference("redirect", None, "https"), Difference("tls", None, {"issuer": "internal"})
    changes = [Change("changed", "listener", "tcp:8080", (one,)) for one in (stays, drains)]
    assert [change.touches for change in touched(changes, house)] == [
        "1 client connections stay",
        "1 client connections drain",
    ]


def test_listeners_of_the_command_line_stay_whatever_a_file_says() -> None:
    service = Service()
    assert service.house is not None
    service.house = service.house._replace(loaded=replace(service.house.loaded, told_where=True))
    new = shown(load_text(TEXT.replace("8080", "8081"), "x.yaml", {}))
    assert result(Running(service).plan(orjson.loads(orjson.dumps(new, default=str)))) == {"changes": []}


def test_nothing_is_touched_where_nobody_is() -> None:
    house = Service().house
    assert house is not None
    changes = [
        Change("removed", kind, name) for kind, name in (("listener", "tcp:8080"), ("upstream", "app"), ("route", "r"))
    ]
    assert [change.touches for change in touched(changes, house)] == ["", "", ""]


def test_a_reload_says_what_has_changed() -> None:
    assert [change["name"] for change in result(Running(Service()).reload())["changes"]] == ["x"]


def test_a_reload_that_is_refused_says_where_and_why() -> None:
    service = Service()
    service.error = ConfigError(load_text("routes: [{upstream: nobody}]\n", "y.yaml", {}).problems)
    with pytest.raises(Refused) as refused:
        result(Running(service).reload())
    assert refused.value.status == 409
    [problem] = refused.value.value["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["severity"]) == ("y.yaml", 1, 21, "error")
    assert "nobody" in problem["text"]


def test_servers_are_drained_and_put_back() -> None:
    service = Service(
        TEXT.replace('["http://10.0.0.1:9001"]', '["http://10.0.0.1:9001", {url: "http://10.0.0.2:9001", name: b}]')
    )
    running = Running(service)

    def states() -> list[str]:
        return [server["state"] for server in running.status()["upstreams"][0]["servers"]]

    said = running.drain({"upstream": "app", "server": "b"})
    assert (said["left"], [server["name"] for server in said["servers"]]) == (1, ["b"])
    assert states() == ["up", "drained"]
    assert running.drain({"upstream": "app"})["left"] == 0
    assert states() == ["drained", "drained"]
    assert running.drain({"upstream": "app", "server": "10.0.0.2:9001", "drained": False})["left"] == 1
    assert states() == ["drained", "up"]
    assert not service.drained


@pytest.mark.parametrize("asked", [None, {}])
def test_of_nothing_in_particular_the_whole_proxy_is_drained(asked: object) -> None:
    service = Service()
    service.visit()
    assert Running(service).drain(asked) == {"state": "draining", "connections": 1}
    assert service.drained


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ([1], 400, "name an upstream"),
        ({"server": "x"}, 400, "name an upstream"),
        ({"upstream": "apo"}, 404, "there is no upstream `apo`; there are: app"),
        ({"upstream": "app", "server": "x"}, 404, "it has: http://10.0.0.1:9001"),
    ],
)
def test_who_is_drained_must_be_there(asked: object, status: int, words: str) -> None:
    with pytest.raises(Refused) as refused:
        Running(Service()).drain(asked)
    assert refused.value.status == status
    assert words in refused.value.value["error"]


class Office:
    """Looks after one certificate."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def status(self) -> list[dict[str, Any]]:
        return [{"names": ["a.test"], "state": "valid"}]

    async def renew(self, name: str, revoke: str) -> list[dict[str, Any]]:
        self.asked.append((name, revoke))
        if name != "a.test":
            raise KeyError(name)
        if self.error is not None:
            raise self.error
        return self.status()


def test_certificates_are_told_and_renewed() -> None:
    service, office = Service(), Office()
    running = Running(service)
    assert running.status()["acme"] == []
    with pytest.raises(Refused) as refused:
        result(running.renew({"name": "a.test"}))
    assert refused.value.status == 404
    assert service.house is not None
    service.house = service.house._replace(office=office)  # type: ignore[arg-type]
    assert running.status()["acme"] == office.status()
    for wish in ({"name": "A.test"}, {"name": "a.test", "revoke": "key-compromise"}):
        assert result(running.renew(wish)) == {"acme": office.status()}
    assert office.asked == [("a.test", ""), ("a.test", "key-compromise")]


@pytest.mark.parametrize(
    ("wish", "error", "status", "words"),
    [
        ({"name": "b.test"}, None, 404, "no certificate for b.test is ordered"),
        ({"name": "a.test"}, AcmeError("not proved"), 409, "not proved"),
        ({"name": "a.test"}, StorageError("disk full"), 409, "disk full"),
        ({"name": "a.test", "revoke": "boredom"}, None, 400, "superseded or key-compromise"),
        ({"name": 5}, None, 400, "send {name: NAME}"),
        (None, None, 400, "send {name: NAME}"),
    ],
)
def test_a_renewal_that_is_refused_says_why(wish: Any, error: Exception | None, status: int, words: str) -> None:
    service, office = Service(), Office()
    assert service.house is not None
    service.house = service.house._replace(office=office)  # type: ignore[arg-type]
    office.error = error
    with pytest.raises(Refused) as refused:
        result(Running(service).renew(wish))
    assert refused.value.status == status
    assert words in refused.value.value["error"]


def test_what_cannot_be_had_is_a_conflict_and_no_accident(tmp_path: Path) -> None:
    service = Service()
    running = Running(service)
    assert running.reopen() == {}
    service.error = StartError("cannot listen on tcp:80: Address already in use")
    for ask in (lambda: result(running.reload()), running.reopen):
        with pytest.raises(Refused) as refused:
            ask()
        assert (refused.value.status, refused.value.value) == (409, {"error": str(service.error)})
