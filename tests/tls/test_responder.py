"""Asking a responder, over real sockets: what it answers, and all the ways in which it does not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from proxy.limits import OCSP_RESPONSE_BYTES
from tests.support.origin import OriginConnection, ScriptedOrigin
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxy import ROOT

# A process of its own: it needs a reactor that runs.
ASK = """
import json, sys
from twisted.internet import reactor
from proxy.tls.responder import Responders
asked = Responders(reactor, float(sys.argv[2])).ask(sys.argv[1], b"question")
asked.addCallbacks(lambda data: ["answer", data.decode()], lambda failure: [failure.type.__name__, str(failure.value)])
asked.addCallback(lambda said: print(json.dumps(said)))
asked.addBoth(lambda _: reactor.stop())
reactor.run()
"""


def ask(url: str, seconds: float = 5.0) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, url, str(seconds)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
    said: list[str] = json.loads(done.stdout)
    return said


def hold(connection: OriginConnection) -> None:
    """Say nothing until the other side has gone."""
    while connection.socket.recv(65536):
        pass


def answered(response: bytes, seconds: float = 5.0) -> tuple[list[str], bytes]:
    """What comes of a server that sends `response` and closes, and what it was sent."""

    def converse(connection: OriginConnection) -> None:
        head = connection.read_head()
        connection.read_exactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        connection.send(response)

    with ScriptedOrigin(converse) as origin:
        said = ask(f"http://{LOOPBACK}:{origin.port}/a/b", seconds)
        return said, origin.connections[0].received


def test_the_answer() -> None:
    for framing in (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n", b"HTTP/1.0 200 OK\r\n"):
        said, sent = answered(framing + b"\r\nanswer")
        assert said == ["answer", "answer"]
        assert sent.startswith(b"POST /a/b HTTP/1.1\r\n")
        assert b"\r\nContent-Type: application/ocsp-request\r\n" in sent
        assert sent.endswith(b"question")


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", "HTTP 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", ""),
        (b"HTTP/1.0 200 OK\r\n\r\n" + bytes(OCSP_RESPONSE_BYTES + 1), "the answer is too large"),
        (b"", ""),
    ],
)
def test_what_is_no_answer(response: bytes, words: str) -> None:
    kind, said = answered(response)[0]
    assert kind == "OcspError"
    assert said
    assert words in said


def test_nobody_there_and_nobody_who_answers() -> None:
    kind, said = ask(f"http://{LOOPBACK}:{free_port()}/")
    assert (kind, "refused" in said) == ("OcspError", True)
    with ScriptedOrigin(hold) as origin:
        assert ask(f"http://{LOOPBACK}:{origin.port}/", 0.3) == ["OcspError", "no answer within 0.3 s"]

    def dribble(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome")
        hold(connection)

    with ScriptedOrigin(dribble) as origin:
        assert ask(f"http://{LOOPBACK}:{origin.port}/", 0.5) == ["OcspError", "no answer within 0.5 s"]
