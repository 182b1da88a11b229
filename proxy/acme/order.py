"""From an order to its certificate (RFC 8555 section 7.4): one thing after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from proxy.acme.jws import encoded
from proxy.acme.session import Session
from proxy.acme.words import AcmeError, Answer, Problem, RefusedError, UnprovenError

_CHAIN = "application/pem-certificate-chain"


class Proof(NamedTuple):
    """What has to be shown to prove a name.

    @ivar challenge: `http-01` or `tls-alpn-01`.
    @ivar text: the key authorization.
    """

    challenge: str
    name: str
    token: str
    text: str


class Prover(Protocol):
    """Shows proofs to whoever asks for them."""

    def show(self, proof: Proof) -> None: ...
    def hide(self, proof: Proof) -> None: ...


class Wanted(NamedTuple):
    """What is ordered.

    @ivar challenge: how names are proved.
    @ivar replaces: the certificate that this one is to replace, as RFC 9773 section 4.1 names it; "" for none.
    """

    names: tuple[str, ...]
    challenge: str
    replaces: str = ""


async def obtain(session: Session, wanted: Wanted, prover: Prover, csr: Callable[[], Awaitable[bytes]]) -> str:
    """The certificate chain, as PEM.

    @param csr: gives the request for it, once all names are proved.
    @raise AcmeError: there is none.
    """
    started = session.now()
    made = await _ordered(session, wanted)
    url, order = made.fields.get("location", ""), made.json()
    if not url:
        raise RefusedError(Problem("", "the authority does not say where the order is (RFC 8555 section 7.4)"))
    if order.get("status") == "pending":
        await _prove(session, wanted, _texts(order, "authorizations"), prover, started)
        order = await session.poll(url, ("ready", "valid", "invalid"), started)
    if order.get("status") == "ready":
        sent = await session.post(_text(order, "finalize"), {"csr": encoded(await csr())})
        order = await session.poll(url, ("valid", "invalid"), started, sent)
    if order.get("status") != "valid":
        raise RefusedError(Problem.of(order.get("error")), about="the order has failed")
    answer = await session.post(_text(order, "certificate"), accept=_CHAIN)
    try:
        return answer.body.decode("ascii")
    except UnicodeDecodeError as error:
        raise AcmeError("the authority sent something that is no certificate") from error


async def _ordered(session: Session, wanted: Wanted) -> Answer:
    directory = await session.directory()
    identifiers = [{"type": "dns", "value": name} for name in wanted.names]
    payload: dict[str, Any] = {"identifiers": identifiers}
    if not (wanted.replaces and directory.renewal_info):
        return await session.post(directory.new_order, payload)
    try:
        return await session.post(directory.new_order, {**payload, "replaces": wanted.replaces})
    except RefusedError as error:
        # `alreadyReplaced`, or an authority that does not know the certificate: a new one is wanted all the same.
        if error.kind not in ("alreadyReplaced", "malformed", "unauthorized"):
            raise
    return await session.post(directory.new_order, payload)


async def _prove(session: Session, wanted: Wanted, urls: list[str], prover: Prover, started: float) -> None:
    """Prove every name of an order: all are shown first, then looked at."""
    shown: list[tuple[str, Proof]] = []
    try:
        for url in urls:
            authorization = (await session.post(url)).json()
            if authorization.get("status") == "valid":  # proved not long ago
                continue
            challenge, proof = _chosen(session, wanted, authorization)
            shown.append((url, proof))
            prover.show(proof)
            await session.post(challenge, {})
        for url, proof in shown:
            found = await session.poll(url, ("valid", "invalid", "deactivated", "expired", "revoked"), started)
            if found["status"] != "valid":
                raise UnprovenError(_why_not(found), about=f"{proof.name} is not proved by {wanted.challenge}")
    finally:
        for _, proof in shown:
            prover.hide(proof)


def _chosen(session: Session, wanted: Wanted, authorization: dict[str, Any]) -> tuple[str, Proof]:
    """The challenge that we can meet: its URL, and the proof."""
    identifier = authorization.get("identifier")
    name = str(identifier.get("value", "")) if isinstance(identifier, dict) else ""
    if authorization.get("status") != "pending":
        raise UnprovenError(_why_not(authorization), about=name)
    offered = [one for one in authorization.get("challenges") or () if isinstance(one, dict)]
    for one in offered:
        if one.get("type") == wanted.challenge:
            token = _text(one, "token")
            return _text(one, "url"), Proof(wanted.challenge, name, token, session.signer.proof(token))
    kinds = ", ".join(str(one.get("type")) for one in offered) or "none"
    raise UnprovenError(Problem("", f"the authority does not offer {wanted.challenge} for it, but {kinds}"), about=name)


def _why_not(authorization: dict[str, Any]) -> Problem:
    """What is wrong with an authorization: what its challenges say."""
    for challenge in authorization.get("challenges") or ():
        if isinstance(challenge, dict) and challenge.get("error"):
            return Problem.of(challenge["error"])
    return Problem("", f"the authorization is {authorization.get('status')}")


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not value:
        raise RefusedError(Problem("", f"an answer without `{key}`"))
    return value


def _texts(found: dict[str, Any], key: str) -> list[str]:
    value = found.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise RefusedError(Problem("", f"an answer without `{key}`"))
    return value
