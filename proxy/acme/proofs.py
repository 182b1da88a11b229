"""What is shown to an authority that looks whether a name is ours.

By http-01 (RFC 8555 section 8.3) it asks a plain listener for a path with a token; by tls-alpn-01 (RFC 8737) it asks
for the protocol `acme-tls/1` and looks at the certificate. It does so from several places at once, and may meet any
process that shares the storage: so whoever has no answer in memory looks there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from OpenSSL import SSL
from twisted.logger import Logger

from proxy.acme.jws import digest
from proxy.acme.keys import proving
from proxy.acme.order import Proof
from proxy.acme.storage import Storage, StorageError

log = Logger()

#: Where http-01 looks; a token follows.
PATH = b"/.well-known/acme-challenge/"
#: What tls-alpn-01 speaks.
PROTOCOL = b"acme-tls/1"

# base64url (RFC 8555 section 8.1): nothing that could lead out of a folder.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


class Proofs:
    """All that this process shows at the moment.

    @ivar storages: where other processes leave what they want shown.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.storages: tuple[Storage, ...] = ()
        self._now = now
        self._shown: dict[str, str] = {}
        self._contexts: dict[str, tuple[str, SSL.Context]] = {}

    def show(self, proof: Proof) -> None:
        """From now on whoever asks sees it."""
        self._shown[key_of(proof)] = proof.text

    def hide(self, proof: Proof) -> None:
        """Nobody needs it any more."""
        self._shown.pop(key_of(proof), None)
        self._contexts.pop(proof.name, None)

    def answer(self, path: bytes) -> bytes | None:
        """What is at the path of a request; None where it is nothing of ours."""
        if not path.startswith(PATH):
            return None
        token = path[len(PATH) :].decode("latin-1")
        text = self._find(f"http-01.{token}") if _TOKEN.match(token) else None
        return None if text is None else text.encode("ascii")

    def context(self, server_name: str) -> SSL.Context | None:
        """How to shake hands with whoever wants proof of `server_name`; None where nobody has asked for it."""
        text = self._find(f"tls-alpn-01.{server_name}")
        if text is None:
            return None
        known = self._contexts.get(server_name)
        if known is None or known[0] != text:
            known = self._contexts[server_name] = text, proving_context(server_name, digest(text), self._now())
        return known[1]

    def _find(self, key: str) -> str | None:
        text = self._shown.get(key)
        if text is not None:
            return text
        for storage in self.storages:
            try:
                text = storage.proof(key)
            except StorageError as error:
                log.warn("{error}", error=str(error))
                continue
            if text is not None:
                return text
        return None

    def __repr__(self) -> str:
        return f"<Proofs {', '.join(self._shown) or 'none'}>"


class Shared:
    """Shows proofs here, and in the other processes that share a storage."""

    def __init__(self, proofs: Proofs, storage: Storage) -> None:
        self._proofs = proofs
        self._storage = storage

    def show(self, proof: Proof) -> None:
        self._proofs.show(proof)
        self._storage.keep_proof(key_of(proof), proof.text)

    def hide(self, proof: Proof) -> None:
        self._proofs.hide(proof)
        try:
            self._storage.drop_proof(key_of(proof))
        except StorageError as error:
            log.warn("{error}", error=str(error))


def key_of(proof: Proof) -> str:
    """What a proof is found by: http-01 asks for a token, tls-alpn-01 for a name."""
    return f"{proof.challenge}.{proof.token if proof.challenge == 'http-01' else proof.name}"


def proving_context(name: str, digested: bytes, now: float) -> SSL.Context:
    """The context of handshakes that prove a name."""
    certificate, key = proving(name, digested, now)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)  # RFC 8737 section 3
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_alpn_select_callback(lambda connection, offered: PROTOCOL)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context
