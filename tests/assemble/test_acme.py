"""From `acme:` to who looks after the certificates."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from proxy.acme.office import Office
from proxy.alarm import Alarm
from proxy.assemble import House, assemble
from proxy.assemble.acme import acme_folder, office_of, ordered_plans
from proxy.config import Config, load_text
from tests.support.authority import Authority

TEXT = """
access_log: false
state: {state}
listen:
  - {{endpoint: "tcp:443", tls: {{{certificates}acme: &a {{directory: "https://ca.test/d", names: [a.test, b.test]}}}}}}
  - {{endpoint: "tcp6:443", tls: {{acme: *a}}}}
  - tcp:80
routes: [{{path: /, respond: 204}}]
"""


def text(state: Path, certificates: str = "") -> str:
    return TEXT.format(state=state, certificates=certificates)


def config(text: str) -> Config:
    return load_text(text, "site.yaml", {}).require()


def house(text: str, standing: House | None = None) -> House:
    return assemble(load_text(text, "site.yaml", {}), MemoryReactorClock(), standing=standing)


def office(found: House) -> Office:
    assert found.office is not None
    return found.office


def test_what_two_listeners_want_in_the_same_way_is_ordered_once(tmp_path: Path) -> None:
    clock = Clock()
    made = office_of(config(text(tmp_path)), clock, Alarm(clock, clock.seconds), None)
    assert made is not None
    assert [duty.names for duty in made.caretakers] == [("a.test",), ("b.test",)]


def test_where_nothing_is_ordered_there_is_no_office() -> None:
    clock = Clock()
    assert office_of(config("routes: [{path: /, respond: 204}]"), clock, Alarm(clock, clock.seconds), None) is None


def test_it_is_kept_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert acme_folder(config(text(tmp_path))) == tmp_path / "acme"
    wish = config(text(tmp_path))
    for listener in wish.listen[:2]:
        assert all(plan.files[0].cert.startswith(str(tmp_path / "acme")) for plan in ordered_plans(wish, listener))
    assert ordered_plans(wish, wish.listen[2]) == ()


def test_certificates_in_files_come_first_and_serve_while_the_others_are_awaited(tmp_path: Path) -> None:
    own = Authority(tmp_path).issue("own.test")
    made = house(text(tmp_path, f"certificates: {{cert: {own.cert}, key: {own.key}}}, "))
    keyring = made.keyrings[0]
    assert keyring.default.names == ("own.test",)
    assert keyring.default.context is not None
    host = keyring.find("a.test")
    assert host is not None
    assert host.context is None
    assert repr(host) == "<Host a.test without a certificate yet>"


def test_a_reload_takes_over_who_is_at_work_and_lets_the_others_go(tmp_path: Path) -> None:
    before = house(text(tmp_path))
    after = house(text(tmp_path).replace("names: [a.test, b.test]", "names: [b.test, c.test]"), before)
    old, new = office(before).caretakers, office(after).caretakers
    assert {duty.names for duty in old.keys() & new.keys()} == {("b.test",)}
    assert all(new[duty] is old[duty] for duty in old.keys() & new.keys())
    assert office(after).proofs is office(before).proofs
    same = house(text(tmp_path), before)
    assert same.keyrings == before.keyrings


def test_what_a_reload_replaces_is_gone_at_once_without_a_collector(tmp_path: Path) -> None:
    gc.disable()
    try:
        standing, gone = house(text(tmp_path)), []
        for number in range(5):
            gone.append(weakref.ref(office(standing)))
            gone.append(weakref.ref(next(iter(office(standing).caretakers.values()))))
            changed = text(tmp_path).replace("a.test, b.test", f"b.test, c{number}.test")
            after = house(changed, standing)
            office(standing).stop(office(after))
            standing = after
        del after
        assert len(office(standing).caretakers) == 2
        # Only b.test goes on: it is the first one of every office but the very first.
        assert [found() is None for found in gone] == [True, True] + [True, False] * 4
    finally:
        gc.enable()


def test_a_reload_without_acme_lets_everybody_go(tmp_path: Path) -> None:
    before = house(text(tmp_path))
    stopped: list[str] = []
    for caretaker in office(before).caretakers.values():
        caretaker.stop = lambda: stopped.append("x")  # type: ignore[method-assign]
    after = house("access_log: false\nlisten: tcp:80\nroutes: [{path: /, respond: 204}]", before)
    assert after.office is None
    after.succeed(before)
    assert len(stopped) == 2
