"""OpenSSL contexts: everything that connections of one host, or to one upstream, have in common.

A context is never changed once it has made a connection. What changes (a certificate, a revocation list, the keys of
session tickets) changes by a new context; connections that exist keep the one they were made with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from OpenSSL import SSL, crypto

from proxy import limits
from proxy.tls.certificates import CertificateError, Pair, load_chain, load_pair, load_revoked
from proxy.tls.policies import Policy

_COMMON_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION
_SERVER_OPTIONS = _COMMON_OPTIONS | SSL.OP_CIPHER_SERVER_PREFERENCE
_COMMON_MODES = SSL.MODE_RELEASE_BUFFERS


#: OpenSSL's callback: the connection, whose certificate has been chosen, and nothing of interest.
Staple = Callable[[SSL.Connection, Any], bytes]


class ClientPolicy(NamedTuple):
    """What a host wants to know of its clients.

    @ivar required: without a certificate nobody comes in; else it is looked at where a client has one.
    @ivar ca: a PEM file: who may have signed it.
    @ivar crl: a PEM file: which of them are revoked; "" for none.
    """

    required: bool
    ca: str
    crl: str = ""


class Verdict:
    """Why a peer's certificate was refused, noted while OpenSSL looks at it: an X509_V_ERR code; 0 for not at all."""

    __slots__ = ("code", "depth")

    def __init__(self) -> None:
        self.code = 0
        self.depth = 0

    @property
    def words(self) -> str:
        """The same for people."""
        what = _VERIFY_ERRORS.get(self.code, f"OpenSSL's verification error {self.code}")
        return what if not self.depth else f"{what} ({self.depth} above it)"


EXPIRED_CODES = frozenset({9, 10})
REVOKED_CODE = 23
_VERIFY_ERRORS = {
    2: "the certificate of its issuer is unknown",
    3: "there is no revocation list of its issuer",
    7: "its signature is wrong",
    9: "it is not valid yet",
    10: "it has expired",
    12: "the revocation list has expired",
    18: "it is self-signed",
    19: "the root above it is not trusted",
    20: "its issuer is not trusted",
    21: "its issuer is unknown",
    23: "it is revoked",
    24: "the certificate above it is not one of an authority",
    26: "it is not made for this purpose",
    66: "its key is too short",
    67: "the key above it is too short",
    68: "its signature is too weak",
}  # fmt: skip


def note_verdict(connection: SSL.Connection, certificate: object, code: int, depth: int, passed: int) -> bool:
    """OpenSSL's verification callback: the answer stays OpenSSL's, the reason is kept for people."""
    verdict = connection.get_app_data()
    if not passed and isinstance(verdict, Verdict) and not verdict.code:
        verdict.code, verdict.depth = code, depth
    return bool(passed)


class CertificateFiles(NamedTuple):
    """A certificate chain and its key, as PEM files."""

    cert: str
    key: str

    def load(self) -> Pair:
        """@raise CertificateError: they cannot be used."""
        return load_pair(self.cert, self.key)


