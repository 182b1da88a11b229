"""One directory, and our account there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import DeferredLock, DeferredSemaphore
from twisted.logger import Logger

from proxy import limits
from proxy.acme import renewal_info
from proxy.acme.account import Account, AccountWish, enter
from proxy.acme.jws import Signer, encoded, new_account_key
from proxy.acme.keys import Request, request
from proxy.acme.order import Prover, Wanted, obtain
from proxy.acme.proofs import Proofs, Shared
from proxy.acme.session import Offer, Session
from proxy.acme.storage import Storage, StorageError
from proxy.acme.words import AcmeError, Fetch, Pause, RefusedError

log = Logger()

#: RFC 5280 section 5.3.1, in the words of the command line.
REVOCATION_REASONS = {"superseded": 4, "key-compromise": 1}


class World(NamedTuple):
    """What there is besides decisions.

    @ivar fetch: given a file of trusted authorities ("" for those of the machine), takes requests to servers.
    @ivar pause: waits; it can be cancelled.
    @ivar now: seconds since 1970.
    @ivar in_thread: does work that takes its time.
    """

    fetch: Callable[[str], Fetch]
    pause: Pause
    now: Callable[[], float]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    random: Random


class Issued(NamedTuple):
    """A certificate chain and its key, as PEM."""

    key: str
    chain: str


class Authority:
    """Orders certificates.

    @param directory: its URL.
    @param ca: whom to trust about its server.
    """

    def __init__(
        self, directory: str, ca: str, wish: AccountWish, storage: Storage, proofs: Proofs, world: World
    ) -> None:
        self.directory = directory
        self.storage = storage
        self._ca = ca
        self._wish = wish
        self._prover: Prover = Shared(proofs, storage)
        self._world = world
        self._entering = DeferredLock()
        self._room = DeferredSemaphore(limits.ACME_ORDERS)
        self._entered: Account | None = None
        self._known, self._known_until = Offer(), 0.0

    async def issue(self, wanted: Wanted, key_type: str) -> Issued:
        """A new certificate, with a new key.

        @raise AcmeError: there is none.
        @raise StorageError: it could not be kept, so none was ordered.
        """
        made: list[Request] = []

        async def csr() -> bytes:
            made.append(await self._world.in_thread(lambda: request(wanted.names, key_type)))
            return made[0].csr

        await self._room.acquire()
        try:
            session = await self._session()
            chain = await self._of_our_account(session, lambda: obtain(session, wanted, self._prover, csr))
        finally:
            self._room.release()
        if not made:
            raise AcmeError("the authority gave a certificate that nobody has asked for")
        return Issued(made[0].key, chain)

    async def revoke(self, certificate: x509.Certificate, reason: str) -> None:
        """Nobody is to believe `certificate` any more.

        @raise AcmeError: the authority says no.
        """
        session = await self._session()
        payload = {
            "certificate": encoded(certificate.public_bytes(Encoding.DER)), "reason": REVOCATION_REASONS[reason]
        }  # fmt: skip
        try:
            await session.post((await session.directory()).revoke, payload)
        except RefusedError as error:
            if error.kind != "alreadyRevoked":
                raise

    async def renewal_info(self, certificate: x509.Certificate) -> renewal_info.RenewalInfo:
        """When the authority wants to see us again. This needs no account.

        @raise AcmeError: it does not say.
        """
        await self._room.acquire()
        try:
            return await renewal_info.ask(self._conversation(None), renewal_info.name_of(certificate))
        finally:
            self._room.release()

    # --- the account --------------------------------------------------------------------------------------

    async def _session(self, *, forgotten: bool = False) -> Session:
        """A conversation as our account, which is made where there is none: one at a time.

        @param forgotten: the authority does not know the one that we have.
        """
        await self._entering.acquire()
        try:
            account = self._entered or await self._kept_account()
            if forgotten and self._entered is None:
                account = account._replace(url="")
            session = self._conversation(self._signer(account))
            if self._entered is not None:
                session.account = account.url
            else:
                self._entered = await enter(session, account, self._wish)
                if self._entered != account:
                    await self._keep_account(session, account, self._entered)
            return session
        finally:
            self._entering.release()

    def _conversation(self, signer: Signer | None) -> Session:
        world, now = self._world, self._world.now()
        if now >= self._known_until:  # what a directory offers seldom changes, and is asked for with every conversation
            self._known, self._known_until = Offer(), now + limits.ACME_INFO_SECONDS
        return Session(self.directory, signer, world.fetch(self._ca), world.pause, world.now, self._known)

    def _signer(self, account: Account) -> Signer:
        try:
            return Signer(account.key)
        except ValueError as error:
            raise StorageError(f"{self.storage!r}: {error}; move the file away to begin anew") from error

    async def _keep_account(self, session: Session, before: Account, account: Account) -> None:
        await self._world.in_thread(lambda: self.storage.keep_account(account))
        if account.url != before.url:
            terms = (await session.directory()).terms
            agreed = f"; its terms of service are agreed to: {terms}" if terms else ""
            log.info("account {url} at {directory}{agreed}", url=account.url, directory=self.directory, agreed=agreed)

    async def _kept_account(self) -> Account:
        account = self.storage.account()
        if account is None:
            account = Account(new_account_key())
            kept = account  # before anything is sent: an account whose key is lost is lost
            await self._world.in_thread(lambda: self.storage.keep_account(kept))
        return account

    async def _of_our_account(self, session: Session, do: Callable[[], Awaitable[str]]) -> str:
        """`do` it; once more where the authority has forgotten our account since we came in."""
        try:
            return await do()
        except RefusedError as error:
            if error.kind != "accountDoesNotExist":
                raise
        log.warn("{directory} does not know our account any more", directory=self.directory)
        self._entered = None
        session.account = (await self._session(forgotten=True)).account
        return await do()

    def __repr__(self) -> str:
        return f"<Authority {self.directory}>"
