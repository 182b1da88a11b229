"""Certificates from an authority that speaks ACME (RFC 8555), as written."""

from __future__ import annotations

import base64
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from proxy.config.server_name import server_name
from proxy.config.values import OneOrMany, StrictBool, StrictStr, Text, Wish, shown, wrong

#: Directories that have a word of their own.
DIRECTORIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
#: Where the first order for a certificate is tried before the directory itself is asked.
STAGING = {DIRECTORIES["letsencrypt"]: DIRECTORIES["letsencrypt-staging"]}
# Let's Encrypt's limit; others allow no more.
NAMES = 100

_EMAIL = re.compile(r"[^@\s<>,]+@[^@\s<>,]+\Z")
_WORDS = " or ".join(f"`{word}`" for word in DIRECTORIES)


def _directory(value: Any) -> str:
    if isinstance(value, str) and value in DIRECTORIES:
        return DIRECTORIES[value]
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is not None and parts.scheme == "http":
        raise wrong("directory", "a directory is asked by https only (RFC 8555 section 6.1)", "write https://")
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise wrong("directory", f"{shown(value)} is not a directory", f"write {_WORDS}, or its https:// URL")
    return str(value)


def _staging(value: Any) -> str:
    return "" if value is False else _directory(value)


def _email(value: Any) -> str:
    address = value.removeprefix("mailto:") if isinstance(value, str) else ""
    if not _EMAIL.match(address):
        raise wrong("email", f"{shown(value)} is not an email address", "write for example admin@example.com")
    return address


def _hmac_key(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    try:
        key = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    except ValueError:
        key = b""
    if not key:  # and never a word of it in the message
        raise wrong("hmac-key", "this is not a key in base64url", "as the authority gave it, without line ends")
    return text.rstrip("=")


def _provable_name(value: Any) -> str:
    name = server_name(value)
    if name.startswith("*."):
        hint = "list the names, or get the wildcard elsewhere and name its files in `certificates:`"
        raise wrong("acme-wildcard", f"{shown(value)} needs the challenge dns-01, which is not there", hint)
    try:
        ip_address(name)
    except ValueError:
        return name
    raise wrong("server-name", f"{shown(value)} is an address", "certificates by ACME are for host names")


_HTTPS_URL = WithJsonSchema({"anyOf": [{"enum": [*DIRECTORIES]}, {"type": "string", "pattern": "^https://"}]})
ProvableName = Annotated[str, PlainValidator(_provable_name), WithJsonSchema({"type": "string"})]
Directory = Annotated[str, PlainValidator(_directory), _HTTPS_URL]
_HTTPS_URL_OR_FALSE = WithJsonSchema(
    {"anyOf": [{"enum": [*DIRECTORIES, False]}, {"type": "string", "pattern": "^https://"}]}
)


class Eab(Wish):
    """What ties a new account to one that the authority has already (RFC 8555 section 7.3.4).

    @ivar key_id: which one, as the authority names it.
    @ivar hmac_key: its secret, in base64url.
    """

    key_id: Text
    hmac_key: Annotated[str, PlainValidator(_hmac_key), WithJsonSchema({"type": "string"})]


class Acme(Wish):
    """Certificates that are ordered, kept and renewed.

    @ivar directory: the URL where the authority says what it offers.
    @ivar names: the names of each certificate, the first one first.
    @ivar email: whom the authority may write to.
    @ivar storage: the folder for account and certificates; one in `state` where None.
    @ivar challenge: how it is proved that a name is ours.
    @ivar ca: a PEM file: who may have signed the certificate of the directory's own server; those whom the machine
        trusts where None.
    @ivar terms_agreed: the terms of the authority are agreed to.
    @ivar staging: a directory where the first order for a certificate has to succeed before `directory` is asked; ""
        for none, and None for the one that belongs to `directory`, if there is one.
    """

    directory: Directory = DIRECTORIES["letsencrypt"]
    names: Annotated[
        tuple[Annotated[tuple[ProvableName, ...], Field(min_length=1, max_length=NAMES), OneOrMany()], ...],
        Field(min_length=1),
        OneOrMany(),
    ]
    email: Annotated[str | None, PlainValidator(_email), WithJsonSchema({"type": "string"})] = None
    storage: StrictStr | None = None
    challenge: Literal["http-01", "tls-alpn-01"] = "http-01"
    key_type: Literal["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096"] = "ecdsa-p256"
    eab: Eab | None = None
    ca: StrictStr | None = None
    terms_agreed: StrictBool = True
    staging: Annotated[str | None, PlainValidator(_staging), _HTTPS_URL_OR_FALSE] = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        seen: set[str] = set()
        for place, names in enumerate(self.names):
            for name in names:
                if name in seen:
                    message, hint = f"`{name}` is listed twice", "each name belongs to one certificate"
                    raise wrong("duplicate-name", message, hint, at=("names", place))
                seen.add(name)
        return self

    @property
    def rehearsal(self) -> str:
        """The directory that is asked first; "" for none."""
        return STAGING.get(self.directory, "") if self.staging is None else self.staging

    def beside(self, folder: Path) -> Acme:
        """The same with all files looked for in `folder`."""
        update = {key: str(folder / path) for key in ("ca", "storage") if (path := getattr(self, key)) is not None}
        return self.model_copy(update=update)
