"""Records opened and sealed: what one read brings, however it is cut, and what comes of it."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from OpenSSL import SSL

from proxy.tls.cipher import Cipher
from proxy.tls.contexts import CertificateFiles, server_context
from proxy.tls.policies import policy
from tests.support.authority import Authority
from tests.tls.peers import client_context


class Pair:
    """A cipher of ours, and a client on Python's `ssl` beside it; nothing between them."""

    def __init__(self, folder: Path, version: str = "1.3") -> None:
        authority = Authority(folder)
        issued = authority.issue("a.test")
        files = [CertificateFiles(issued.cert, issued.key)]
        self.connection = SSL.Connection(server_context(files, policy("intermediate"), None, [b"http/1.1"]), None)
        self.connection.set_accept_state()
        self.cipher = Cipher(self.connection)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client_context(authority.ca, version=version)
        self.client = context.wrap_bio(self.incoming, self.outgoing, server_hostname="a.test")
        self._shake()

    def _shake(self) -> None:
        for _ in range(3):
            for end in (self.client, self.connection):
                with suppress(ssl.SSLWantReadError, SSL.WantReadError):
                    end.do_handshake()
                self.incoming.write(self.cipher.take())
                sent = self.outgoing.read()
                if sent:
                    self.connection.bio_write(sent)

    def records(self, *messages: bytes) -> list[bytes]:
        """Each message, sealed by the client."""
        sealed = []
        for message in messages:
            self.client.write(message)
            sealed.append(self.outgoing.read())
        return sealed

    def hears(self, sealed: bytes) -> bytes:
        self.incoming.write(sealed)
        heard = b""
        while True:
            try:
                heard += self.client.read(1 << 20)
            except ssl.SSLWantReadError:
                return heard


@pytest.fixture(params=["1.3", "1.2"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    return Pair(tmp_path, request.param)


def test_one_record_is_the_usual_case(pair: Pair) -> None:
    (record,) = pair.records(b"hello")
    assert pair.cipher.open(record) == b"hello"
    assert not pair.cipher.more
    assert pair.cipher.over is None


def test_a_record_cut_at_every_byte(pair: Pair) -> None:
    (first,) = pair.records(b"a message")
    assert pair.cipher.open(first) == b"a message"
    for cut in range(1, len(first)):
        (record,) = pair.records(b"a message")
        assert pair.cipher.open(record[:cut]) == b""
        assert pair.cipher.more
        pair.cipher.more = False
        assert pair.cipher.open(record[cut:]) == b"a message"
        assert not pair.cipher.more


def test_several_records_in_pieces_of_every_size(pair: Pair) -> None:
    for size in range(1, 120, 7):
        stream = b"".join(pair.records(b"one", b"two " * 10, b"3"))
        opened = [pair.cipher.open(stream[at : at + size]) for at in range(0, len(stream), size)]
        assert b"".join(opened) == b"one" + b"two " * 10 + b"3"
        assert pair.cipher.over is None


@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 65536, 300_000])
def test_what_is_sealed_is_heard_whatever_its_size(pair: Pair, size: int) -> None:
    message = bytes(range(256)) * (size // 256 + 1)
    assert pair.hears(pair.cipher.seal(message[:size])) == message[:size]
    assert pair.cipher.open(b"".join(pair.records(message[:size]))) == message[:size]
    assert pair.cipher.take() == b""


def test_two_connections_do_not_meet_in_the_buffer_they_share(tmp_path: Path) -> None:
    one, other = Pair(tmp_path), Pair(tmp_path)
    (first,), (second,) = one.records(b"of the first"), other.records(b"of the second")
    opened = one.cipher.open(first), other.cipher.open(second)
    assert opened == (b"of the first", b"of the second")


def test_the_end_comes_after_what_was_said_before_it(pair: Pair) -> None:
    (record,) = pair.records(b"last words")
    with pytest.raises((ssl.SSLWantReadError, ssl.SSLSyscallError)):
        pair.client.unwrap()
    assert pair.cipher.open(record + pair.outgoing.read()) == b"last words"
    assert pair.cipher.more
    assert isinstance(pair.cipher.over, SSL.ZeroReturnError)


def test_a_forged_record_ends_it_after_what_was_true(pair: Pair) -> None:
    true, forged = pair.records(b"true", b"forged")
    assert pair.cipher.open(true + forged[:-1] + bytes([forged[-1] ^ 1])) == b"true"
    assert isinstance(pair.cipher.over, SSL.Error)
    assert "bad record mac" in str(pair.cipher.over)
    assert pair.cipher.take()  # the alert that says so
    with pytest.raises(SSL.Error):
        pair.cipher.seal(b"more")


def test_the_error_of_one_connection_is_not_found_by_the_next(tmp_path: Path) -> None:
    bad, good = Pair(tmp_path), Pair(tmp_path)
    (forged,) = bad.records(b"forged")
    bad.cipher.open(forged[:-1] + bytes([forged[-1] ^ 1]))
    (record,) = good.records(b"true")
    assert good.cipher.open(record[:3]) == b""
    assert good.cipher.over is None
    assert good.cipher.open(record[3:]) == b"true"


def test_tickets_and_data_leave_in_their_order(tmp_path: Path) -> None:
    """TLS 1.3: the two tickets after the handshake wait with what is sealed next."""
    pair = Pair(tmp_path)
    assert pair.hears(pair.cipher.seal(b"answer")) == b"answer"
    assert repr(pair.cipher) == "<Cipher TLS_AES_128_GCM_SHA256>"


def test_a_large_message_is_taken_record_by_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenSSL's buffer has held at one time it keeps for as long as the connection lives."""
    pair, sizes = Pair(tmp_path), []
    pair.cipher.take()
    take = Cipher.take

    def measured(cipher: Cipher) -> bytes:
        taken = take(cipher)
        sizes.append(len(taken))
        return taken

    monkeypatch.setattr(Cipher, "take", measured)
    sealed = pair.cipher.seal(bytes(100_000))
    assert sum(sizes) == len(sealed)
    assert max(sizes) <= (1 << 14) + 256
