"""`X-Forwarded-Client-Cert`: what the upstream is told about a client's certificate, in the form that Envoy defined.

An element is a list of `Key=value` with `;` between them; elements of several proxies have `,` between them. Values
that hold one of these signs are quoted; what may not stand between quotes is written in digits, as RFC 4514 section 2.4
does it (`\\C3`). What clients claim here themselves is taken away with all `X-Forwarded` fields of strangers, see
`proxy.policy.forwarding`.
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+%\[\]-]*")
_ESCAPE = re.compile(r"\\([^0-9A-Fa-f])")
# What may stand neither in a header field nor between quotes.
_UNFIT = re.compile(r"[^ !#-~]+")
_UNFIT_RAW = re.compile(r"[^ !#-\[\]-~]+")


def element(certificate: x509.Certificate) -> bytes:
    """What is said about `certificate`, which has been verified: its SHA-256 digest, its subject and its names."""
    parts = [f"Hash={certificate.fingerprint(SHA256()).hex()}", f"Subject={subject(certificate)}"]
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    parts += [f"URI={plain(uri)}" for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
    parts += [f"DNS={plain(name)}" for name in names.get_values_for_type(x509.DNSName)]
    return ";".join(parts).encode("ascii")


def subject(certificate: x509.Certificate) -> str:
    """The subject as RFC 4514 writes it, in quotes."""
    # Of its two kinds of escapes only that with digits: a reader that takes `\\"` apart in its own way ends elsewhere.
    written = _ESCAPE.sub(lambda match: f"\\{ord(match[1]):02X}", certificate.subject.rfc4514_string())
    return f'"{_UNFIT.sub(_as_digits, written)}"'


def plain(value: str) -> str:
    """`value` as it is, or quoted where it has to be."""
    return value if _PLAIN.fullmatch(value) else f'"{_UNFIT_RAW.sub(_as_digits, value)}"'


def _as_digits(match: re.Match[str]) -> str:
    return "".join(f"\\{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))
