"""The account at a directory: found by its key, made where there is none, told of a new email address."""

from __future__ import annotations

from typing import Any, NamedTuple

from proxy.acme.session import Session
from proxy.acme.words import Answer, Problem, RefusedError


class AccountWish(NamedTuple):
    """What the configuration says about the account.

    @ivar key_id, hmac_key: what it is bound to (RFC 8555 section 7.3.4); "" for nothing.
    """

    email: str = ""
    terms_agreed: bool = True
    key_id: str = ""
    hmac_key: str = ""

    @property
    def contact(self) -> list[str]:
        return [f"mailto:{self.email}"] if self.email else []


class Account(NamedTuple):
    """What is kept of an account.

    @ivar key: its private key, as PEM.
    @ivar url: its name at the directory; "" while it has none.
    @ivar email: as the authority knows it.
    """

    key: str
    url: str = ""
    email: str = ""


async def enter(session: Session, account: Account, wish: AccountWish) -> Account:
    """Come in as `account`, which is made where the authority does not know it (any more).

    @return: the account as it is now.
    @raise AcmeError: the authority does not want us.
    """
    if account.url:
        session.account = account.url
        try:
            if account.email != wish.email:
                await session.post(account.url, {"contact": wish.contact})
            return account._replace(email=wish.email)
        except RefusedError as error:
            if error.kind != "accountDoesNotExist":
                raise
    session.account = url = _url_of(await _registered(session, wish))
    return account._replace(url=url, email=wish.email)


async def _registered(session: Session, wish: AccountWish) -> Answer:
    """The account of our key: an authority that knows it already only says so (RFC 8555 section 7.3.1)."""
    directory = await session.directory()
    if directory.terms and not wish.terms_agreed:
        raise RefusedError(Problem("userActionRequired", f"`terms_agreed: false`; the terms are at {directory.terms}"))
    if directory.needs_binding and not wish.key_id:
        raise RefusedError(
            Problem("externalAccountRequired", "the authority wants accounts that it knows: configure `eab`")
        )
    payload: dict[str, Any] = {"termsOfServiceAgreed": True, "contact": wish.contact}
    if wish.key_id:
        bound = session.signer.bound(wish.key_id, wish.hmac_key, directory.new_account)
        payload["externalAccountBinding"] = bound
    return await session.post(directory.new_account, payload, by_key=True)


def _url_of(answer: Answer) -> str:
    url = answer.fields.get("location", "")
    if not url:
        raise RefusedError(Problem("", "the authority does not say where the account is (RFC 8555 section 7.3)"))
    return url
