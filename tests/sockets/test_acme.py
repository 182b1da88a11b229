"""Certificates from Debian's Pebble, its refusal of good nonces on, while a client keeps talking."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509

from tests.sockets.stage import eventually
from tests.support.authority import Authority
from tests.support.control import ask
from tests.support.pebble import EverywhereHere, Pebble
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import REACTOR, RunningProxy, console_script

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def names() -> Iterator[EverywhereHere]:
    server = EverywhereHere()
    yield server
    server.close()


class Town(NamedTuple):
    """An authority, and a place for a proxy that it can look at."""

    pebble: Pebble
    authority: Authority
    park: ProcessPark
    folder: Path

    def config(self, acme: str, more: str = "") -> str:
        """A configuration: `static.test` has its certificate in files, the others come by ACME."""
        own = self.authority.issue("static.test")
        return f"""
listen:
  - {{endpoint: "tcp:{self.pebble.http}:interface={LOOPBACK}", redirect: https}}
  - endpoint: tcp:{self.pebble.tls}:interface={LOOPBACK}
    tls:
      certificates: {{cert: {own.cert}, key: {own.key}}}
      acme: {{directory: "{self.pebble.directory}", ca: {self.pebble.ca}, storage: {self.folder / "acme"}, {acme}}}
admin: unix:{self.folder / "control.sock"}
routes: [{{path: /, respond: {{status: 200, body: "here"}}}}]
{more}"""

    def run(self, acme: str) -> RunningProxy:
        path = self.folder / "town.yaml"
        path.write_text(self.config(acme))
        argv = [console_script("twistd"), *REACTOR, "-n", "--pidfile=", "reverseproxy", "--config", path]
        process = self.park.start(*argv, cwd=self.folder)
        process.wait_for_text("for admin")
        return RunningProxy(process, self.pebble.tls, path)

    def ask(self, method: str, path: str, value: Any = None) -> tuple[int, Any]:
        return ask(self.folder / "control.sock", method, path, value)

    def certificates(self) -> dict[str, dict[str, Any]]:
        """What the control site says of each certificate, by its first name."""
        return {one["names"][0]: one for one in self.ask("GET", "/status")[1]["acme"]}

    def valid(self, name: str) -> dict[str, Any] | None:
        one = self.certificates()[name]
        return one if one["state"] == "valid" else None

    def shown(self, name: str) -> x509.Certificate:
        """The certificate that a client gets, verified against Pebble's root."""
        context = ssl.create_default_context(cadata=self.pebble.root())
        plain = socket.create_connection((LOOPBACK, self.pebble.tls), timeout=10)
        with plain, context.wrap_socket(plain, server_hostname=name) as encrypted:
            der = encrypted.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)


@pytest.fixture
def town(park: ProcessPark, names: EverywhereHere, tmp_path: Path) -> Iterator[Town]:
    authority = Authority(tmp_path)
    town = Town(Pebble(park, authority, free_port(), free_port()), authority, park, tmp_path)
    yield town
    for process in park:
        if "twistd" in str(process):
            process.stop()
        process.assert_no_traceback()


class Talker:
    """A client on one connection, which asks again and again, and notices whatever is not as it should be."""

    def __init__(self, town: Town) -> None:
        context = ssl.create_default_context(cafile=town.authority.ca)
        plain = socket.create_connection((LOOPBACK, town.pebble.tls), timeout=10)
        self._socket = context.wrap_socket(plain, server_hostname="static.test")
        self._over = threading.Event()
        self.answers = 0
        self.slowest = 0.0
        self.wrong: list[str] = []
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                self._socket.sendall(b"GET / HTTP/1.1\r\nHost: static.test\r\n\r\n")
                answer = self._socket.recv(65536)
            except OSError as error:
                self.wrong.append(repr(error))
                return
            if not (answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"here")):
                self.wrong.append(repr(answer))
                return
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.01)

    def close(self) -> None:
        """It was never disturbed."""
        self._over.set()
        self._thread.join(10)
        self._socket.close()
        assert self.wrong == []
        assert self.answers > 5


@contextlib.contextmanager
def talking(town: Town) -> Iterator[Talker]:
    talker = Talker(town)
    yield talker
    talker.close()


