"""What is kept between two starts, and shared by the processes that use the same storage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from cryptography import x509

from proxy.acme.account import Account
from proxy.tls.contexts import CertificateFiles


class StorageError(Exception):
    """Something cannot be read or written; and why, in words for people."""


class Kept(NamedTuple):
    """A certificate in use.

    @ivar key_type: of its key, in the words of the configuration.
    """

    certificate: x509.Certificate
    key_type: str


class Record(NamedTuple):
    """What is remembered of a certificate besides itself. Times are seconds since 1970.

    @ivar failures: how many in a row.
    @ivar error: the last one, in words; "" after a success.
    @ivar try_at: not before.
    @ivar renew_from, renew_until: when the authority wants it to be renewed; 0 where it does not say.
    @ivar ask_at: when to ask the authority again.
    @ivar rehearsed: the staging directory has given one.
    @ivar unreached: the last failure never reached the authority.
    """

    failures: int = 0
    error: str = ""
    try_at: float = 0.0
    renew_from: float = 0.0
    renew_until: float = 0.0
    ask_at: float = 0.0
    rehearsed: bool = False
    unreached: bool = False


class Lock(Protocol):
    """Held until it is released, or the process ends."""

    def release(self) -> None: ...


class Storage(Protocol):
    """Keeps everything of one directory. All but `files` raise `StorageError`.

    Certificates have labels (see `label_of`), accounts belong to the directory.
    """

    def account(self) -> Account | None:
        """The account, if there is one."""

    def keep_account(self, account: Account) -> None: ...

    def files(self, label: str) -> CertificateFiles:
        """Where a server finds the certificate; it may not be there yet."""

    def seen(self, label: str) -> object:
        """A value that changes when the certificate does; None while there is none."""

    def certificate(self, label: str) -> Kept | None:
        """The certificate, if there is one. One that cannot be used is an error."""

    def keep_certificate(self, label: str, key: str, chain: str) -> None:
        """Replace key and certificate (both as PEM) in one step."""

    def record(self, label: str) -> Record:
        """What is remembered; nothing, where nothing is or where it cannot be read."""

    def keep_record(self, label: str, record: Record) -> None: ...

    def lock(self, label: str) -> Lock | None:
        """The right to order; None while somebody else has it."""

    def keep_proof(self, key: str, text: str) -> None:
        """Let the other processes show a proof as well. `key` is a word that can be a file's name."""

    def proof(self, key: str) -> str | None:
        """What another process wants shown."""

    def drop_proof(self, key: str) -> None: ...


def label_of(names: Iterable[str]) -> str:
    """The label of the certificate for `names`, whatever their order: it can be the name of a file."""
    several = tuple(names)
    digest = hashlib.sha256(",".join(sorted(several)).encode()).hexdigest()
    return f"{several[0][:80]}-{digest[:10]}"
