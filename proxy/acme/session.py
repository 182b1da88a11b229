"""A conversation with one directory: every request is signed, numbered by a nonce, and answered or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from proxy import limits
from proxy.acme.jws import Signer
from proxy.acme.schedule import poll_wait
from proxy.acme.words import Answer, Ask, Fetch, Pause, Problem, RefusedError, UnreachedError, printable

_BAD_NONCE = "badNonce"
# Nonces that wait to be used: authorities forget them after a while anyway.
_NONCES = 8


class Directory(NamedTuple):
    """What a directory offers (RFC 8555 section 7.1.1), as URLs; "" for what it does not."""

    new_nonce: str
    new_account: str
    new_order: str
    revoke: str
    renewal_info: str
    terms: str
    needs_binding: bool

    @classmethod
    def of(cls, value: dict[str, Any]) -> Directory:
        """@raise RefusedError: it is not one."""
        urls = [value.get(name, "") for name in ("newNonce", "newAccount", "newOrder", "revokeCert", "renewalInfo")]
        # One that could send us anywhere: only over HTTPS, as the directory itself.
        good = [url if isinstance(url, str) and url.startswith("https://") else "" for url in urls]
        new_nonce, new_account, new_order, revoke, renewal_info = good
        if not (new_nonce and new_account and new_order):
            raise RefusedError(Problem("", "its URL is not that of an ACME directory (RFC 8555 section 7.1.1)"))
        meta = value.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        terms, needs_binding = str(meta.get("termsOfService", "")), bool(meta.get("externalAccountRequired"))
        return cls(new_nonce, new_account, new_order, revoke, renewal_info, terms, needs_binding)


class Offer:
    """What a directory offers, once it is known; conversations share it."""

    def __init__(self) -> None:
        self.directory: Directory | None = None


class Session:
    """Talks to a directory as one account.

    @param signer: None for questions that anybody may ask.
    @param now: seconds since 1970, for answers that name a date.
    @param offer: what is known of the directory already.
    @ivar account: the URL of the account, once it is known.
    """

    def __init__(
        self,
        directory: str,
        signer: Signer | None,
        fetch: Fetch,
        pause: Pause,
        now: Callable[[], float],
        offer: Offer | None = None,
    ) -> None:
        self._signer = signer
        self.account = ""
        self.now = now
        self._url = directory
        self._fetch = fetch
        self._pause = pause
        self._offer = offer or Offer()
        self._nonces: list[str] = []

    @property
    def signer(self) -> Signer:
        assert self._signer is not None, "a conversation without an account has nothing to sign"
        return self._signer

    async def directory(self) -> Directory:
        """What it offers, asked once.

        @raise AcmeError: it does not answer, or is none.
        """
        if self._offer.directory is None:
            self._offer.directory = Directory.of((await self.get(self._url)).json())
        return self._offer.directory

    async def get(self, url: str) -> Answer:
        """A request that needs no signature."""
        return self._judged(await self._fetched(Ask("GET", url)))

    async def post(self, url: str, payload: Any = None, accept: str = "", by_key: bool = False) -> Answer:
        """A signed request; without a payload it is a POST-as-GET (RFC 8555 section 6.3).

        @param by_key: signed with the key itself: the account has no URL yet.
        @raise RefusedError: with what the authority says.
        """
        body = b"" if payload is None else json.dumps(payload).encode()
        account = "" if by_key else self.account
        for tries in range(1, limits.ACME_NONCE_TRIES + 1):
            signed = self.signer.sign(body, url, await self._nonce(), account)
            answer = await self._fetched(Ask("POST", url, signed, accept))
            if tries == limits.ACME_NONCE_TRIES or _problem_of(answer).kind != _BAD_NONCE:
                break  # else the answer to a refused nonce brings a good one (RFC 8555 section 6.5)
        return self._judged(answer)

    async def poll(
        self, url: str, until: Collection[str], started: float, first: Answer | None = None
    ) -> dict[str, Any]:
        """Ask for an object until its status is one of `until`.

        @param started: when the order began: it may take only so long.
        @param first: what was said of it just now.
        @raise UnreachedError: it takes too long.
        """
        asked = 0
        answer = first
        while True:
            if answer is not None:
                found = answer.json()
                if found.get("status") in until:
                    return found
                wait = poll_wait(asked, answer.retry_after(self.now()))
                if self.now() + wait - started > limits.ACME_ORDER_SECONDS:
                    raise UnreachedError(f"the authority has not decided for {self.now() - started:.0f} seconds")
                await self._pause(wait)
            asked += 1
            answer = await self.post(url)

    async def _nonce(self) -> str:
        directory = await self.directory()
        if not self._nonces:
            self._judged(await self._fetched(Ask("HEAD", directory.new_nonce)))
        if not self._nonces:
            raise RefusedError(Problem("", "the authority gives no Replay-Nonce (RFC 8555 section 7.2)"))
        return self._nonces.pop()

    async def _fetched(self, ask: Ask) -> Answer:
        if not ask.url.startswith("https://"):  # RFC 8555 section 6.1, for what answers name as well
            raise RefusedError(Problem("", f"the authority names a URL that is not https: {printable(ask.url)}"))
        answer = await self._fetch(ask)
        nonce = answer.fields.get("replay-nonce", "")
        if nonce:
            self._nonces = [*self._nonces[1 - _NONCES :], nonce]
        return answer

    def _judged(self, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        problem, retry_after = _problem_of(answer), answer.retry_after(self.now())
        # Without a problem of ACME's it is the server that fails, or something in front of it.
        if answer.status >= 500 or not problem.kind:
            raise UnreachedError(f"HTTP {answer.status}: {problem.words}", retry_after)
        raise RefusedError(problem, retry_after)


def _problem_of(answer: Answer) -> Problem:
    if answer.status < 400:
        return Problem("", "")
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    return Problem.of(value, answer.status)
