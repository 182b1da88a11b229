"""Debian's Pebble, a small ACME authority, in a process of its own; and the name server that it asks."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.authority import Authority
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess, require_program


class EverywhereHere:
    """A name server to which every name is this machine: 127.0.0.1, and nothing else.

    @ivar silent: it answers nobody, so that whoever wants to look at a proof has to wait.
    """

    def __init__(self) -> None:
        self.silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                query, peer = self._socket.recvfrom(4096)
            except OSError:
                return  # closed
            if self.silent:
                continue
            self._socket.sendto(answer(query), peer)

    def close(self) -> None:
        self._socket.close()


def answer(query: bytes) -> bytes:
    """The answer to a DNS query (RFC 1035 section 4): 127.0.0.1 to a question for A, nothing to all others."""
    end = 12
    while query[end]:
        end += 1 + query[end]
    question = query[12 : end + 5]
    found = question[-4:-2] == b"\x00\x01"
    header = query[:2] + b"\x84\x00" + b"\x00\x01" + (b"\x00\x01" if found else b"\x00\x00") + b"\x00\x00\x00\x00"
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01" if found else b""
    return header + question + record


class Pebble:
    """A running Pebble.

    @ivar http, tls: the ports on which it looks for proofs.
    @ivar ca: a PEM file: who has signed the certificate of its own server.
    """

    def __init__(self, park: ProcessPark, authority: Authority, http: int, tls: int) -> None:
        self.http, self.tls = http, tls
        self.ca = authority.ca
        self._park = park
        self._port, self._management = free_port(), free_port()
        self._issued = authority.issue("localhost", LOOPBACK, file="pebble")
        self._process: RunningProcess | None = None

    @property
    def directory(self) -> str:
        return f"https://localhost:{self._port}/dir"

    def start(self, names: EverywhereHere, *, bindings: Mapping[str, str] | None = None, rejects: int = 20) -> Pebble:
        """@param bindings: keys of accounts that a new account has to be bound to, by their ids.
        @param rejects: how many of a hundred good nonces are refused.
        """
        config = {
            "listenAddress": f"{LOOPBACK}:{self._port}",
            "managementListenAddress": f"{LOOPBACK}:{self._management}",
            "certificate": self._issued.cert,
            "privateKey": self._issued.key,
            "httpPort": self.http,
            "tlsPort": self.tls,
            "externalAccountBindingRequired": bindings is not None,
            "externalAccountMACKeys": dict(bindings or {}),
        }
        path = Path(self._issued.cert).with_name(f"pebble-{self._port}.json")
        path.write_text(json.dumps({"pebble": config}))
        argv = [require_program("pebble"), "-config", str(path), "-dnsserver", f"{LOOPBACK}:{names.port}", "-strict"]
        environ = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": str(rejects), "PEBBLE_AUTHZREUSE": "0"}
        self._process = self._park.start(*argv, env=environ)
        self._process.wait_for_port(self._port)
        return self

    def stop(self) -> None:
        """It forgets everything: accounts, orders, and its own keys."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def log(self) -> str:
        return self._process.log if self._process is not None else ""

    def _managed(self, path: str) -> bytes:
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(f"https://localhost:{self._management}{path}", context=context) as response:
            body: bytes = response.read()
        return body

    def root(self) -> str:
        """The certificate that is above all it has issued, as PEM."""
        return self._managed("/roots/0").decode("ascii")

    def status(self, serial: int) -> dict[str, Any]:
        """What it knows of one of its certificates."""
        found: dict[str, Any] = json.loads(self._managed(f"/cert-status-by-serial/{serial:x}"))
        return found