def test_http_01_issues_and_renews_without_disturbing_anybody(town: Town, names: EverywhereHere) -> None:
    town.pebble.start(names)
    proxy = town.run("email: admin@example.com, names: [one.test, [two.test, three.test]]")
    with talking(town):
        eventually(lambda: town.valid("one.test") and town.valid("two.test"), 30)
        first = town.shown("one.test")
        both = town.shown("three.test").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert set(both.get_values_for_type(x509.DNSName)) == {"two.test", "three.test"}
        status, said = town.ask("POST", "/acme/renew", {"name": "one.test"})
        assert status == 200, said
        second = town.shown("one.test")
        assert second.serial_number != first.serial_number
        assert second.public_key() != first.public_key()
    assert "Certificate" in json.dumps(town.pebble.status(second.serial_number))
    assert proxy.log.count("certificate issued: one.test") == 1


def test_tls_alpn_01_needs_no_plain_port_and_another_authority_may_want_to_know_us(
    town: Town, names: EverywhereHere
) -> None:
    town.pebble.start(names, bindings={"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
    (town.folder / "eab.key").write_text("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n")
    eab = 'eab: {key_id: kid-1, hmac_key: "${file:eab.key}"}'
    town.run(f"challenge: tls-alpn-01, key_type: rsa-2048, {eab}, names: [[one.test, two.test]]")
    with talking(town):
        eventually(lambda: town.valid("one.test"), 30)
        assert town.shown("two.test").public_key().key_size == 2048  # type: ignore[union-attr]


def test_replace_and_revoke_with_the_command(town: Town, names: EverywhereHere) -> None:
    town.pebble.start(names)
    proxy = town.run("names: one.test")
    with talking(town):
        eventually(lambda: town.valid("one.test"), 30)
        first = town.shown("one.test")
        command = [console_script("reverseproxy"), "acme", "renew", "one.test", str(proxy.config)]
        command += ["--revoke", "key-compromise"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("  valid  one.test  until 20")
        second = town.shown("one.test")
    assert second.serial_number != first.serial_number
    assert town.pebble.status(first.serial_number)["Status"] == "Revoked"
    assert town.pebble.status(first.serial_number)["Reason"] == 1
    assert town.pebble.status(second.serial_number)["Status"] == "Valid"


def test_a_challenge_that_fails_changes_nothing_and_is_told(town: Town, names: EverywhereHere) -> None:
    elsewhere = town.pebble.http
    town.pebble.http = free_port()  # there it looks, and we are not there
    town.pebble.start(names)
    town.pebble.http = elsewhere
    proxy = town.run("names: one.test")
    with talking(town):
        eventually(lambda: town.certificates()["one.test"]["error"], 30)
        one = town.certificates()["one.test"]
        assert (one["state"], one["failures"]) == ("missing", 1)
        assert "one.test is not proved by http-01" in one["error"]
        assert "refused" in one["error"]
        with pytest.raises(ssl.SSLError, match="internal error"):
            town.shown("one.test")
        status, said = town.ask("POST", "/acme/renew", {"name": "one.test"})
        assert status == 409
        assert "one.test is not proved" in said["error"]
    assert proxy.log.count("no certificate for one.test") == 1
    eventually(lambda: [line for line in proxy.access_log() if line.get("reason") == "client.tls.pending"])
    assert list((town.folder / "acme").rglob("http-01*")) == []


def test_an_authority_that_is_down_and_comes_back_without_its_memory(town: Town, names: EverywhereHere) -> None:
    town.run("names: one.test")
    with talking(town):
        eventually(lambda: town.certificates()["one.test"]["error"], 30)
        assert "cannot be reached: Connection was refused" in town.certificates()["one.test"]["error"]
        town.pebble.start(names)
        assert town.ask("POST", "/acme/renew", {"name": "one.test"})[0] == 200
        first = town.shown("one.test")
        town.pebble.stop()
        assert town.ask("POST", "/acme/renew", {"name": "one.test"})[0] == 409
        town.pebble.start(names)  # it knows no account of ours
        status, said = town.ask("POST", "/acme/renew", {"name": "one.test"})
        assert status == 200, said
        assert town.shown("one.test").serial_number != first.serial_number


def test_an_authority_whose_own_certificate_is_not_believed(town: Town, names: EverywhereHere) -> None:
    town.pebble.start(names)
    other = Authority(town.folder, "Somebody Else")
    town.pebble.ca, believed = other.ca, town.pebble.ca
    town.run("names: one.test")
    town.pebble.ca = believed
    eventually(lambda: town.certificates()["one.test"]["error"], 30)
    assert "certificate verify failed" in town.certificates()["one.test"]["error"]


def test_a_reload_in_the_middle_of_an_order_and_a_restart_after_it(town: Town, names: EverywhereHere) -> None:
    town.pebble.start(names)
    proxy = town.run("names: [one.test]")
    with talking(town):
        for number in range(4):  # some of these meet an order under way
            (town.folder / "town.yaml").write_text(town.config(f"names: [one.test, two{number}.test]"))
            assert town.ask("POST", "/reload", {})[0] == 200
        eventually(lambda: town.valid("one.test") and town.valid("two3.test"), 30)
        assert set(town.certificates()) == {"one.test", "two3.test"}
        one = town.shown("one.test")
    assert proxy.log.count("certificate issued: one.test") == 1
    proxy.process.stop()
    process = town.run("names: [one.test, two3.test]").process
    eventually(lambda: town.valid("one.test") and town.valid("two3.test"))
    assert town.shown("one.test").serial_number == one.serial_number
    assert "certificate issued" not in process.log


def test_a_name_that_cannot_be_proved_costs_the_others_of_its_list_nothing(town: Town, names: EverywhereHere) -> None:
    town.pebble.start(names)
    town.run("names: [[one.test, two.test]]")
    eventually(lambda: town.valid("one.test"), 30)
    before = town.shown("two.test")
    with talking(town):
        (town.folder / "town.yaml").write_text(town.config("names: [[one.test, two.test, three.invalid_]]"))
        assert town.ask("POST", "/reload", {})[0] == 200
        eventually(lambda: town.certificates()["one.test"]["error"], 30)
        assert town.certificates()["one.test"]["state"] == "missing"
        assert town.shown("two.test").serial_number == before.serial_number
        (town.folder / "town.yaml").write_text(town.config("names: [[one.test, two.test, three.test]]"))
        assert town.ask("POST", "/reload", {})[0] == 200
        eventually(lambda: town.valid("one.test"), 30)
        assert town.shown("two.test").serial_number != before.serial_number
        assert town.shown("three.test").serial_number == town.shown("two.test").serial_number


def test_processes_that_share_a_storage_answer_for_each_other_and_order_once(
    town: Town, names: EverywhereHere
) -> None:
    """The authority looks at the first one only; the second orders, and both serve what it gets."""
    town.pebble.start(names)
    first = town.run("names: first.test")
    eventually(lambda: town.valid("first.test"), 30)
    apart = town.folder / "apart"
    apart.mkdir()
    http, tls = free_port(), free_port()
    text = town.config("names: [first.test, second.test]").replace(f"tcp:{town.pebble.http}:", f"tcp:{http}:")
    text = text.replace(f"tcp:{town.pebble.tls}:", f"tcp:{tls}:").replace("control.sock", "apart/control.sock")
    (apart / "town.yaml").write_text(text)
    argv = [console_script("twistd"), *REACTOR, "-n", "--pidfile=", "reverseproxy", "--config", apart / "town.yaml"]
    second = town.park.start(*argv, cwd=apart)
    second.wait_for_text("certificate issued: second.test", 30)
    assert "first.test until" not in second.log  # it found that one
    (town.folder / "town.yaml").write_text(town.config("names: [first.test, second.test]"))
    assert town.ask("POST", "/reload", {})[0] == 200
    assert town.valid("second.test")
    shown = town.shown("second.test")
    assert "certificate issued: second.test" not in first.log
    assert ask(apart / "control.sock", "POST", "/acme/renew", {"name": "second.test"})[0] == 200
    eventually(lambda: town.shown("second.test").serial_number != shown.serial_number, 20)


def test_a_stop_in_the_middle_of_an_order_leaves_nothing_in_the_way(town: Town, names: EverywhereHere) -> None:
    town.pebble.start(names)
    names.silent = True  # the authority cannot look yet: else the proof is there for a moment only
    proxy = town.run("names: one.test")
    eventually(lambda: [path.name for path in (town.folder / "acme").rglob("http-01*")], 30)
    proxy.process.stop()
    names.silent = False
    assert "certificate issued" not in proxy.log
    assert list((town.folder / "acme").rglob("http-01*")) == []
    town.run("names: one.test")
    eventually(lambda: town.valid("one.test"), 30)
