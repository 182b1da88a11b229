"""When an authority wants a certificate to be renewed (ARI, RFC 9773)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from cryptography import x509

from proxy import limits
from proxy.acme.jws import encoded
from proxy.acme.schedule import Window
from proxy.acme.session import Session
from proxy.acme.words import Problem, RefusedError, printable


class RenewalInfo(NamedTuple):
    """@ivar window: when to renew; None where the authority has no such page.
    @ivar explanation: where the authority says why, if that is unusual.
    @ivar ask_again: after how many seconds to ask again.
    """

    window: Window | None
    explanation: str
    ask_again: float


def name_of(certificate: x509.Certificate) -> str:
    """How a certificate is named (RFC 9773 section 4.1): its issuer's key and its number; "" where it has no issuer."""
    try:
        above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    if above is None:
        return ""
    number = certificate.serial_number
    # As DER has it: a zero in front where the first bit is set.
    return f"{encoded(above)}.{encoded(number.to_bytes(number.bit_length() // 8 + 1, 'big'))}"


async def ask(session: Session, name: str) -> RenewalInfo:
    """What the authority says about the certificate `name`.

    @raise AcmeError: it says nothing that can be understood.
    """
    directory = await session.directory()
    if not directory.renewal_info or not name:
        return RenewalInfo(None, "", limits.ACME_INFO_SECONDS)
    answer = await session.get(f"{directory.renewal_info.rstrip('/')}/{name}")
    found = answer.json()
    again = answer.retry_after(session.now()) or limits.ACME_INFO_SECONDS
    again = min(max(again, limits.ACME_INFO_SHORTEST_SECONDS), 86400.0)
    return RenewalInfo(_window(found.get("suggestedWindow")), printable(found.get("explanationURL") or ""), again)


def _window(value: Any) -> Window:
    try:
        begin, end = (datetime.fromisoformat(value[key]) for key in ("start", "end"))
        if begin.tzinfo is None or end.tzinfo is None or not begin < end:
            raise ValueError("not a window")
        return Window(begin.timestamp(), end.timestamp())
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(Problem("", "an answer without `suggestedWindow` (RFC 9773 section 4.2)")) from error
