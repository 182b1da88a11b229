"""TLS as written: of listeners, with certificates and what is asked of clients, and of upstreams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from proxy.config.acme import Acme
from proxy.config.server_name import ServerName
from proxy.config.values import LongDuration, OneOrMany, ShortWish, StrictBool, StrictStr, Wish, wrong

# What https://hstspreload.org/ asks for.
_PRELOAD_SECONDS = 365 * 86400


class ClientCertificates(Wish):
    """What a host asks of its clients.

    @ivar ca: a PEM file with the authorities whose certificates are believed.
    @ivar crl: a PEM file with their revocation lists.
    """

    verify: Literal["required", "optional", "none"] = "required"
    ca: StrictStr | None = None
    crl: StrictStr | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.verify != "none" and self.ca is None:
            message = f"`verify: {self.verify}` needs `ca`: whose certificates are believed?"
            raise wrong("missing-key", message, at="verify")
        return self


class Certificate(Wish):
    """A certificate chain and its key, each a PEM file.

    @ivar names: the host names that it is used for; those that it holds itself where None.
    """

    cert: StrictStr
    key: StrictStr
    names: Annotated[tuple[ServerName, ...], Field(min_length=1), OneOrMany()] | None = None
    client: ClientCertificates | None = None

    @property
    def asks(self) -> bool:
        """Whether clients are asked for a certificate."""
        return self.client is not None and self.client.verify != "none"


class Hsts(ShortWish):
    """`Strict-Transport-Security` (RFC 6797) in every response: browsers come back by https only.

    @ivar max_age: 0 has browsers forget that they were told so.
    @ivar preload: browsers may have it built in, for whoever enters the name in their list.
    """

    shorthand = "max_age"

    max_age: LongDuration
    subdomains: StrictBool = False
    preload: StrictBool = False

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.preload and (self.max_age < _PRELOAD_SECONDS or not self.subdomains):
            message = "browsers take nobody into their list without `subdomains: true` and a `max_age` of 365d"
            raise wrong("contradiction", message, "give both, or remove `preload`", at="preload")
        return self

    @property
    def value(self) -> bytes:
        more = (b"; includeSubDomains" if self.subdomains else b"") + (b"; preload" if self.preload else b"")
        return b"max-age=%d%b" % (self.max_age, more)


class ListenerTls(ShortWish):
    """TLS on a listener.

    @ivar issuer: who makes its certificates, where they are not in files: `internal`, an authority of this machine.
    @ivar certificates: the first one is for clients that name no host.
    @ivar acme: certificates that are ordered and renewed, beside those or alone.
    @ivar policy: versions and ciphers, see docs/tls.md.
    @ivar unknown_names: clients that name a host which no certificate is for are refused, or get the first one.
    @ivar staple: whether clients get OCSP responses for certificates that name a responder.
    """

    shorthand = "issuer"

    issuer: Literal["internal"] | None = None
    certificates: Annotated[tuple[Certificate, ...], Field(min_length=1), OneOrMany()] | None = None
    acme: Acme | None = None
    policy: Literal["modern", "intermediate", "legacy"] = "intermediate"
    min_version: Literal["1.2", "1.3"] | None = None
    unknown_names: Literal["refuse", "default"] = "refuse"
    hsts: Hsts | None = None
    staple: Literal["auto", "off"] = "auto"

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.acme is None or self.issuer is not None:
            self.only_one("certificates", "issuer", "acme")
        if self.policy == "modern" and self.min_version == "1.2":
            message = "the policy `modern` speaks TLS 1.3 only"
            raise wrong("contradiction", message, "remove one of the two", at="min_version")
        return self

    def beside(self, folder: Path) -> ListenerTls:
        """The same with all files looked for in `folder`."""
        certificates = self.certificates and tuple(_certificate_beside(one, folder) for one in self.certificates)
        acme = self.acme and self.acme.beside(folder)
        return self.model_copy(update={"certificates": certificates, "acme": acme})


def _certificate_beside(wish: Certificate, folder: Path) -> Certificate:
    update: dict[str, Any] = _beside(wish, folder, "cert", "key")
    if wish.client is not None:
        update["client"] = wish.client.model_copy(update=_beside(wish.client, folder, "ca", "crl"))
    return wish.model_copy(update=update)


def _beside(wish: Wish, folder: Path, *keys: str) -> dict[str, str]:
    return {key: str(folder / path) for key in keys if (path := getattr(wish, key)) is not None}


class UpstreamTls(Wish):
    """TLS to the servers of an upstream that are written `https://`.

    @ivar ca: a PEM file: who may have signed their certificates; those whom the machine trusts where None.
    @ivar crl: a PEM file with revocation lists of these authorities.
    @ivar cert, key: our own certificate, for servers that ask for one.
    @ivar name: the name that is asked for and has to be in the certificate; that of the server where None.
    @ivar san: one of these names has to be in the certificate instead: host names, IP addresses or URIs.
    @ivar verify: false believes everybody.
    """

    ca: StrictStr | None = None
    crl: StrictStr | None = None
    cert: StrictStr | None = None
    key: StrictStr | None = None
    name: ServerName | None = None
    san: Annotated[tuple[StrictStr, ...], OneOrMany()] = ()
    verify: StrictBool = True

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if (self.cert is None) != (self.key is None):
            given, other = ("cert", "key") if self.key is None else ("key", "cert")
            raise wrong("missing-key", f"`{given}` needs `{other}`", at=given)
        if not self.verify:
            for key in ("ca", "crl", "san"):
                if getattr(self, key):
                    message = f"`{key}` does nothing with `verify: false`"
                    raise wrong("contradiction", message, "remove one of the two", at=key)
        return self

    def beside(self, folder: Path) -> UpstreamTls:
        """The same with all files looked for in `folder`."""
        return self.model_copy(update=_beside(self, folder, "ca", "crl", "cert", "key"))