def server_context(
    files: Sequence[CertificateFiles],
    policy: Policy,
    client: ClientPolicy | None,
    protocols: Sequence[bytes],
    staple: Staple | None = None,
) -> SSL.Context:
    """The context of one host.

    @param files: one certificate, or one for each kind of key; OpenSSL takes what the client can verify.
    @param protocols: what is spoken on top (ALPN), the preferred one first.
    @param staple: the OCSP response for a client that asks for one; b"" for none. Must not fail.
    @raise CertificateError: something in the files cannot be used.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_options(_SERVER_OPTIONS)
    context.set_mode(_COMMON_MODES)
    policy.apply(context)
    for pair in files:
        _use(context, pair)
    context.set_alpn_select_callback(_chooser(protocols))
    if staple is not None:
        context.set_ocsp_server_callback(staple)
    context.set_session_id(b"reverseproxy")  # the keys are this context's own: sessions cannot leave it
    if client is None:
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_timeout(int(limits.TLS_SESSION_SECONDS))
    else:
        _verify_clients(context, client)
    return context


def _use(context: SSL.Context, files: CertificateFiles) -> None:
    try:
        # From the files, and not certificate by certificate: so each kind of key keeps a chain of its own.
        context.use_certificate_chain_file(files.cert)
        context.use_privatekey_file(files.key)
        context.check_privatekey()
    except SSL.Error as error:
        raise CertificateError(files.cert, f"OpenSSL refuses it: {said(error)}") from error


def _chooser(protocols: Sequence[bytes]) -> Callable[[SSL.Connection, list[bytes]], bytes]:
    def choose(connection: SSL.Connection, offered: list[bytes]) -> bytes:
        for protocol in protocols:
            if protocol in offered:
                return protocol
        return SSL.NO_OVERLAPPING_PROTOCOLS  # type: ignore[return-value] # a sentinel that stands in for bytes

    return choose


def _verify_clients(context: SSL.Context, client: ClientPolicy) -> None:
    """Ask for a certificate, with every handshake: a resumed session would be believed although its certificate has
    expired or was revoked since."""
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(
        SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if client.required else 0), note_verdict
    )
    trust(context, client.ca, client.crl)
    try:
        context.load_client_ca(client.ca.encode())
    except SSL.Error as error:
        raise CertificateError(client.ca, f"OpenSSL refuses it: {said(error)}") from error


class Shown:
    """The certificate of a client's connection, and which context has believed it last.

    A connection outlives the context that it was made with; whoever is let in by it has to be believed still.
    """

    __slots__ = ("_above", "_believed_by", "_leaf")

    def __init__(self, connection: SSL.Connection, context: SSL.Context | None) -> None:
        leaf = connection.get_peer_certificate()
        assert leaf is not None
        self._leaf = leaf
        self._above = connection.get_peer_cert_chain() or []
        self._believed_by = context

    def is_believed(self, context: SSL.Context | None) -> bool:
        """Whether `context` believes it: by its authorities, its revocation list and the time of the day."""
        if context is self._believed_by:
            return True
        store = context.get_cert_store() if context is not None else None
        if store is None:
            return False
        try:
            crypto.X509StoreContext(store, self._leaf, self._above).verify_certificate()
        except crypto.X509StoreContextError:
            return False
        self._believed_by = context
        return True


def client_context(ca: str, crl: str, cert: str, key: str, verify: bool, policy: Policy) -> SSL.Context:
    """The context of connections to one upstream.

    @param ca: a PEM file: whom to trust; "" for those whom the machine trusts.
    @param crl: a PEM file of revocation lists, or "".
    @param cert: our own certificate for servers that ask for one, with its `key`; or "".
    @raise CertificateError: something in the files cannot be used.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_options(_COMMON_OPTIONS)
    context.set_mode(_COMMON_MODES)
    policy.apply(context)
    if cert:
        load_pair(cert, key)
        _use(context, CertificateFiles(cert, key))
    context.set_alpn_protos([b"http/1.1"])
    context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
    if not verify:
        context.set_verify(SSL.VERIFY_NONE)
        return context
    context.set_verify(SSL.VERIFY_PEER, note_verdict)
    if ca:
        trust(context, ca, crl)
    else:
        context.set_default_verify_paths()
        if crl:
            _revoke(context, crl)
    return context


def trust(context: SSL.Context, ca: str, crl: str) -> None:
    """Believe certificates that the authorities in `ca` have signed and that `crl` does not list.

    @raise CertificateError: a file cannot be used.
    """
    store = context.get_cert_store()
    assert store is not None
    try:
        for authority in load_chain(ca):
            store.add_cert(crypto.X509.from_cryptography(authority))
    except crypto.Error as error:
        raise CertificateError(ca, f"OpenSSL refuses it: {said(error)}") from error
    if crl:
        _revoke(context, crl)


def _revoke(context: SSL.Context, crl: str) -> None:
    store = context.get_cert_store()
    assert store is not None
    try:
        for revoked in load_revoked(crl):
            store.add_crl(revoked)
    except crypto.Error as error:
        raise CertificateError(crl, f"OpenSSL refuses it: {said(error)}") from error
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK)


def said(error: SSL.Error | crypto.Error) -> str:
    """What OpenSSL says, without the names of its functions: `no shared cipher`."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    words = [entry[2] for entry in reasons if len(entry) == 3 and entry[2]]
    return ", ".join(dict.fromkeys(words)) or str(error) or type(error).__name__
